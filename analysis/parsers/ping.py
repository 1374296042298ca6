"""iputils' `ping -D -O`: which requests were answered, when each was sent, and which were lost."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from analysis.errors import EvidenceError
from analysis.parsers.lines import blocks_of_lines, check_order, text_lines

# Only "bytes from" is an answer: "no answer yet" and "From ... Unreachable" carry icmp_seq too.
_LINE = re.compile(
    r"^(?:\[(\d{1,11}\.\d+)\] (?:"
    r"\d+ bytes from \S+: icmp_seq=(\d{1,5}) ttl=\d+ time[=<](\d{1,9}(?:\.\d+)?) ms.*"
    r"|no answer yet for icmp_seq=(\d{1,5})"
    r"|From \S+:? icmp_seq=(\d{1,5}) .+)"
    r"|PING .*|--- .* ping statistics ---|\d+ packets transmitted, .*|rtt min/avg/max/mdev = .*|pipe \d+"
    r"|ping: .*|)\r?$",
    re.MULTILINE | re.ASCII,
)
# icmp_seq has 16 bits; a 10 ms ping wraps after 11 minutes.
_SEQUENCE_RANGE = 1 << 16
# An answer may take this long, or as long as the log's slowest one.
_LEAST_WAIT_SECONDS = 1.0
# ping -O prints a line for nearly every request: far fewer lines than requests are no log of one ping.
_LARGEST_LEAP = 1000
_REQUESTS_PER_LINE = 10
_UNREACHED = "fewer than two replies: the prober never reached the guest"


@dataclass(frozen=True)
class PingLog:
    """Requests by (unwrapped) sequence number; times are epoch seconds of the prober's clock."""

    answered: NDArray[np.int64]
    answered_sent_at: NDArray[np.float64]
    round_trip_seconds: NDArray[np.float64]
    lost: NDArray[np.int64]
    lost_sent_at: NDArray[np.float64]
    period_seconds: float
    duplicates: int
    network_errors: int


@dataclass(frozen=True)
class _Lines:
    """The lines that carry a sequence number, in the file's order; `round_trip` in ms, NaN: no reply."""

    number: list[int]
    stamp: list[float]
    sequence: list[int]
    round_trip: list[float]
    is_error: list[bool]


def parse_ping(lines: Iterable[bytes], file: str) -> PingLog:
    """Parse a raw log of `ping -D -O`.

    A reply's line is stamped on arrival, so its request was sent one round trip earlier. A lost request was
    sent between its neighbours; its time is interpolated over the sequence numbers. Unanswered requests at
    the very end, which ping had too little time left to wait for, are neither answered nor lost. Raises
    EvidenceError for an unknown line, a cut last line, a clock that went back, sequence numbers that leap, or
    a log without two answers (none could be dated).
    """
    found = _Lines([], [], [], [], [])
    for first, block in blocks_of_lines(lines, file):
        _read_block(block, first, file, found)
    stamp = np.array(found.stamp)
    check_order(stamp, file, np.array(found.number))
    round_trip = np.array(found.round_trip)
    replied = np.isfinite(round_trip)
    if np.count_nonzero(replied) < 2:
        raise EvidenceError(file, None, _UNREACHED)
    sequence = _unwrapped(np.array(found.sequence))
    requests = int(sequence.max() - sequence.min()) + 1
    if requests > _LARGEST_LEAP + _REQUESTS_PER_LINE * len(sequence):
        raise EvidenceError(
            file, None, f"garbled: sequence numbers leap, {len(sequence)} lines of {requests} requests"
        )
    return _assemble(sequence, stamp, round_trip / 1000, replied, np.array(found.is_error), file)


def _read_block(block: bytes, first: int, file: str, found: _Lines) -> None:
    """Match whole lines at once; only where that fails, look for the line that is to blame."""
    try:
        matches = _LINE.findall(block[:-1].decode())
    except UnicodeDecodeError:
        matches = []
    if len(matches) != block.count(b"\n"):
        raise _first_garbled(block, first, file)
    stamped = [(number, *match) for number, match in enumerate(matches, first) if match[0]]
    if stamped:
        numbers, stamps, replies, round_trips, waits, errors = zip(*stamped, strict=True)
        found.number.extend(numbers)
        found.stamp.extend(map(float, stamps))
        found.sequence.extend(int(r or w or e) for r, w, e in zip(replies, waits, errors, strict=True))
        found.round_trip.extend([float(milliseconds or "nan") for milliseconds in round_trips])
        found.is_error.extend(map(bool, errors))


def _first_garbled(block: bytes, first: int, file: str) -> EvidenceError:
    numbered = text_lines(BytesIO(block), file, first)
    number = next((number for number, text in numbered if not _LINE.fullmatch(text)), None)
    return EvidenceError(file, number, "garbled: not a line of ping -D -O")


def _unwrapped(sequence: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each number nearest to the one before it (late replies come a little out of order)."""
    half = _SEQUENCE_RANGE // 2
    steps = (np.diff(sequence) + half) % _SEQUENCE_RANGE - half
    return np.cumsum(np.concatenate((sequence[:1], steps)))


def _assemble(
    sequence: NDArray[np.int64],
    stamp: NDArray[np.float64],
    round_trip_seconds: NDArray[np.float64],
    replied: NDArray[np.bool_],
    is_error: NDArray[np.bool_],
    file: str,
) -> PingLog:
    # Of duplicates the first counts.
    answered, chosen = np.unique(sequence[replied], return_index=True)
    if len(answered) < 2:
        raise EvidenceError(file, None, _UNREACHED)
    round_trip = round_trip_seconds[replied][chosen]
    sent_at = stamp[replied][chosen] - round_trip
    period = float(np.median(np.diff(sent_at) / np.diff(answered)))
    if period <= 0:
        raise EvidenceError(file, None, "garbled: later requests were not sent later")
    lost = np.setdiff1d(np.arange(sequence.min(), sequence.max() + 1), answered, assume_unique=True)
    lost_sent_at = _interpolate(lost, answered, sent_at, period)
    ended_at = float(stamp[~is_error].max())
    decided = lost_sent_at <= ended_at - max(_LEAST_WAIT_SECONDS, float(round_trip.max()))
    return PingLog(
        answered=answered,
        answered_sent_at=sent_at,
        round_trip_seconds=round_trip,
        lost=lost[decided],
        lost_sent_at=lost_sent_at[decided],
        period_seconds=period,
        duplicates=int(np.count_nonzero(replied)) - len(answered),
        network_errors=int(np.count_nonzero(is_error)),
    )


def _interpolate(
    lost: NDArray[np.int64], answered: NDArray[np.int64], sent_at: NDArray[np.float64], period: float
) -> NDArray[np.float64]:
    inside = np.interp(lost, answered, sent_at)
    before = sent_at[0] - (answered[0] - lost) * period
    after = sent_at[-1] + (lost - answered[-1]) * period
    return np.where(lost < answered[0], before, np.where(lost > answered[-1], after, inside))
