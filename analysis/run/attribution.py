"""Outage attribution: for each lost ping, where it was lost, with the packets that show it.

A request passes the prober's interface, the host's uplink and the guest's tap; the answer goes back the same
way. Five captures see it pass or not; classifier.py judges each ping by them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.evidence.logs import Evidence
from analysis.evidence.ping import PingLog
from analysis.run.causes import STOPPED_CAUSES, Cause
from analysis.run.classifier import Classifier
from analysis.run.clock import ClockModel
from analysis.run.outage import Requests, phase_of_lost, usual_answer_seconds
from analysis.run.timeline import UNKNOWN_PHASE, Timeline
from analysis.stats.intervals import Interval
from contract.records import RunRecord

# Length of the IP packets of the two pings: 56 and 16 bytes behind 20 of IP and 8 of ICMP.
COARSE_IP_BYTES, FINE_IP_BYTES = 84, 44
# What they are called: by the period that they are asked for.
COARSE, FINE = "100 ms", "10 ms"


@dataclass(frozen=True, slots=True)
class LostPing:
    """One lost ping with its verdict.

    `sent_at`: epoch seconds of the prober's clock; `phase`: the one that took it (outage.py).
    """

    sequence: int
    sent_at: float
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
    more than a period; `late_in_guest`: those that took it between tap and tap; `answered_after_end`: lost to
    ping only because it had been stopped when the answer came.
    """

    period_seconds: float
    lost: tuple[LostPing, ...]
    answered_after_end: tuple[LostPing, ...]
    tallies: Mapping[Cause, Tally]
    after_resume: Mapping[Cause, int]
    late: int
    late_in_guest: int

    @property
    def phases(self) -> Mapping[int, str]:
        """The phase that took each ping without an answer, by its number."""
        return {ping.sequence: ping.phase for ping in (*self.lost, *self.answered_after_end)}


@dataclass(frozen=True)
class Attribution:
    """All of one run. Seconds after the destination's resume (negative: before), None where not seen.

    `stale_seconds`: until the last request that still went to the source, 0 if none did after the resume.
    `doubts`: (file, what is wrong with it).
    """

    coarse: StreamAttribution
    fine: StreamAttribution | None
    stale_seconds: float | None
    announced_seconds: float | None
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
            classifier = Classifier(run, evidence, clocks, timeline, ping, ip_bytes)
            streams.append(_stream(classifier, ping, timeline))
            doubts += classifier.doubts
            stale += classifier.stale_seconds()
    resumed = timeline.destination_resumed
    announced = timeline.announced
    return Attribution(
        coarse=streams[0],
        fine=streams[1] if len(streams) > 1 else None,
        stale_seconds=max(stale, default=None),
        announced_seconds=None if resumed is None or announced is None else announced - resumed,
        doubts=tuple(dict.fromkeys(doubts)),
    )


def tally(lost: Sequence[LostPing], requests: Requests, since: float = -math.inf) -> Mapping[Cause, Tally]:
    """Count and time by cause. Neighbours of one cause are one piece: n last n - 1 to n + 1 periods."""
    pieces: dict[Cause, list[list[LostPing]]] = {}
    previous: LostPing | None = None
    for ping in lost:
        follows = previous is not None and ping.sequence == previous.sequence + 1
        if previous is None or not follows or ping.cause is not previous.cause:
            pieces.setdefault(ping.cause, []).append([])
        pieces[ping.cause][-1].append(ping)
        previous = ping
    tallies = {}
    for cause in Cause:
        if cause in pieces:
            times = [requests.gap(p[0].sequence, p[-1].sequence).within(since) for p in pieces[cause]]
            seconds = Interval(sum(time.low for time in times), sum(time.high for time in times))
            tallies[cause] = Tally(sum(len(piece) for piece in pieces[cause]), seconds)
    return tallies


def _stream(classifier: Classifier, ping: PingLog, timeline: Timeline) -> StreamAttribution:
    lost: list[LostPing] = []
    after_end: list[LostPing] = []
    usual = usual_answer_seconds(ping, timeline)
    by_log = zip(ping.lost.tolist(), ping.lost_sent_at.tolist(), strict=True)
    sent = [classifier.sent_at(sequence, logged) for sequence, logged in by_log]
    for sequence, sent_at in zip(ping.lost.tolist(), sent, strict=True):
        if sent_at < timeline.counted_since:
            continue
        late, cause, reason = classifier.verdict(sequence, sent_at)
        phase = phase_of_lost(timeline, sent_at, usual)
        if cause is Cause.SWITCHOVER or (cause in STOPPED_CAUSES and phase in ("setup", "precopy")):
            phase = "switchover"
        record = LostPing(sequence, sent_at, phase, cause, reason, classifier.evidence_of(sequence))
        (after_end if late else lost).append(record)
    resumed = timeline.destination_resumed if timeline.destination_resumed is not None else math.inf
    during = ping.answered_sent_at >= timeline.requested
    slow = ping.answered[during & (ping.round_trip_seconds > ping.period_seconds)]
    return StreamAttribution(
        period_seconds=ping.period_seconds,
        lost=tuple(lost),
        answered_after_end=tuple(after_end),
        tallies=tally(lost, Requests(ping, np.array(sent)), timeline.counted_since),
        # Where nobody noted when the guest resumed, its lost pings may have come after that.
        after_resume=Counter(
            ping.cause for ping in lost if ping.sent_at >= resumed or ping.phase == UNKNOWN_PHASE
        ),
        late=len(slow),
        late_in_guest=int(np.count_nonzero(classifier.answer_seconds(slow) > ping.period_seconds)),
    )
