"""The network-visible outage: lost pings as intervals of time, split by the migration's phases."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.evidence.ping import PingLog
from analysis.run.timeline import DESTINATION_RESUMED, SOURCE_STOPPED, UNKNOWN_PHASE, Timeline
from analysis.stats.intervals import Interval

# A ping that was sent less than this before the guest stopped had no time to be answered; more where answers
# take longer. It also covers how late libvirt's event of the stop is.
LEAST_ANSWER_SECONDS = 0.01
# All but the slowest twentieth of the answers: one late answer is no measure of what an answer takes.
USUAL_SHARE = 0.95
# Linux asks anew who has a neighbour's address when it has heard nothing of it for this long: it waits 5 s
# and asks three times, a second each (arp(7): delay_first_probe_time, ucast_solicit, retrans_time). From then
# on it keeps requests back until it is told: an answered one does not show that the guest was there when it
# was sent.
ASKED_ANEW_SECONDS = 8.0


@dataclass(frozen=True)
class Gap:
    """Pings lost in a row, by when they were sent: epoch seconds of the prober's clock.

    Answers ceased at some moment after `before`, the last answered one, and not after `first`, the first lost
    one; they came again after `last` and not after `after`. With n lost at an even period p that is an outage
    of (n - 1) p to (n + 1) p. After a gap of ASKED_ANEW_SECONDS `after` is when that answer came.
    """

    before: float
    first: float
    last: float
    after: float

    def within(self, start: float = -math.inf, end: float = math.inf) -> Interval:
        """How much of the outage lies in a span of time."""
        low = min(self.last, end) - max(self.first, start)
        high = min(self.after, end) - max(self.before, start)
        return Interval(max(0.0, low), max(0.0, high))


@dataclass(frozen=True)
class Outage:
    """Lost pings of one run from the request of the migration until the probes stopped.

    `lost_by_phase` counts each by `phase_of_lost`; `by_phase` is how much of the outage lies in each phase.
    """

    period_seconds: float
    lost: int
    gaps: int
    total: Interval
    longest: Interval
    lost_by_phase: Mapping[str, int]
    by_phase: Mapping[str, Interval]
    late: int
    longest_round_trip_seconds: float
    lost_before: int


class Requests:
    """Every request of one ping that was answered or lost, in the order of its number."""

    def __init__(self, ping: PingLog, lost_sent_at: NDArray[np.float64] | None = None) -> None:
        """`lost_sent_at`: better times of the lost ones than the log's, where a capture has them."""
        lost = ping.lost_sent_at if lost_sent_at is None else lost_sent_at
        numbers = np.concatenate((ping.answered, ping.lost))
        order = np.argsort(numbers)
        self._numbers = numbers[order]
        self._times = np.concatenate((ping.answered_sent_at, lost))[order]
        self._answered_at = np.concatenate((ping.answered_sent_at + ping.round_trip_seconds, lost))[order]
        self._period = ping.period_seconds

    def gap(self, first: int, last: int) -> Gap:
        """The gap of neighbours `first` to `last`, all of them lost, between the requests around them."""
        begin, end = np.searchsorted(self._numbers, (first, last))
        times = self._times
        back = self._answered_at if times[end] - times[begin] >= ASKED_ANEW_SECONDS else times
        return Gap(
            before=float(times[begin - 1] if begin else times[begin] - self._period),
            first=float(times[begin]),
            last=float(times[end]),
            after=float(back[end + 1] if end + 1 < len(times) else times[end] + self._period),
        )

    def longest_pause(self, start: float) -> float:
        """The longest time between two neighbours since a moment: what no lost ping may hide."""
        return float(np.diff(self._times[self._times >= start]).max(initial=self._period))


