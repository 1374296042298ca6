"""What line-based logs share: whole lines of UTF-8, JSON objects, a clock that does not go back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, TypeGuard

import orjson

from analysis.errors import EvidenceError

# Later than any clock that was ever set, in epoch seconds: tells milliseconds and nonsense apart.
LATEST_EPOCH_SECONDS = 1e11
# No log has such a line; what was garbled into one never fills the memory.
LONGEST_LINE_BYTES = 1 << 20
_LINES_PER_BLOCK = 4096


def whole_lines(lines: Iterable[bytes], file: str, first: int = 1) -> Iterator[tuple[int, bytes]]:
    """Number lines from `first`; a last line without its newline was cut while being written."""
    for number, raw in enumerate(_bounded(lines), start=first):
        if raw[-1:] != b"\n":
            raise _endless(raw, file, number)
        yield number, raw


def blocks_of_lines(lines: Iterable[bytes], file: str) -> Iterator[tuple[int, bytes]]:
    """Many whole lines at once, with the number of the first: for parsers that match them in bulk."""
    first = 1
    source = iter(_bounded(lines))
    while block := list(islice(source, _LINES_PER_BLOCK)):
        if block[-1][-1:] != b"\n":
            raise _endless(block[-1], file, first + len(block) - 1)
        yield first, b"".join(block)
        first += len(block)


def _bounded(lines: Iterable[bytes]) -> Iterable[bytes]:
    readline = getattr(lines, "readline", None)
    return iter(partial(readline, LONGEST_LINE_BYTES), b"") if readline else lines


def _endless(line: bytes, file: str, number: int) -> EvidenceError:
    if len(line) >= LONGEST_LINE_BYTES:
        return EvidenceError(file, number, "garbled: a line without an end")
    return EvidenceError(file, number, "truncated: the last line has no end")


def text_lines(lines: Iterable[bytes], file: str, first: int = 1) -> Iterator[tuple[int, str]]:
    """Number lines from `first` and decode them, without their ends."""
    for number, raw in whole_lines(lines, file, first):
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise EvidenceError(file, number, "garbled: not UTF-8") from error
        yield number, text[:-1]


def json_samples(
    lines: Iterable[bytes], file: str, disorder_seconds: float = 0.0
) -> Iterator[tuple[int, float, Mapping[str, Any]]]:
    """Yield (line number, its time `t` in epoch seconds, the object) of a JSON-lines log ordered by time.

    `disorder_seconds`: how far lines may lag behind, for a log that has more than one writer.
    """
    latest = -math.inf
    for number, raw in whole_lines(lines, file):
        sample = json_object(raw, file, number)
        time = sample.get("t")
        if (type(time) is not float and type(time) is not int) or not 0 < time < LATEST_EPOCH_SECONDS:
            raise EvidenceError(file, number, 'garbled: "t" is not a time in epoch seconds')
        if time < latest:
            if time < latest - disorder_seconds:
                raise EvidenceError(file, number, f"clock went back by {latest - time:.3f} s")
        else:
            latest = time
        yield number, time, sample


def json_object(content: bytes, file: str, number: int | None) -> dict[str, Any]:
    """Parse one JSON object in UTF-8; anything else is an EvidenceError.

    orjson: a fifth of the standard library's time, and stricter (no NaN, no lone surrogates).
    """
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise EvidenceError(file, number, f"garbled: not {_broken(content)}") from error
    if type(value) is not dict:
        raise EvidenceError(file, number, "garbled: not a JSON object")
    return value


def _broken(content: bytes) -> str:
    try:
        content.decode()
    except UnicodeDecodeError:
        return "UTF-8"
    return "JSON"


def is_number(value: object) -> TypeGuard[float]:
    """A finite number; JSON's true and false are ints to Python and none to us."""
    return (type(value) is float or type(value) is int) and -1e300 < value < 1e300
