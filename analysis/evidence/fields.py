"""Typed access to the fields of a JSON document, with one clear line for what is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.evidence.errors import EvidenceError
from analysis.evidence.files import open_file
from analysis.evidence.lines import LATEST_EPOCH_SECONDS, is_number, json_object

SCHEMA = 1
# A run.json has some KiB, a study.json of thousands of cases some MiB.
LARGEST_DOCUMENT_BYTES = 64 << 20


_NAME = re.compile(r"[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*")


class Fields:
    """One JSON object of `file`; `where` is its path inside the document, for messages."""

    def __init__(self, values: Mapping[str, Any], file: str, where: str = "") -> None:
        self.values = values
        self._file = file
        self._where = where

    def _bad(self, key: str, expected: str) -> EvidenceError:
        found = "missing" if key not in self.values else f"is {self.values[key]!r}"
        return EvidenceError(self._file, None, f'"{self._where}{key}" {found[:80]}, expected {expected}')

    def text(self, key: str, allowed: tuple[str, ...] = ()) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or (allowed and value not in allowed):
            raise self._bad(key, f"one of {', '.join(allowed)}" if allowed else "a text")
        # One line: what is said of it is one.
        return " ".join(value.split())

    def name(self, key: str) -> str:
        """A name that may be one of a directory, a file, an anchor of a page."""
        value = self.text(key)
        if not _NAME.fullmatch(value):
            raise self._bad(key, "letters and digits, joined by - _ or .")
        return value

    def text_or_none(self, key: str) -> str | None:
        return None if self.values.get(key) is None else self.text(key)

    def number(self, key: str) -> float:
        value = self.values.get(key)
        if not is_number(value):
            raise self._bad(key, "a number")
        return float(value)

    def number_or_none(self, key: str) -> float | None:
        return None if self.values.get(key) is None else self.number(key)

    def positive(self, key: str) -> float:
        value = self.number(key)
        if value <= 0:
            raise self._bad(key, "a number above 0")
        return value

    def epoch_seconds(self, key: str) -> float:
        value = self.number(key)
        if not 0 < value < LATEST_EPOCH_SECONDS:
            raise self._bad(key, "a time in epoch seconds")
        return value

    def epoch_seconds_or_none(self, key: str) -> float | None:
        return None if self.values.get(key) is None else self.epoch_seconds(key)

    def integer(self, key: str) -> int:
        value = self.number(key)
        if value != int(value):
            raise self._bad(key, "a whole number")
        return int(value)

    def integer_or_none(self, key: str) -> int | None:
        return None if self.values.get(key) is None else self.integer(key)

    def flag(self, key: str) -> bool:
        value = self.values.get(key)
        if not isinstance(value, bool):
            raise self._bad(key, "true or false")
        return value

    def flag_or_none(self, key: str) -> bool | None:
        return None if self.values.get(key) is None else self.flag(key)

    def child(self, key: str) -> Fields:
        value = self.values.get(key)
        if not isinstance(value, dict):
            raise self._bad(key, "an object")
        return Fields(value, self._file, f"{self._where}{key}.")

    def child_or_none(self, key: str) -> Fields | None:
        return None if self.values.get(key) is None else self.child(key)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; absent or null counts as empty."""
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._bad(key, "a list of texts")
        return tuple(" ".join(item.split()) for item in value)

    def children(self, key: str) -> tuple[Fields, ...]:
        """A list of objects; absent or null counts as empty."""
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._bad(key, "a list of objects")
        return tuple(
            Fields(item, self._file, f"{self._where}{key}[{index}].") for index, item in enumerate(value)
        )


def read_document(path: Path, file: str) -> Fields:
    """Read one JSON document of a known schema; `file` names it in messages."""
    with open_file(path.parent, path.name) as content:
        text = content.read(LARGEST_DOCUMENT_BYTES + 1)
    if len(text) > LARGEST_DOCUMENT_BYTES:
        raise EvidenceError(file, None, f"garbled: more than {LARGEST_DOCUMENT_BYTES >> 20} MiB")
    fields = Fields(json_object(text, file, None), file)
    if fields.values.get("schema") != SCHEMA:
        raise EvidenceError(
            file, None, f"unknown schema {str(fields.values.get('schema'))[:80]}, this version reads {SCHEMA}"
        )
    return fields
