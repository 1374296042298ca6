"""The figures of one run, each with the source it was read from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import numpy as np

from analysis.evidence.errors import EvidenceError
from analysis.evidence.lines import is_number
from analysis.evidence.logs import Evidence
from analysis.evidence.ping import PingLog
from analysis.evidence.records import LabRecord, RunRecord, Spec
from analysis.run.attribution import Attribution, attribute
from analysis.run.clock import ClockModel, clock_model
from analysis.run.consistency import (
    capture_doubts,
    check_clocks,
    check_consistency,
    check_driver,
    event_doubts,
    log_doubts,
)
from analysis.run.nova_logs import trusted_nova_logs
from analysis.run.outage import Outage, measure_outage
from analysis.run.slowdown import Slowdown, measure_slowdown
from analysis.run.timeline import PHASES, UNKNOWN_PHASE, Timeline, build_timeline
from analysis.run.traffic import Traffic, Wire, first_activity, last_activity, wire_of


@dataclass(frozen=True)
class Reading:
    """One quantity as one source gives it."""

    quantity: str
    source: str
    value: float
    unit: str


class Direction(StrEnum):
    """Which way of a figure is better. Neither: it describes the load, the lab or the course of a run."""

    LOWER = "lower is better"
    HIGHER = "higher is better"
    NEITHER = "neither is better"


_DIRECTION = "direction"
LOWER = {_DIRECTION: Direction.LOWER}
HIGHER = {_DIRECTION: Direction.HIGHER}
NEITHER = {_DIRECTION: Direction.NEITHER}


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What one run measured; None where the source does not have it. Seconds, bytes, bits per second.

    Every figure says which way is better, see `direction_of`.
    """

    converged: bool = field(metadata=HIGHER)
    migration_seconds: float = field(metadata=LOWER)
    migration_seconds_libvirt: float | None = field(metadata=LOWER)
    migration_seconds_events: float | None = field(metadata=LOWER)
    migration_seconds_wire: float | None = field(metadata=LOWER)
    migration_seconds_nova_logs: float | None = field(metadata=LOWER)
    migration_seconds_nova_record: float | None = field(metadata=LOWER)
    nova_share_seconds: float | None = field(metadata=LOWER)
    setup_seconds: float | None = field(metadata=LOWER)
    precopy_seconds: float | None = field(metadata=LOWER)
    switch_seconds: float | None = field(metadata=LOWER)
    postcopy_seconds: float | None = field(metadata=LOWER)
    first_pass_seconds: float | None = field(metadata=LOWER)
    border_by_events_seconds: float | None = field(metadata=NEITHER)
    border_by_traffic_seconds: float | None = field(metadata=NEITHER)
    borders_agree: bool | None = field(metadata=HIGHER)
    clock_uncertainty_seconds: float | None = field(metadata=LOWER)
    downtime_seconds: float | None = field(metadata=LOWER)
    downtime_seconds_libvirt: float | None = field(metadata=LOWER)
    ping_lost: int = field(metadata=LOWER)
    ping_outage_low_seconds: float = field(metadata=LOWER)
    ping_outage_high_seconds: float = field(metadata=LOWER)
    ping_longest_low_seconds: float = field(metadata=LOWER)
    ping_longest_high_seconds: float = field(metadata=LOWER)
    ping_lost_precopy: int | None = field(metadata=LOWER)
    ping_lost_switch: int | None = field(metadata=LOWER)
    ping_lost_postcopy: int | None = field(metadata=LOWER)
    ping_lost_after: int | None = field(metadata=LOWER)
    ping_lost_before: int = field(metadata=LOWER)
    ping_lost_unknown: int = field(metadata=LOWER)
    ping_undecided: int = field(metadata=LOWER)
    ping_postcopy_low_seconds: float | None = field(metadata=LOWER)
    ping_postcopy_high_seconds: float | None = field(metadata=LOWER)
    ping_switch_high_seconds: float | None = field(metadata=LOWER)
    ping_late: int = field(metadata=LOWER)
    ping_longest_round_trip_seconds: float = field(metadata=LOWER)
    ping_period_seconds: float = field(metadata=LOWER)
    fine_period_seconds: float | None = field(metadata=LOWER)
    fine_outage_low_seconds: float | None = field(metadata=LOWER)
    fine_outage_high_seconds: float | None = field(metadata=LOWER)
    forward_bytes: float = field(metadata=LOWER)
    forward_bytes_received: float = field(metadata=LOWER)
    backward_bytes: float = field(metadata=LOWER)
    backward_bytes_received: float = field(metadata=LOWER)
    forward_bytes_libvirt: float | None = field(metadata=LOWER)
    iterations: float | None = field(metadata=NEITHER)
    page_requests: float | None = field(metadata=LOWER)
    dirty_rate_bytes_per_second: float | None = field(metadata=NEITHER)
    rate_bits_per_second: float = field(metadata=HIGHER)
    rate_bits_per_second_libvirt: float | None = field(metadata=HIGHER)
    link_rate_bits_per_second: float = field(metadata=HIGHER)
    link_wire_rate_bits_per_second: float = field(metadata=HIGHER)
    link_rate_measured: bool = field(metadata=NEITHER)
    link_use: float | None = field(metadata=HIGHER)
    link_use_whole: float = field(metadata=HIGHER)
    bound_bytes: float = field(metadata=NEITHER)
    bound_seconds: float = field(metadata=NEITHER)
    announced_seconds: float | None = field(metadata=LOWER)
    network_stale_seconds: float | None = field(metadata=LOWER)
    last_page_seconds: float | None = field(metadata=LOWER)
    guest_speed_precopy: float | None = field(metadata=HIGHER)
    guest_speed_postcopy: float | None = field(metadata=HIGHER)
    guest_standstill_seconds: float | None = field(metadata=LOWER)
    blocktime_seconds: float | None = field(metadata=LOWER)
    blocktime_vcpu_seconds: float | None = field(metadata=LOWER)


