"""iputils' `ping -D -O`: which requests were answered, when each was sent, and which were lost."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.errors import EvidenceError
from analysis.parsers.lines import text_lines

# Only "bytes from" is an answer: "no answer yet" and "From ... Unreachable" carry icmp_seq too.
_REPLY = re.compile(r"\[(\d+\.\d+)\] \d+ bytes from \S+: icmp_seq=(\d+) ttl=\d+ time[=<]([\d.]+) ms(.*)")
_NO_ANSWER = re.compile(r"\[(\d+\.\d+)\] no answer yet for icmp_seq=(\d+)")
_NETWORK_ERROR = re.compile(r"\[(\d+\.\d+)\] From \S+:? icmp_seq=(\d+) (.+)")
_OTHER = re.compile(
    r"PING .*|--- .* ping statistics ---|\d+ packets transmitted, .*|rtt min/avg/max/mdev = .*|"
    r"pipe \d+|ping: .*|"
)
# icmp_seq has 16 bits; a 10 ms ping wraps after 11 minutes.
_SEQUENCE_RANGE = 1 << 16
# An answer may take this long, or as long as the log's slowest one.
_LEAST_WAIT_SECONDS = 1.0


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


def parse_ping(lines: Iterable[bytes], file: str) -> PingLog:
    """Parse a raw log of `ping -D -O`.

    A reply's line is stamped on arrival, so its request was sent one round trip earlier. A lost request was
    sent between its neighbours; its time is interpolated over the sequence numbers. Unanswered requests at
    the very end, which ping had too little time left to wait for, are neither answered nor lost. Raises
    EvidenceError for an unknown line, a cut last line, or a log without two answers (none could be dated).
    """
    arrivals: dict[int, tuple[float, float]] = {}
    awaited: set[int] = set()
    duplicates = network_errors = 0
    last = None
    ended_at = 0.0
    for number, text in text_lines(lines, file):
        if reply := _REPLY.fullmatch(text):
            sequence = last = _unwrap(int(reply[2]), last)
            if sequence in arrivals:
                duplicates += 1
            else:
                arrivals[sequence] = (float(reply[1]), _number(reply[3], file, number) / 1000)
            ended_at = max(ended_at, float(reply[1]))
        elif waiting := _NO_ANSWER.fullmatch(text):
            last = _unwrap(int(waiting[2]), last)
            awaited.add(last)
            ended_at = max(ended_at, float(waiting[1]))
        elif error := _NETWORK_ERROR.fullmatch(text):
            last = _unwrap(int(error[2]), last)
            awaited.add(last)
            network_errors += 1
        elif not _OTHER.fullmatch(text):
            raise EvidenceError(file, number, "garbled: not a line of ping -D -O")
    if len(arrivals) < 2:
        raise EvidenceError(file, None, "fewer than two replies: the prober never reached the guest")
    return _assemble(arrivals, awaited, ended_at, duplicates, network_errors)


def _unwrap(sequence: int, last: int | None) -> int:
    """The unwrapped number nearest to the last one seen (late replies come a little out of order)."""
    if last is None:
        return sequence
    half = _SEQUENCE_RANGE // 2
    return last + (sequence - last + half) % _SEQUENCE_RANGE - half


def _number(text: str, file: str, line: int) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise EvidenceError(file, line, "garbled: not a line of ping -D -O") from error


def _assemble(
    arrivals: dict[int, tuple[float, float]],
    awaited: set[int],
    ended_at: float,
    duplicates: int,
    network_errors: int,
) -> PingLog:
    answered = np.array(sorted(arrivals), dtype=np.int64)
    received_at = np.array([arrivals[sequence][0] for sequence in answered.tolist()])
    round_trip = np.array([arrivals[sequence][1] for sequence in answered.tolist()])
    sent_at = received_at - round_trip
    first = min(int(answered[0]), min(awaited, default=int(answered[0])))
    final = max(int(answered[-1]), max(awaited, default=0))
    lost = np.setdiff1d(np.arange(first, final + 1, dtype=np.int64), answered, assume_unique=True)
    period = float(np.median(np.diff(sent_at) / np.diff(answered)))
    lost_sent_at = _interpolate(lost, answered, sent_at, period)
    decided = lost_sent_at <= ended_at - max(_LEAST_WAIT_SECONDS, float(round_trip.max()))
    return PingLog(
        answered=answered,
        answered_sent_at=sent_at,
        round_trip_seconds=round_trip,
        lost=lost[decided],
        lost_sent_at=lost_sent_at[decided],
        period_seconds=period,
        duplicates=duplicates,
        network_errors=network_errors,
    )


def _interpolate(
    lost: NDArray[np.int64], answered: NDArray[np.int64], sent_at: NDArray[np.float64], period: float
) -> NDArray[np.float64]:
    inside = np.interp(lost, answered, sent_at)
    before = sent_at[0] - (answered[0] - lost) * period
    after = sent_at[-1] + (lost - answered[-1]) * period
    return np.where(lost < answered[0], before, np.where(lost > answered[-1], after, inside))
