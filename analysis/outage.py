"""The network-visible outage: lost pings as intervals of time, split by the migration's phases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True)
class _Lost:
    """One lost ping: the phase it was sent in, and how long it stands for, seconds."""

    phase: str
    seconds: float


def measure_outage(ping: PingLog, timeline: Timeline) -> Outage:
    """Turn lost pings into outages.

    A gap begins somewhere between the last answered and the first lost ping and ends with the next answered
    one: with n lost in a row and period p it lasts between n x p and (n + 1) x p. Several gaps add up. (The
    guest may have been back up to one period before that next ping; a shorter period narrows both.) Where
    none was lost, a pause shorter than one period may still have passed between two pings. A busy prober
    sends less often than it was told to, so p is that of the gap itself: `local_periods`.
    """
    gaps = _gaps(ping, timeline)
    unseen = Interval(0.0, ping.period_seconds)
    by_phase: dict[str, list[list[_Lost]]] = {}
    for gap in gaps:
        for phase in dict.fromkeys(lost.phase for lost in gap):
            by_phase.setdefault(phase, []).append([lost for lost in gap if lost.phase == phase])
    during = ping.answered_sent_at >= timeline.counted_since
    round_trips = ping.round_trip_seconds[during]
    return Outage(
        period_seconds=ping.period_seconds,
        lost=sum(len(gap) for gap in gaps),
        gaps=len(gaps),
        total=_total(gaps) if gaps else unseen,
        longest=max((_total([gap]) for gap in gaps), key=lambda outage: outage.high, default=unseen),
        lost_by_phase={phase: sum(len(piece) for piece in pieces) for phase, pieces in by_phase.items()},
        by_phase={phase: _total(pieces) for phase, pieces in by_phase.items()},
        late=int(np.count_nonzero(round_trips > ping.period_seconds)),
        longest_round_trip_seconds=float(round_trips.max(initial=0.0)),
        lost_before=int(np.count_nonzero(ping.lost_sent_at < timeline.counted_since)),
    )


def local_periods(ping: PingLog) -> NDArray[np.float64]:
    """For each lost ping how far apart the requests around it were sent, seconds.

    That is the time between the answered ones before and after it, in equal parts; at the ends of the log,
    where there is none on one side, the log's median period.
    """
    after = np.searchsorted(ping.answered, ping.lost)
    inside = (after > 0) & (after < len(ping.answered))
    right = np.clip(after, 1, len(ping.answered) - 1)
    seconds = ping.answered_sent_at[right] - ping.answered_sent_at[right - 1]
    requests = ping.answered[right] - ping.answered[right - 1]
    return np.where(inside, seconds / requests, ping.period_seconds)


def interval_of(pieces: Iterable[Sequence[float]]) -> Interval:
    """How long lost pings lasted; each piece has the seconds that each ping of a gap stands for."""
    kept = [piece for piece in pieces if piece]
    low = sum(sum(piece) for piece in kept)
    return Interval(low, low + sum(piece[0] for piece in kept))


def _total(gaps: Iterable[Sequence[_Lost]]) -> Interval:
    return interval_of([lost.seconds for lost in gap] for gap in gaps)


def _gaps(ping: PingLog, timeline: Timeline) -> list[list[_Lost]]:
    """The runs of consecutive lost pings since the request."""
    gaps: list[list[_Lost]] = []
    previous: int | None = None
    columns = (ping.lost.tolist(), ping.lost_sent_at.tolist(), local_periods(ping).tolist())
    for sequence, sent_at, seconds in zip(*columns, strict=True):
        phase = timeline.phase_at(sent_at)
        if phase == "before":
            continue
        if previous is None or sequence != previous + 1:
            gaps.append([])
        gaps[-1].append(_Lost(phase, seconds))
        previous = sequence
    return gaps