_FIELDS = {item.name: item for item in fields(RunFigures)}


def direction_of(figure: str) -> Direction:
    """Which way of a field of RunFigures is better. KeyError for a name that is none."""
    return Direction(_FIELDS[figure].metadata[_DIRECTION])


@dataclass(frozen=True)
class Measured:
    """Everything that one run's evidence yields. `doubts`: (file, what is wrong with it)."""

    spec: Spec
    figures: RunFigures
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
    """Compute all figures of one run that migrated (`run.driver` is there)."""
    check_driver(run, evidence)
    evidence, nova_doubts = trusted_nova_logs(run, evidence, lab)
    clocks = clock_model(run, lab, evidence.exchanges)
    check_clocks(run, clocks)
    wire = wire_of(run, evidence, clocks, lab)
    timeline = build_timeline(run, evidence, wire, clocks)
    _check_coverage(run, evidence, clocks, wire, timeline)
    check_consistency(run, evidence, clocks, wire, timeline)
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
    figures = _figures(run, evidence, lab, clocks, wire, timeline, outage, fine, attribution, slowdown)
    return Measured(
        spec=run.spec,
        figures=figures,
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
            *evidence.doubts,
            *_counter_doubts(run, wire),
            *event_doubts(run, evidence, clocks, timeline),
            *capture_doubts(run, evidence, clocks, timeline),
            *log_doubts(run, evidence, timeline),
        ),
    )


def readings(figures: RunFigures) -> tuple[Reading, ...]:
    """The quantities that several sources give, to be held against each other."""
    rows = [
        ("migration time", "driver (wall clock)", figures.migration_seconds, "s"),
        ("migration time", "libvirt (time_elapsed)", figures.migration_seconds_libvirt, "s"),
        (
            "migration time",
            "events (request to source stopped for good)",
            figures.migration_seconds_events,
            "s",
        ),
        ("migration time", "wire (first to last byte)", figures.migration_seconds_wire, "s"),
        (
            "migration time",
            "nova's logs (destination's first line to source's last)",
            figures.migration_seconds_nova_logs,
            "s",
        ),
        (
            "migration time",
            "nova's migration record (whole seconds)",
            figures.migration_seconds_nova_record,
            "s",
        ),
        ("nova's share", "driver less libvirt", figures.nova_share_seconds, "s"),
        ("transferred forward", "wire, source sent", figures.forward_bytes, "bytes"),
        ("transferred forward", "wire, destination received", figures.forward_bytes_received, "bytes"),
        ("transferred forward", "QEMU (RAM processed)", figures.forward_bytes_libvirt, "bytes"),
        ("transferred backward", "wire, destination sent", figures.backward_bytes, "bytes"),
        ("transferred backward", "wire, source received", figures.backward_bytes_received, "bytes"),
        (
            "downtime (hypervisor)",
            "events (source stopped to destination resumed)",
            figures.downtime_seconds,
            "s",
        ),
        ("downtime (hypervisor)", "libvirt (downtime)", figures.downtime_seconds_libvirt, "s"),
        ("ping outage, at least", "ping, 0.1 s", figures.ping_outage_low_seconds, "s"),
        ("ping outage, at least", "ping, 0.01 s", figures.fine_outage_low_seconds, "s"),
        ("ping outage, at most", "ping, 0.1 s", figures.ping_outage_high_seconds, "s"),
        ("ping outage, at most", "ping, 0.01 s", figures.fine_outage_high_seconds, "s"),
        ("rate", "wire", figures.rate_bits_per_second, "bit/s"),
        ("rate", "QEMU (last report)", figures.rate_bits_per_second_libvirt, "bit/s"),
        ("start of post-copy", "events (destination resumed)", figures.border_by_events_seconds, "s"),
        ("start of post-copy", "reverse traffic", figures.border_by_traffic_seconds, "s"),
    ]
    return tuple(
        Reading(name, source, value, unit) for name, source, value, unit in rows if value is not None
    )


