"""Outage attribution: for each lost ping, where it was lost, with the packets that show it.

A request passes the prober's interface, the host's uplink and the guest's tap; the answer goes back the same
way. Five captures see it pass or not; court.py judges each ping by them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.causes import Cause
from analysis.clock import ClockModel
from analysis.court import Court
from analysis.evidence import Evidence
from analysis.outage import Interval, interval_of, local_periods
from analysis.parsers.ping import PingLog
from analysis.parsers.records import RunRecord
from analysis.timeline import ANNOUNCED_AT_TAP, ANNOUNCED_AT_UPLINK, Timeline

# Length of the IP packets of the two pings: 56 and 16 bytes behind 20 of IP and 8 of ICMP.
COARSE_IP_BYTES, FINE_IP_BYTES = 84, 44
# What they are called: by the period that ping is asked for.
COARSE, FINE = "100 ms", "10 ms"


@dataclass(frozen=True, slots=True)
class LostPing:
    """One lost ping with its verdict.

    `sent_at`: epoch seconds of the prober's clock; `seconds`: the period that it stands for (outage.py).
    """

    sequence: int
    sent_at: float
    seconds: float
    phase: str
    cause: Cause
    reason: str
    evidence: str


@dataclass(frozen=True)
class Tally:
    """How many pings one cause took, and for how long."""

    count: int
    seconds: Interval


@dataclass(frozen=True)
class StreamAttribution:
    """One ping (coarse or fine) of one run: what was lost, by cause, and what came late.

    `after_resume`: the lost ones that were sent once the guest ran on the destination. `late`: answered after
    more than a period; `late_in_guest`: those that took it between tap and tap; `late_after_end`: how many
    were lost to ping only because it had been stopped when the answer came (`answered_after_end`).
    """

    period_seconds: float
    lost: tuple[LostPing, ...]
    answered_after_end: tuple[LostPing, ...]
    tallies: Mapping[Cause, Tally]
    after_resume: Mapping[Cause, int]
    late: int
    late_in_guest: int
    late_after_end: int


@dataclass(frozen=True)
class Attribution:
    """All of one run. Seconds after the destination's resume (negative: before), None where not seen.

    `stale_seconds`: until the last request that still went to the source, 0 if none did after the resume.
    `doubts`: (file, what is wrong with it).
    """

    coarse: StreamAttribution
    fine: StreamAttribution | None
    stale_seconds: float | None
    announced_at_tap_seconds: float | None
    announced_at_uplink_seconds: float | None
    doubts: tuple[tuple[str, str], ...]

    def without_pings(self) -> Attribution:
        """The same without the single pings, to be kept of many runs."""
        coarse, fine = (
            replace(stream, lost=(), answered_after_end=()) if stream else None
            for stream in (self.coarse, self.fine)
        )
        assert coarse is not None
        return replace(self, coarse=coarse, fine=fine)

    @property
    def finest(self) -> StreamAttribution:
        """The ping that dates losses best."""
        return self.coarse if self.fine is None else self.fine

    @property
    def streams(self) -> tuple[StreamAttribution, ...]:
        return (self.coarse,) if self.fine is None else (self.coarse, self.fine)


def attribute(
    run: RunRecord, evidence: Evidence, clocks: ClockModel, timeline: Timeline
) -> Attribution | None:
    """The verdict on every ping lost since the migration was asked for; None for a run without captures."""
    if not evidence.captures:
        return None
    doubts: list[tuple[str, str]] = []
    streams: list[StreamAttribution] = []
    stale: list[float] = []
    for ping, ip_bytes in ((evidence.ping, COARSE_IP_BYTES), (evidence.ping_fine, FINE_IP_BYTES)):
        if ping is not None:
            court = Court(run, evidence, clocks, timeline, ping, ip_bytes)
            streams.append(_stream(court, ping, timeline))
            doubts += court.doubts
            stale += court.stale_seconds()
    resumed = timeline.destination_resumed
    announced = {moment.name: moment.time for moment in timeline.moments}

    def after_resume(name: str) -> float | None:
        return announced[name] - resumed if resumed is not None and name in announced else None

    return Attribution(
        coarse=streams[0],
        fine=streams[1] if len(streams) > 1 else None,
        stale_seconds=max(stale, default=None),
        announced_at_tap_seconds=after_resume(ANNOUNCED_AT_TAP),
        announced_at_uplink_seconds=after_resume(ANNOUNCED_AT_UPLINK),
        doubts=tuple(dict.fromkeys(doubts)),
    )


def tally(lost: Sequence[LostPing]) -> Mapping[Cause, Tally]:
    """Count and time by cause. Neighbours of one cause are one piece: n of them last n to n + 1 periods."""
    pieces: dict[Cause, list[list[float]]] = {}
    previous: LostPing | None = None
    for ping in lost:
        follows = previous is not None and ping.sequence == previous.sequence + 1
        if previous is None or not follows or ping.cause is not previous.cause:
            pieces.setdefault(ping.cause, []).append([])
        pieces[ping.cause][-1].append(ping.seconds)
        previous = ping
    return {
        cause: Tally(sum(len(piece) for piece in pieces[cause]), interval_of(pieces[cause]))
        for cause in Cause
        if cause in pieces
    }


def _stream(court: Court, ping: PingLog, timeline: Timeline) -> StreamAttribution:
    lost: list[LostPing] = []
    after_end: list[LostPing] = []
    columns = (ping.lost.tolist(), ping.lost_sent_at.tolist(), local_periods(ping).tolist())
    for sequence, by_log, seconds in zip(*columns, strict=True):
        sent_at = court.sent_at(sequence, by_log)
        phase = timeline.phase_at(sent_at)
        if phase == "before":
            continue
        late, cause, reason = court.verdict(sequence, sent_at)
        record = LostPing(sequence, sent_at, seconds, phase, cause, reason, court.evidence_of(sequence))
        (after_end if late else lost).append(record)
    resumed = timeline.destination_resumed if timeline.destination_resumed is not None else math.inf
    during = ping.answered_sent_at >= timeline.requested
    slow = ping.answered[during & (ping.round_trip_seconds > ping.period_seconds)]
    return StreamAttribution(
        period_seconds=ping.period_seconds,
        lost=tuple(lost),
        answered_after_end=tuple(after_end),
        tallies=tally(lost),
        after_resume=Counter(ping.cause for ping in lost if ping.sent_at >= resumed),
        late=len(slow),
        late_in_guest=int(np.count_nonzero(court.answer_seconds(slow) > ping.period_seconds)),
        late_after_end=len(after_end),
    )
