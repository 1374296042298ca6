"""Measures one run: its evidence is judged, put on one clock, and read for every metric."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.evidence.errors import EvidenceError
from analysis.evidence.logs import Evidence
from analysis.evidence.ping import PingLog
from analysis.run.attribution import Attribution, attribute
from analysis.run.clock import ClockModel, clock_model
from analysis.run.consistency import (
    capture_doubts,
    check_clocks,
    check_consistency,
    check_driver,
    event_doubts,
    log_doubts,
    trusted_fine_ping,
)
from analysis.run.metrics import MetricInputs, RunMetrics
from analysis.run.nova_logs import trusted_nova_logs
from analysis.run.outage import Outage, measure_outage
from analysis.run.pinger import without_removal
from analysis.run.slowdown import Slowdown, measure_slowdown
from analysis.run.timeline import Timeline, build_timeline
from analysis.run.traffic import Traffic, Wire, wire_of
from contract.evidence import DESTINATION_NIC, PING, SOURCE_NIC
from contract.records import LabRecord, RunRecord, Spec


@dataclass(frozen=True)
class Measured:
    """Everything that one run's evidence yields. `doubts`: (file, what is wrong with it)."""

    spec: Spec
    metrics: RunMetrics
    timeline: Timeline
    wire: Wire
    ping: PingLog
    ping_fine: PingLog | None
    outage: Outage
    fine_outage: Outage | None
    longest_sample_gap_seconds: float
    clocks: ClockModel
    attribution: Attribution | None
    slowdown: Slowdown | None
    doubts: tuple[tuple[str, str], ...]


def measure_run(run: RunRecord, evidence: Evidence, lab: LabRecord) -> Measured:
    """Compute all metrics of one run that migrated (`run.driver` is there)."""
    check_driver(run, evidence)
    evidence = without_removal(run, evidence)
    evidence, nova_doubts = trusted_nova_logs(run, evidence, lab)
    clocks = clock_model(run, lab, evidence.exchanges)
    check_clocks(run, clocks)
    wire = wire_of(run, evidence, clocks, lab)
    timeline = build_timeline(run, evidence, wire, clocks)
    _check_coverage(run, evidence, clocks, wire, timeline)
    check_consistency(run, evidence, clocks, wire, timeline)
    evidence, fine_doubts = trusted_fine_ping(run, evidence, clocks, timeline)
    attribution = slowdown = None
    if clocks.known(run.source, run.destination, run.prober):
        attribution = attribute(run, evidence, clocks, timeline)
    outage = measure_outage(evidence.ping, timeline, attribution.coarse.phases if attribution else None)
    fine = None
    if evidence.ping_fine is not None:
        judged = attribution.fine.phases if attribution and attribution.fine else None
        fine = measure_outage(evidence.ping_fine, timeline, judged)
    if timeline.clocks_known:
        slowdown = measure_slowdown(run, evidence.progress, clocks, timeline)
    inputs = MetricInputs(run, evidence, lab, clocks, wire, timeline, outage, fine, attribution, slowdown)
    return Measured(
        spec=run.spec,
        metrics=RunMetrics.read(inputs),
        timeline=timeline,
        wire=wire,
        ping=evidence.ping,
        ping_fine=evidence.ping_fine,
        outage=outage,
        fine_outage=fine,
        longest_sample_gap_seconds=_longest_gap(wire.source_sent, timeline),
        clocks=clocks,
        attribution=attribution,
        slowdown=slowdown,
        doubts=(
            *nova_doubts,
            *fine_doubts,
            *evidence.doubts,
            *_counter_doubts(run, wire),
            *event_doubts(run, evidence, clocks, timeline),
            *capture_doubts(run, evidence, clocks, timeline),
            *log_doubts(run, evidence, timeline),
        ),
    )


def _check_coverage(
    run: RunRecord, evidence: Evidence, clocks: ClockModel, wire: Wire, timeline: Timeline
) -> None:
    """Raise EvidenceError unless every probe whose clock is known ran from before until after it."""
    for file, traffic in (
        (SOURCE_NIC.path, wire.source_sent),
        (DESTINATION_NIC.path, wire.destination_received),
    ):
        shown = float(traffic.time[-1]) - timeline.completed
        if traffic.coarse and 0 <= shown < traffic.settle_seconds:
            what = (
                f"counters are renewed once in {traffic.resolution_seconds:.1f} s and end {shown:.1f} s after"
            )
            raise EvidenceError(file, None, f"{what} the migration: nothing shows its last bytes")
    spans = {
        SOURCE_NIC.path: (run.source, wire.source_sent.time),
        DESTINATION_NIC.path: (run.destination, wire.destination_sent.time),
        PING.path: (run.prober, evidence.ping.answered_sent_at),
    }
    for file, (node, times) in spans.items():
        if not clocks.known(node, run.source):
            continue
        if times[0] > timeline.requested:
            raise EvidenceError(
                file, None, f"begins {times[0] - timeline.requested:.1f} s after the migration"
            )
        last = evidence.ping.ended_at if file == PING.path else float(times[-1])
        if last < timeline.completed:
            raise EvidenceError(
                file, None, f"ends {timeline.completed - last:.1f} s before the migration: cut off"
            )


def _counter_doubts(run: RunRecord, wire: Wire) -> Iterator[tuple[str, str]]:
    """(file, what its counters cannot show), one for both hosts."""
    coarse = {
        file.path: traffic.resolution_seconds
        for file, traffic in ((SOURCE_NIC, wire.source_sent), (DESTINATION_NIC, wire.destination_received))
        if traffic.coarse
    }
    unknown = ["the border by reverse traffic, the last page asked for"]
    if SOURCE_NIC.path in coarse:
        unknown.insert(0, "the start of the bytes, link use")
    if coarse:
        both = f" ({DESTINATION_NIC.path} too)" if len(coarse) > 1 else ""
        yield (
            next(iter(coarse)),
            f"counters are renewed only once in {max(coarse.values()):.1f} s{both}: totals are read once "
            f"they stand still; {', '.join(unknown)} are unknown",
        )
    elif wire.header_bytes is None and run.has_postcopy:
        yield (
            DESTINATION_NIC.path,
            "does not show the size of a bare acknowledgement (54 to 118 bytes): the border by reverse "
            "traffic and the last page asked for are unknown",
        )


def _longest_gap(traffic: Traffic, timeline: Timeline) -> float:
    during = (traffic.time >= timeline.requested) & (traffic.time <= timeline.completed)
    return float(np.diff(traffic.time[during]).max(initial=0.0))