def _figures(
    run: RunRecord,
    evidence: Evidence,
    lab: LabRecord,
    clocks: ClockModel,
    wire: Wire,
    timeline: Timeline,
    outage: Outage,
    fine: Outage | None,
    attribution: Attribution | None,
    slowdown: Slowdown | None,
) -> RunFigures:
    spec, driver, block_time = run.spec, run.driver, evidence.block_time
    assert driver is not None  # build_timeline refuses a run without one
    job = _completed_job(evidence) or evidence.source_job.last
    # Where the driver did not say when it was done, the events do, else the run's own end.
    ended = driver.finished_at
    seconds = timeline.completed - timeline.requested if ended is None else ended - driver.requested_at
    start, end = timeline.requested, timeline.completed
    known = clocks.known(run.source, run.destination)
    there = (start, end) if known else (-math.inf, math.inf)

    def lost_in(*phases: str) -> int | None:
        if not clocks.known(run.source, run.destination, run.prober):
            return None
        return sum(outage.lost_by_phase.get(phase, 0) for phase in phases)

    bordered = known and timeline.clocks_known
    in_switch = outage.by_phase.get("switch") if bordered else None
    in_postcopy = outage.by_phase.get("postcopy") if bordered else None
    forward = wire.source_sent.total(start, end)
    busy = start, end + wire.source_sent.settle_seconds, spec.link_rate_bits_per_second
    first, last = first_activity(wire.source_sent, *busy), last_activity(wire.source_sent, *busy)
    active_seconds = last - first if first is not None and last is not None and last > first else None
    # A measured rate is of a TCP stream's payload, a configured one of what passes on the wire.
    measured_rate = lab.measured_rate(run.source, run.destination, spec.link_rate_bits_per_second)
    wire_rate = measured_rate / wire.payload_share if measured_rate else spec.link_rate_bits_per_second
    link_rate = wire_rate * wire.payload_share
    active_rate = (
        wire.source_sent.bytes_between(first, last) * 8 / active_seconds
        if active_seconds and first is not None and last is not None
        else None
    )
    stopped_for_good = _stopped_for_good(evidence, run, clocks)
    return RunFigures(
        converged=timeline.converged,
        migration_seconds=seconds,
        migration_seconds_libvirt=_scaled(job, "time_elapsed", 1e-3) if timeline.converged else None,
        migration_seconds_events=stopped_for_good - timeline.requested if stopped_for_good else None,
        migration_seconds_wire=active_seconds,
        migration_seconds_nova_logs=_nova_log_seconds(evidence, run, clocks),
        migration_seconds_nova_record=run.nova_record_seconds,
        nova_share_seconds=_nova_share(run, job, timeline),
        setup_seconds=None if wire.source_sent.coarse else timeline.seconds_of("setup"),
        precopy_seconds=None if wire.source_sent.coarse else timeline.seconds_of("precopy"),
        switch_seconds=timeline.seconds_of("switch") if known else None,
        postcopy_seconds=timeline.seconds_of("postcopy"),
        first_pass_seconds=_since(timeline.first_pass_done, timeline.requested),
        border_by_events_seconds=_since(timeline.destination_resumed, timeline.requested)
        if spec.mode.whole_passes
        else None,
        border_by_traffic_seconds=_since(timeline.border_by_traffic, timeline.requested),
        borders_agree=timeline.borders_agree,
        clock_uncertainty_seconds=timeline.clock_uncertainty_seconds if known else None,
        downtime_seconds=timeline.seconds_of("switch") if timeline.destination_resumed is not None else None,
        downtime_seconds_libvirt=_scaled(job, "downtime", 1e-3) if timeline.converged else None,
        ping_lost=outage.lost,
        ping_outage_low_seconds=outage.total.low,
        ping_outage_high_seconds=outage.total.high,
        ping_longest_low_seconds=outage.longest.low,
        ping_longest_high_seconds=outage.longest.high,
        ping_lost_precopy=lost_in("setup", "precopy"),
        ping_lost_switch=lost_in("switch"),
        ping_lost_postcopy=lost_in("postcopy"),
        ping_lost_after=lost_in("completion", "after"),
        ping_lost_before=outage.lost_before,
        ping_lost_unknown=outage.lost_by_phase.get(UNKNOWN_PHASE, 0),
        ping_undecided=len(evidence.ping.undecided_sent_at),
        ping_postcopy_low_seconds=in_postcopy.low if in_postcopy else None,
        ping_postcopy_high_seconds=in_postcopy.high if in_postcopy else None,
        ping_switch_high_seconds=in_switch.high if in_switch else None,
        ping_late=outage.late,
        ping_longest_round_trip_seconds=outage.longest_round_trip_seconds,
        ping_period_seconds=evidence.ping.kept_period_seconds,
        fine_period_seconds=evidence.ping_fine.kept_period_seconds if evidence.ping_fine else None,
        fine_outage_low_seconds=fine.total.low if fine else None,
        fine_outage_high_seconds=fine.total.high if fine else None,
        forward_bytes=forward,
        # Without a common clock all that passed while the probes ran.
        forward_bytes_received=wire.destination_received.total(*there),
        backward_bytes=wire.destination_sent.total(*there),
        backward_bytes_received=wire.source_received.total(start, end),
        forward_bytes_libvirt=_scaled(job, "memory_processed", 1)
        if timeline.converged
        else _greatest(evidence.source_job.memory_processed_bytes),
        iterations=_scaled(job, "memory_iteration", 1) or _greatest(evidence.source_job.iteration),
        page_requests=_scaled(job, "memory_postcopy_requests", 1),
        dirty_rate_bytes_per_second=_dirty_rate(evidence),
        rate_bits_per_second=forward * 8 / seconds if seconds > 0 else 0.0,
        rate_bits_per_second_libvirt=_scaled(job, "memory_bps", 8),
        link_rate_bits_per_second=link_rate,
        link_wire_rate_bits_per_second=wire_rate,
        link_rate_measured=measured_rate is not None,
        link_use=active_rate / wire_rate if active_rate is not None else None,
        link_use_whole=forward * 8 / seconds / wire_rate if seconds > 0 else 0.0,
        bound_bytes=2.0 * spec.ram_bytes,
        bound_seconds=2.0 * spec.ram_bytes * 8 / link_rate,
        announced_seconds=_announced_seconds(attribution),
        network_stale_seconds=attribution.stale_seconds if attribution else None,
        last_page_seconds=_since(timeline.last_page_requested, timeline.requested),
        guest_speed_precopy=slowdown.speed("precopy") if slowdown else None,
        guest_speed_postcopy=slowdown.speed("postcopy") if slowdown else None,
        guest_standstill_seconds=slowdown.standing_seconds(*PHASES, UNKNOWN_PHASE) if slowdown else None,
        blocktime_seconds=block_time.all_vcpus_seconds if block_time else None,
        blocktime_vcpu_seconds=max(block_time.vcpu_seconds, default=None) if block_time else None,
    )


