"""Why a document is not what its record says: the first fault, found by trying field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

_WORDS = {str: "a text", float: "a number", int: "a whole number", bool: "true or false"}


class _Absent:
    """Stands for the value of a key that is not there."""


ABSENT = _Absent()


@dataclass(frozen=True)
class Fault:
    """`key`: its path in the document ("spec.mode"); `value`: what is there, ABSENT where nothing is.

    `kind`: a key that is missing or unknown, or a value where a record, a list, one of some choices or
    something else is wanted. `allowed`: in words; of a record, and for an unknown key, the keys.
    """

    key: str
    value: object
    kind: Literal["missing", "unknown", "record", "list", "choice", "other"]
    allowed: str


def fault_of(value: object, record: Any, key: str = "", known_keys_only: bool = False) -> Fault | None:
    """The first fault of a parsed document (plain dicts, lists and scalars); None where there is none.

    `record`: the type it must have. `known_keys_only`: whether a key that no record has is a fault.
    """
    members = list(_members(record))
    for member in members:
        if isinstance(value, dict) and is_dataclass(member):
            return _fault_of_record(value, member, key, known_keys_only)
        origin, arguments = get_origin(member), get_args(member)
        if isinstance(value, list) and origin is tuple and arguments[-1] is Ellipsis and value:
            faults = (
                fault_of(item, arguments[0], f"{key}[{place}]", known_keys_only)
                for place, item in enumerate(value)
            )
            return next((fault for fault in faults if fault is not None), None)
        if isinstance(value, dict) and origin is not None and issubclass(origin, Mapping) and value:
            faults = (
                fault_of(item, arguments[1], f"{key}.{name}".lstrip("."), known_keys_only)
                for name, item in value.items()
            )
            names = (fault_of(name, arguments[0], f"{key}.{name}".lstrip(".")) for name in value)
            return next((fault for fault in (*names, *faults) if fault is not None), None)
    try:
        msgspec.convert(value, record)
    except (msgspec.ValidationError, OverflowError):
        kind, allowed = _wanted(record)
        return Fault(key, value, kind, allowed)
    return None


def _fault_of_record(value: dict[Any, object], record: Any, key: str, known_keys_only: bool) -> Fault | None:
    hints = get_type_hints(record, include_extras=True)
    names = ", ".join(field.name for field in fields(record))
    if known_keys_only:
        for name in value:
            if name not in hints:
                return Fault(f"{key}.{name}".lstrip("."), value[name], "unknown", names)
    for field in fields(record):
        path = f"{key}.{field.name}".lstrip(".")
        if field.name in value:
            fault = fault_of(value[field.name], hints[field.name], path, known_keys_only)
            if fault is not None:
                return fault
        elif field.default is MISSING and field.default_factory is MISSING:
            return Fault(path, ABSENT, "missing", _wanted(hints[field.name])[1])
    return None


def _members(hint: Any) -> Iterator[Any]:
    """The types of a union, without what annotates them."""
    if get_origin(hint) is Annotated:
        yield from _members(get_args(hint)[0])
    elif get_origin(hint) in (Union, UnionType):
        for member in get_args(hint):
            yield from _members(member)
    else:
        yield hint


def _wanted(hint: Any) -> tuple[Literal["record", "list", "choice", "other"], str]:
    """What kind of value a field may hold, and which, in words."""
    described = [meta.description for meta in get_args(hint)[1:] if isinstance(meta, msgspec.Meta)]
    if get_origin(hint) is Annotated and described and described[0]:
        return _wanted(get_args(hint)[0])[0], described[0]
    member = next(_members(hint))
    if member is not hint:
        return _wanted(get_args(hint)[0])
    if is_dataclass(member):
        return "record", ", ".join(field.name for field in fields(member))
    origin = get_origin(member)
    if origin is tuple:
        return "list", "a list"
    if origin is Literal:
        return "choice", ", ".join(str(value) for value in get_args(member))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "record", "an object"
    if isinstance(member, type) and issubclass(member, Enum):
        return "choice", ", ".join(str(choice.value) for choice in member)
    return "other", _WORDS.get(member, "an object")
