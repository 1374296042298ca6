"""iputils' `ping -D -O`: which requests were answered, when each was sent, and which were lost.

The kit's own sender of the finer ping (node/pings.py) prints the same lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from analysis.evidence.errors import EvidenceError
from analysis.evidence.lines import blocks_of_lines, check_order, text_lines

# Only "bytes from" is an answer: "no answer yet" and "From ... Unreachable" carry icmp_seq too. The oldest
# iputils say icmp_req. What ping has to say itself (a clock that was set back) is the line's last group.
_LINE = re.compile(
    r"^(?:\[(\d{1,11}\.\d+)\] (?:"
    r"\d+ bytes from \S+: icmp_[rs]eq=(\d{1,5}) ttl=\d+ time[=<](\d{1,9}(?:\.\d+)?) ms.*"
    r"|no answer yet for icmp_seq=(\d{1,5})"
    r"|From \S+:? icmp_seq=(\d{1,5}) .+)"
    r"|PING .*|--- .* ping statistics ---|rtt min/avg/max/mdev = .*|pipe \d+"
    r"|(\d{1,9}) packets transmitted, (\d{1,9}) received.*"
    r"|((?:\S*ping[46]?: |Warning: |WARNING: |wrong data byte ).*)|#\d+\t.*|)\r?$",
    re.MULTILINE | re.ASCII,
)
# Lines of other programs, or of ping asked otherwise: what a line that cannot be read gives away.
_OTHER_FORMATS = (
    (re.compile(r"(\[[\d.]+\] )?\d+ bytes from \S+ seq=\d"), "busybox's ping"),
    (re.compile(r"(\[[\d.]+\] )?\S+ +: (xmt/|\[\d+\])|\S+ is (alive|unreachable)"), "fping"),
    (re.compile(r"\d+ bytes from \S+ icmp_[rs]eq=\d+ ttl=\d+ time=\d+,\d"), "inetutils' ping"),
    (re.compile(r"\d+ bytes from \S+ .*icmp_[rs]eq=\d"), "ping without -D: its lines carry no time"),
    (re.compile(r"(\[[\d.]+\] )?\d+ (?!bytes from)\w+ \w+ \S+ icmp_seq=\d"), "ping in another language"),
)
# icmp_seq has 16 bits; a 10 ms ping wraps after 11 minutes.
_SEQUENCE_RANGE = 1 << 16
# What ping waited for at least this long and never got is lost; what it sent later is undecided.
_LEAST_WAIT_SECONDS = 1.0
# ping -O prints a line for nearly every request: far fewer lines than requests are no log of one ping.
_LARGEST_LEAP = 1000
_REQUESTS_PER_LINE = 10
_UNREACHED = "fewer than two replies: the prober never reached the guest"


@dataclass(frozen=True)
class PingLog:
    """Requests by (unwrapped) sequence number; times are epoch seconds of the prober's clock.

    `undecided_sent_at`: requests without an answer that ping was stopped too early to wait for, in order, the
    last one perhaps only on its way. `doubts`: what the log itself says against these figures.
    """

    answered: NDArray[np.int64]
    answered_sent_at: NDArray[np.float64]
    round_trip_seconds: NDArray[np.float64]
    lost: NDArray[np.int64]
    lost_sent_at: NDArray[np.float64]
    period_seconds: float
    network_errors: int
    undecided_sent_at: NDArray[np.float64]
    doubts: tuple[str, ...] = ()

    @property
    def kept_period_seconds(self) -> float:
        """The time between two requests on average; `period_seconds` is its median."""
        sent_at, number = self.answered_sent_at, self.answered
        return float((sent_at[-1] - sent_at[0]) / (number[-1] - number[0]))

    def until(self, moment: float) -> PingLog:
        """What the log tells of a guest that may be gone from a moment on: later losses are undecided."""
        lost = self.lost_sent_at <= moment
        return replace(
            self,
            lost=self.lost[lost],
            lost_sent_at=self.lost_sent_at[lost],
            undecided_sent_at=np.sort(np.concatenate((self.lost_sent_at[~lost], self.undecided_sent_at))),
        )

    @property
    def ended_at(self) -> float:
        """When the last request was sent that the log tells of."""
        ends = (
            sent[-1]
            for sent in (self.answered_sent_at, self.lost_sent_at, self.undecided_sent_at)
            if len(sent)
        )
        return float(max(ends))


@dataclass(frozen=True)
class _Lines:
    """The lines that carry a sequence number, in the file's order; `round_trip` in ms, NaN: no reply.

    `summary`: (sent, answered) as ping itself counted them; `said`: its warnings.
    """

    number: list[int]
    stamp: list[float]
    sequence: list[int]
    round_trip: list[float]
    is_error: list[bool]
    summary: list[tuple[int, int]]
    said: list[str]


def parse_ping(lines: Iterable[bytes], file: str) -> PingLog:
    """Parse a raw log of `ping -D -O`.

    A reply's line is stamped on arrival, so its request was sent one round trip earlier. "No answer yet" is
    printed when the next request goes out, which dates that one; what is dated by neither lies between its
    neighbours, its time interpolated over the sequence numbers. Requests without an answer that ping had less
    than a second left to wait for are undecided. Raises EvidenceError for an unknown line, a cut last line, a
    clock that went back, sequence numbers that leap, or a log without two answers (none could be dated).
    """
    found = _Lines([], [], [], [], [], [], [])
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
    return _assemble(found, sequence, stamp, round_trip / 1000, replied, file)


def _read_block(block: bytes, first: int, file: str, found: _Lines) -> None:
    """Match whole lines at once; only where that fails, look for the line that is to blame."""
    try:
        matches = _LINE.findall(block[:-1].decode())
    except UnicodeDecodeError:
        matches = []
    if len(matches) != block.count(b"\n"):
        raise _first_garbled(block, first, file)
    told = [match for match in matches if match[0]]
    if told:
        stamps, replies, round_trips, waits, errors, *_ = zip(*told, strict=True)
        found.stamp.extend(map(float, stamps))
        found.sequence.extend(int(r or w or e) for r, w, e in zip(replies, waits, errors, strict=True))
        found.round_trip.extend([float(milliseconds or "nan") for milliseconds in round_trips])
        found.is_error.extend(map(bool, errors))
    if len(told) == len(matches):
        found.number.extend(range(first, first + len(matches)))
        return
    found.number.extend(number for number, match in enumerate(matches, first) if match[0])
    found.summary.extend((int(match[5]), int(match[6])) for match in matches if match[5])
    found.said.extend(match[7] for match in matches if match[7])


def _first_garbled(block: bytes, first: int, file: str) -> EvidenceError:
    numbered = text_lines(BytesIO(block), file, first)
    number, line = next(
        ((number, text) for number, text in numbered if not _LINE.fullmatch(text)), (None, "")
    )
    other = next((name for pattern, name in _OTHER_FORMATS if pattern.match(line)), None)
    if other is None:
        return EvidenceError(file, number, "garbled: not a line of ping -D -O")
    return EvidenceError(file, number, f"written by {other}; what is read is iputils' ping -D -O in English")


def _unwrapped(sequence: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each number nearest to the one before it (late replies come a little out of order)."""
    half = _SEQUENCE_RANGE // 2
    steps = (np.diff(sequence) + half) % _SEQUENCE_RANGE - half
    return np.cumsum(np.concatenate((sequence[:1], steps)))