def _check_coverage(
    run: RunRecord, evidence: Evidence, clocks: ClockModel, wire: Wire, timeline: Timeline
) -> None:
    """Raise EvidenceError unless every probe whose clock is known ran from before until after it."""
    for file, traffic in (
        ("source/nic.jsonl", wire.source_sent),
        ("destination/nic.jsonl", wire.destination_received),
    ):
        shown = float(traffic.time[-1]) - timeline.completed
        if traffic.coarse and 0 <= shown < traffic.settle_seconds:
            what = (
                f"counters are renewed once in {traffic.resolution_seconds:.1f} s and end {shown:.1f} s after"
            )
            raise EvidenceError(file, None, f"{what} the migration: nothing shows its last bytes")
    spans = {
        "source/nic.jsonl": (run.source, wire.source_sent.time),
        "destination/nic.jsonl": (run.destination, wire.destination_sent.time),
        "prober/ping.log": (run.prober, evidence.ping.answered_sent_at),
    }
    for file, (node, times) in spans.items():
        if not clocks.known(node, run.source):
            continue
        if times[0] > timeline.requested:
            raise EvidenceError(
                file, None, f"begins {times[0] - timeline.requested:.1f} s after the migration"
            )
        last = evidence.ping.ended_at if file == "prober/ping.log" else float(times[-1])
        if last < timeline.completed:
            raise EvidenceError(
                file, None, f"ends {timeline.completed - last:.1f} s before the migration: cut off"
            )


