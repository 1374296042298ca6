"""What line-based logs share: whole lines of UTF-8, JSON objects, a clock that does not go back.

Logs of many like lines are read in blocks: one call decodes thousands of them. Only where that fails, the
line that is to blame is looked for, one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from io import BytesIO
from itertools import islice
from typing import Any, TypeGuard, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from analysis.evidence.errors import EvidenceError
from contract.fields import LATEST_EPOCH_SECONDS

S = TypeVar("S")

# No log has such a line; what was garbled into one never fills the memory.
LONGEST_LINE_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 20
_LINES_PER_BLOCK = 4096

_json = msgspec.json.Decoder()


def whole_lines(lines: Iterable[bytes], file: str, first: int = 1) -> Iterator[tuple[int, bytes]]:
    """Number lines from `first`; a last line without its newline was cut while being written."""
    readline = getattr(lines, "readline", None)
    source = iter(partial(readline, LONGEST_LINE_BYTES), b"") if readline else lines
    for number, raw in enumerate(source, start=first):
        if raw[-1:] != b"\n":
            raise _endless(raw, file, number)
        yield number, raw


def blocks_of_lines(lines: Iterable[bytes], file: str) -> Iterator[tuple[int, bytes]]:
    """Many whole lines at once, with the number of the first."""
    first = 1
    for block in _blocks(lines):
        count = block.count(b"\n")
        if block[-1:] != b"\n":
            raise _endless(block[block.rfind(b"\n") + 1 :], file, first + count)
        yield first, block
        first += count


def _blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    read, readline = getattr(lines, "read", None), getattr(lines, "readline", None)
    if read is not None and readline is not None:
        while block := read(_BLOCK_BYTES):
            yield block if block[-1:] == b"\n" else block + readline(LONGEST_LINE_BYTES)
        return
    source = iter(lines)
    while piece := list(islice(source, _LINES_PER_BLOCK)):
        yield b"".join(piece)


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


def json_rows(
    lines: Iterable[bytes],
    file: str,
    decoder: msgspec.json.Decoder[S],
    check: Callable[[Mapping[str, Any], str, int], None],
) -> Iterator[tuple[int, bytes, list[S]]]:
    """Yield blocks of a JSON-lines log: (number of the first line, its lines, each as `decoder` types it).

    `check` says what is wrong with a line that the decoder refuses: (its object, file, line number).
    """
    for first, block in blocks_of_lines(lines, file):
        try:
            rows = decoder.decode_lines(block)
            whole = len(rows) == block.count(b"\n") and _is_utf8(block)
        except (ValueError, RecursionError):
            whole = False
        if not whole:
            raise _blamed(block, first, file, check)
        yield first, block, rows


def _blamed(
    block: bytes, first: int, file: str, check: Callable[[Mapping[str, Any], str, int], None]
) -> EvidenceError:
    try:
        for number, raw in whole_lines(BytesIO(block), file, first):
            check(json_object(raw, file, number), file, number)
    except EvidenceError as error:
        return error
    return EvidenceError(file, first, "garbled: not one JSON object of its kind per line")


def json_samples(
    lines: Iterable[bytes], file: str, disorder_seconds: float = 0.0
) -> Iterator[tuple[int, float, Mapping[str, Any]]]:
    """Yield (line number, its time `t` in epoch seconds, the object) of a JSON-lines log ordered by time.

    `disorder_seconds`: how far lines may lag behind, for a log that has more than one writer.
    """
    latest = -math.inf
    for number, raw in whole_lines(lines, file):
        sample = json_object(raw, file, number)
        time = checked_time(sample, file, number)
        if time < latest - disorder_seconds:
            raise EvidenceError(file, number, f"clock went back by {latest - time:.3f} s")
        latest = max(latest, time)
        yield number, time, sample


def checked_time(sample: Mapping[str, Any], file: str, number: int) -> float:
    """`t` of one line."""
    time = sample.get("t")
    if not is_number(time) or not 0 < time < LATEST_EPOCH_SECONDS:
        raise EvidenceError(file, number, 'garbled: "t" is not a time in epoch seconds')
    return time


def check_order(times: NDArray[np.float64], file: str, numbers: NDArray[np.int64] | None = None) -> None:
    """Raise EvidenceError where times go back. `numbers`: of the lines, if not 1, 2, 3..."""
    back = np.flatnonzero(np.diff(times) < 0)
    if len(back):
        row = int(back[0]) + 1
        number = row + 1 if numbers is None else int(numbers[row])
        raise EvidenceError(file, number, f"clock went back by {times[row - 1] - times[row]:.3f} s")


def json_object(content: bytes, file: str, number: int | None) -> dict[str, Any]:
    """Parse one JSON object in UTF-8; anything else is an EvidenceError."""
    try:
        value = _json.decode(content)
    except (ValueError, RecursionError) as error:
        kind = "JSON" if _is_utf8(content) else "UTF-8"
        raise EvidenceError(file, number, f"garbled: not {kind}") from error
    if type(value) is not dict:
        raise EvidenceError(file, number, "garbled: not a JSON object")
    return value


def _is_utf8(content: bytes) -> bool:
    if content.isascii():
        return True
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_number(value: object) -> TypeGuard[float]:
    """A finite number; JSON's true and false are ints to Python and none to us."""
    return (type(value) is float or type(value) is int) and -1e300 < value < 1e300