def measure_outage(ping: PingLog, timeline: Timeline, judged: Mapping[int, str] | None = None) -> Outage:
    """Turn lost pings into outages; `judged`: phases of lost pings by number, where the captures tell them.

    An outage that takes n pings in a row begins between the last answered and the first lost one, and ends
    between the last lost and the next answered one: at a period p it lasts (n - 1) p to (n + 1) p. Several
    add up. Where none was lost, an outage shorter than the longest pause between two pings may have passed
    unseen. A busy prober sends less evenly than it was told to: what counts is when each was sent (`Gap`).
    """
    requests, requested = Requests(ping), timeline.counted_since
    since = ping.lost_sent_at >= requested
    gaps = [requests.gap(first, last) for first, last in runs_of(ping.lost[since].tolist())]
    unseen = requests.longest_pause(requested)
    usual = usual_answer_seconds(ping, timeline)
    lost_by_phase: dict[str, int] = {}
    for number, sent_at in zip(ping.lost[since].tolist(), ping.lost_sent_at[since].tolist(), strict=True):
        phase = (judged or {}).get(number) or phase_of_lost(timeline, sent_at, usual)
        lost_by_phase[phase] = lost_by_phase.get(phase, 0) + 1
    spans = [(phase.name, phase.start, phase.end) for phase in timeline.phases]
    during = ping.answered_sent_at >= requested
    round_trips = ping.round_trip_seconds[during]
    return Outage(
        period_seconds=ping.period_seconds,
        lost=int(np.count_nonzero(since)),
        gaps=len(gaps),
        total=_total(gaps, unseen, requested),
        longest=max(
            (gap.within(requested) for gap in gaps),
            key=lambda outage: outage.high,
            default=Interval(0.0, unseen),
        ),
        lost_by_phase=lost_by_phase,
        by_phase={
            name: _total(gaps, unseen, start, end)
            for name, start, end in (*spans, ("after", timeline.completed, math.inf))
        },
        late=int(np.count_nonzero(round_trips > ping.period_seconds)),
        longest_round_trip_seconds=float(round_trips.max(initial=0.0)),
        lost_before=int(np.count_nonzero(~since)),
    )


def usual_answer_seconds(ping: PingLog, timeline: Timeline) -> float:
    """What all but the slowest twentieth of the answers took before the guest stopped on the source."""
    stopped = timeline.completed if timeline.source_stopped is None else timeline.source_stopped
    taken = ping.round_trip_seconds[ping.answered_sent_at + ping.round_trip_seconds < stopped]
    usual = float(np.quantile(taken, USUAL_SHARE)) if len(taken) else 0.0
    return max(LEAST_ANSWER_SECONDS, usual)


def phase_of_lost(timeline: Timeline, sent_at: float, answer_seconds: float) -> str:
    """The phase that took a lost ping: the one in which it should have been answered.

    What left too shortly before the guest stopped to be answered is lost to the switchover.
    UNKNOWN_PHASE where a border is not known, or not to the clocks' uncertainty.
    """
    phase = timeline.phase_at(sent_at)
    if phase in ("before", "after", UNKNOWN_PHASE) or not timeline.converged:
        return phase
    stopped, resumed = timeline.source_stopped, timeline.destination_resumed
    if stopped is None:
        answered_by = timeline.phase_at(sent_at + answer_seconds)
        return UNKNOWN_PHASE if answered_by == UNKNOWN_PHASE else phase
    left = stopped - (sent_at + answer_seconds)
    if left >= timeline.uncertainty_of(SOURCE_STOPPED):
        return phase
    if left > -timeline.uncertainty_of(SOURCE_STOPPED):
        return UNKNOWN_PHASE
    if sent_at < stopped:
        return "switchover"
    if resumed is None or abs(sent_at - resumed) < timeline.uncertainty_of(DESTINATION_RESUMED):
        return UNKNOWN_PHASE
    return phase


def runs_of(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of consecutive numbers; the numbers in order."""
    first = last = None
    for number in numbers:
        if last is not None and number == last + 1:
            last = number
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = number
    if first is not None and last is not None:
        yield first, last


def _total(gaps: Iterable[Gap], unseen: float, start: float, end: float = math.inf) -> Interval:
    parts = [gap.within(start, end) for gap in gaps]
    low, high = sum(part.low for part in parts), sum(part.high for part in parts)
    return Interval(low, max(high, min(unseen, max(0.0, end - start))) if low == 0 else high)