def _counter_doubts(run: RunRecord, wire: Wire) -> Iterator[tuple[str, str]]:
    """(file, what its counters cannot show), one for both hosts."""
    coarse = {
        f"{host}/nic.jsonl": traffic.resolution_seconds
        for host, traffic in (("source", wire.source_sent), ("destination", wire.destination_received))
        if traffic.coarse
    }
    unknown = ["the border by reverse traffic, the last page asked for"]
    if "source/nic.jsonl" in coarse:
        unknown.insert(0, "the start of the bytes, link use")
    if coarse:
        both = " (destination/nic.jsonl too)" if len(coarse) > 1 else ""
        yield (
            next(iter(coarse)),
            f"counters are renewed only once in {max(coarse.values()):.1f} s{both}: totals are read once "
            f"they stand still; {', '.join(unknown)} are unknown",
        )
    elif wire.header_bytes is None and run.spec.mode.has_postcopy:
        yield (
            "destination/nic.jsonl",
            "does not show the size of a bare acknowledgement (54 to 118 bytes): the border by reverse "
            "traffic and the last page asked for are unknown",
        )


def _longest_gap(traffic: Traffic, timeline: Timeline) -> float:
    during = (traffic.time >= timeline.requested) & (traffic.time <= timeline.completed)
    return float(np.diff(traffic.time[during]).max(initial=0.0))


def _completed_job(evidence: Evidence) -> Mapping[str, Any] | None:
    return next(
        (event.job for event in evidence.source_events if event.kind == "job-completed" and event.job), None
    )


def _stopped_for_good(evidence: Evidence, run: RunRecord, clocks: ClockModel) -> float | None:
    times = [
        clocks.on_prober(run.source, event.time) for event in evidence.source_events if event.stopped_for_good
    ]
    return times[0] if times else None


def _dirty_rate(evidence: Evidence) -> float | None:
    """The highest dirty rate that QEMU reported, in bytes per second (pages of 4096 bytes)."""
    page = evidence.source_job.last.get("memory_page_size")
    highest = _greatest(evidence.source_job.dirty_rate_pages_per_second)
    return None if highest is None else highest * (page if is_number(page) else 4096)


def _greatest(values: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    return None if len(values) == 0 or bool(np.all(np.isnan(values))) else float(np.nanmax(values))


def _scaled(job: Mapping[str, Any], key: str, factor: float) -> float | None:
    value = job.get(key)
    return value * factor if is_number(value) else None


def _announced_seconds(attribution: Attribution | None) -> float | None:
    """From the guest's resume to its announcement where that leaves the host, else at its tap."""
    if attribution is None:
        return None
    uplink, tap = attribution.announced_at_uplink_seconds, attribution.announced_at_tap_seconds
    return tap if uplink is None else uplink


def _since(moment: float | None, start: float) -> float | None:
    return None if moment is None else moment - start


def _nova_log_seconds(evidence: Evidence, run: RunRecord, clocks: ClockModel) -> float | None:
    """As the article measured: from the destination's first line of the migration to the source's last."""
    begins = evidence.destination_nova.marks.get("destination_begins") if evidence.destination_nova else None
    ends = evidence.source_nova.marks.get("source_ends") if evidence.source_nova else None
    if begins is None or ends is None or not clocks.known(run.source, run.destination):
        return None
    return clocks.on_prober(run.source, ends) - clocks.on_prober(run.destination, begins)


def _nova_share(run: RunRecord, job: Mapping[str, Any], timeline: Timeline) -> float | None:
    """What nova adds: from its API's answer to its record's end, less libvirt's own time of the migration."""
    libvirt_seconds = _scaled(job, "time_elapsed", 1e-3)
    if run.nova_ended_at is None or run.driver is None or libvirt_seconds is None or not timeline.converged:
        return None
    return run.nova_ended_at - run.driver.requested_at - libvirt_seconds