def _assemble(
    found: _Lines,
    sequence: NDArray[np.int64],
    stamp: NDArray[np.float64],
    round_trip_seconds: NDArray[np.float64],
    replied: NDArray[np.bool_],
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
    # The last request of all has no line of its own, unless it was answered: only the summary tells of it.
    last = int(sequence.max())
    transmitted, received = found.summary[-1] if found.summary else (None, None)
    if transmitted == last + 1 and sequence.min() == 1:
        last += 1
    unanswered = np.setdiff1d(np.arange(sequence.min(), last + 1), answered, assume_unique=True)
    errors = np.array(found.is_error, dtype=np.bool_)
    waiting = ~replied & ~errors
    unanswered_sent_at = _sending_times(
        unanswered, (answered, sent_at), (sequence[waiting] + 1, stamp[waiting]), period
    )
    ended_at = float(stamp[~errors].max())
    decided = unanswered_sent_at <= ended_at - _LEAST_WAIT_SECONDS
    return PingLog(
        answered=answered,
        answered_sent_at=sent_at,
        round_trip_seconds=round_trip,
        lost=unanswered[decided],
        lost_sent_at=unanswered_sent_at[decided],
        period_seconds=period,
        network_errors=int(np.count_nonzero(errors)),
        undecided_sent_at=unanswered_sent_at[~decided],
        doubts=tuple(_doubts(found, transmitted, received, len(answered), len(unanswered))),
    )


def _doubts(
    found: _Lines, transmitted: int | None, received: int | None, answered: int, unanswered: int
) -> Iterator[str]:
    if transmitted is None:
        yield "ends without ping's own summary: it was killed, or the log was cut"
    elif (transmitted, received) != (answered + unanswered, answered):
        yield (
            f"its lines tell of {answered + unanswered} pings sent and {answered} answered, "
            f"its own summary of {transmitted} and {received}"
        )
    if found.said:
        more = f" (and {len(found.said) - 1} more lines like it)" if len(found.said) > 1 else ""
        yield f'says "{found.said[0].rstrip()}"{more}'


def _sending_times(
    wanted: NDArray[np.int64],
    answered: tuple[NDArray[np.int64], NDArray[np.float64]],
    announced: tuple[NDArray[np.int64], NDArray[np.float64]],
    period: float,
) -> NDArray[np.float64]:
    """When requests were sent: told by the "no answer yet" before them, else from their neighbours."""
    # Of repeats the last counts: ping tries again to send what the kernel would not take.
    announced_numbers, latest = np.unique(announced[0][::-1], return_index=True)
    new = ~np.isin(announced_numbers, answered[0])
    numbers = np.concatenate((answered[0], announced_numbers[new]))
    order = np.argsort(numbers)
    numbers = numbers[order]
    # It is printed a little before the request leaves, so it may seem to overtake an answer's exact time.
    times = np.maximum.accumulate(np.concatenate((answered[1], announced[1][::-1][latest][new]))[order])
    inside = np.interp(wanted, numbers, times)
    before = times[0] - (numbers[0] - wanted) * period
    after = times[-1] + (wanted - numbers[-1]) * period
    return np.where(wanted < numbers[0], before, np.where(wanted > numbers[-1], after, inside))
