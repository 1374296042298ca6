"""What line-based logs share: whole lines of UTF-8, JSON objects, a clock that does not go back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeGuard

from analysis.errors import EvidenceError

# Later than any clock that was ever set, in epoch seconds: tells milliseconds and nonsense apart.
LATEST_EPOCH_SECONDS = 1e11


def text_lines(lines: Iterable[bytes], file: str) -> Iterator[tuple[int, str]]:
    """Number and decode lines; a last line without its newline was cut while being written."""
    for number, raw in enumerate(lines, start=1):
        if not raw.endswith(b"\n"):
            raise EvidenceError(file, number, "truncated: the last line has no end")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise EvidenceError(file, number, "garbled: not UTF-8") from error
        yield number, text.rstrip("\r\n")


def json_samples(
    lines: Iterable[bytes], file: str, disorder_seconds: float = 0.0
) -> Iterator[tuple[int, float, Mapping[str, Any]]]:
    """Yield (line number, its time `t` in epoch seconds, the object) of a JSON-lines log ordered by time.

    `disorder_seconds`: how far lines may lag behind, for a log that has more than one writer.
    """
    latest = -math.inf
    for number, text in text_lines(lines, file):
        sample = json_object(text, file, number)
        time = sample.get("t")
        if not is_number(time) or not 0 < time < LATEST_EPOCH_SECONDS:
            raise EvidenceError(file, number, 'garbled: "t" is not a time in epoch seconds')
        if time < latest - disorder_seconds:
            raise EvidenceError(file, number, f"clock went back by {latest - time:.3f} s")
        latest = max(latest, time)
        yield number, float(time), sample


def json_object(text: str, file: str, number: int | None) -> Mapping[str, Any]:
    """Parse one JSON object; anything else is an EvidenceError."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EvidenceError(file, number, "garbled: not JSON") from error
    if not isinstance(value, dict):
        raise EvidenceError(file, number, "garbled: not a JSON object")
    return value


def is_number(value: object) -> TypeGuard[float]:
    """A finite number; JSON's true and false are ints to Python and none to us."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < 1e300
        and value == value
    )
