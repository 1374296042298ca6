"""The network-visible outage: lost pings as intervals of time, split by the migration's phases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.parsers.ping import PingLog
from analysis.timeline import Timeline


@dataclass(frozen=True)
class Interval:
    """A length of time known only to lie between two bounds, in seconds."""

    low: float
    high: float


@dataclass(frozen=True)
class Outage:
    """Lost pings of one run from the request of the migration until the probes stopped."""

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


def measure_outage(ping: PingLog, timeline: Timeline, prober_offset_seconds: float = 0.0) -> Outage:
    """Turn lost pings into outages.

    A gap begins somewhere between the last answered and the first lost ping and ends with the next answered
    one: with n lost in a row and period p it lasts between n x p and (n + 1) x p. Several gaps add up. (The
    guest may have been back up to one period before that next ping; a shorter period narrows both.) Where
    none was lost, a pause shorter than one period may still have passed between two pings.
    """
    gaps = _gaps(ping, timeline, prober_offset_seconds)
    period = ping.period_seconds
    lost_by_phase: Counter[str] = Counter()
    pieces: Counter[str] = Counter()
    for gap in gaps:
        lost_by_phase.update(gap)
        pieces.update(set(gap))
    lost = sum(len(gap) for gap in gaps)
    longest = max((len(gap) for gap in gaps), default=0)
    during = ping.answered_sent_at - prober_offset_seconds >= timeline.requested
    round_trips = ping.round_trip_seconds[during]
    before = ping.lost_sent_at - prober_offset_seconds < timeline.requested
    return Outage(
        period_seconds=period,
        lost=lost,
        gaps=len(gaps),
        total=_interval(lost, max(1, len(gaps)), period),
        longest=_interval(longest, 1, period),
        lost_by_phase=dict(lost_by_phase),
        by_phase={phase: _interval(lost_by_phase[phase], pieces[phase], period) for phase in lost_by_phase},
        late=int(np.count_nonzero(round_trips > period)),
        longest_round_trip_seconds=float(round_trips.max(initial=0.0)),
        lost_before=int(np.count_nonzero(before)),
    )


def _gaps(ping: PingLog, timeline: Timeline, offset: float) -> list[list[str]]:
    """For each run of consecutive lost pings since the request, the phase of each."""
    gaps: list[list[str]] = []
    previous: int | None = None
    for sequence, sent_at in zip(ping.lost.tolist(), (ping.lost_sent_at - offset).tolist(), strict=True):
        phase = timeline.phase_at(sent_at)
        if phase == "before":
            continue
        if previous is None or sequence != previous + 1:
            gaps.append([])
        gaps[-1].append(phase)
        previous = sequence
    return gaps


def _interval(lost: int, gaps: int, period: float) -> Interval:
    return Interval(lost * period, (lost + gaps) * period)
