"""The metrics of one run: one entry each, with its unit, source, definition and the function that reads it.

To add one, write an entry in RunMetrics. The CSV files, the report's definitions and sources, `compare` and
`predict` read METRICS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Generic, Self, TypeVar, overload

import numpy as np

from analysis.evidence.lines import is_number
from analysis.evidence.logs import Evidence
from analysis.run.attribution import Attribution
from analysis.run.clock import ClockModel
from analysis.run.formatter import (
    BITS_PER_SECOND,
    BYTES,
    BYTES_PER_SECOND,
    COUNT,
    MILLISECONDS,
    PINGS,
    RATIO,
    SECONDS,
    YES_NO,
    Formatter,
    Unit,
)
from analysis.run.outage import Outage
from analysis.run.slowdown import Slowdown
from analysis.run.timeline import PHASES, UNKNOWN_PHASE, Timeline
from analysis.run.traffic import Wire, first_activity, last_activity
from analysis.stats.intervals import Interval
from contract.evidence import LAB_FILE
from contract.records import LabRecord, RunRecord

Value = bool | int | float | None
T = TypeVar("T", bound=Value)


class Direction(StrEnum):
    """Which way of a metric is better. Neither: it describes the load, the lab or the course of a run."""

    LOWER = "lower is better"
    HIGHER = "higher is better"
    NEITHER = "neither is better"


LOWER, HIGHER, NEITHER = Direction.LOWER, Direction.HIGHER, Direction.NEITHER


class Quantity(StrEnum):
    """What several sources give, in the order in which the report holds them against each other."""

    MIGRATION_TIME = "migration time"
    NOVA_SHARE = "nova's share"
    FORWARD = "transferred forward"
    BACKWARD = "transferred backward"
    DOWNTIME = "downtime (hypervisor)"
    LEAST_OUTAGE = "ping outage, at least"
    MOST_OUTAGE = "ping outage, at most"
    RATE = "rate"
    POSTCOPY_START = "start of post-copy"


@dataclass(frozen=True)
class MetricInputs:
    """What was read and found out about one run; every metric's function takes it.

    Times are seconds on the prober's clock.
    """

    run: RunRecord
    evidence: Evidence
    lab: LabRecord
    clocks: ClockModel
    wire: Wire
    timeline: Timeline
    outage: Outage
    fine_outage: Outage | None
    attribution: Attribution | None
    slowdown: Slowdown | None

    @cached_property
    def seconds(self) -> float:
        """Migration time by the driver; by the events, else the run's end, where it did not see the end."""
        driver = self.run.driver
        assert driver is not None  # build_timeline refuses a run without one
        if driver.finished_at is None:
            return self.timeline.completed - self.timeline.requested
        return driver.finished_at - driver.requested_at

    @cached_property
    def job(self) -> Mapping[str, Any]:
        """libvirt's statistics of the completed job, else its last ones."""
        events = self.evidence.source_events
        completed = (event.job for event in events if event.kind == "job-completed" and event.job)
        return next(completed, None) or self.evidence.source_job.last

    def of_job(self, key: str, factor: float = 1) -> float | None:
        """A number of the job's statistics times the factor; None where there is none."""
        value = self.job.get(key)
        return value * factor if is_number(value) else None

    def of_converged_job(self, key: str, factor: float = 1) -> float | None:
        """The same, None of a migration that was aborted: its last numbers are no result."""
        return self.of_job(key, factor) if self.timeline.converged else None

    @cached_property
    def hosts_known(self) -> bool:
        """Whether the clocks of both hosts can be compared."""
        return self.clocks.known(self.run.source, self.run.destination)

    @cached_property
    def all_known(self) -> bool:
        """Whether the clocks of both hosts and of the prober can be compared."""
        return self.clocks.known(self.run.source, self.run.destination, self.run.prober)

    @cached_property
    def destination_span(self) -> tuple[float, float]:
        """The migration, for the destination's counters; without a common clock all that passed at all."""
        if not self.hosts_known:
            return -math.inf, math.inf
        return self.timeline.requested, self.timeline.completed

    @cached_property
    def forward(self) -> float:
        """Bytes that the source sent during the migration."""
        return self.wire.source_sent.total(self.timeline.requested, self.timeline.completed)

    @cached_property
    def active_span(self) -> tuple[float, float] | None:
        """From the first byte that the source sent to the last; None where the counters do not show it."""
        sent, rate = self.wire.source_sent, self.run.spec.link_rate_bits_per_second
        busy = self.timeline.requested, self.timeline.completed + sent.settle_seconds, rate
        first, last = first_activity(sent, *busy), last_activity(sent, *busy)
        return (first, last) if first is not None and last is not None and last > first else None

    @cached_property
    def active_rate(self) -> float | None:
        """Bits per second of the source from its first byte to its last."""
        if self.active_span is None:
            return None
        first, last = self.active_span
        return self.wire.source_sent.bytes_between(first, last) * 8 / (last - first)

    @cached_property
    def measured_rate(self) -> float | None:
        """The idle link's bits per second of a TCP stream's payload, None where they were not measured."""
        configured = self.run.spec.link_rate_bits_per_second
        return self.lab.measured_rate(self.run.source, self.run.destination, configured)

    @cached_property
    def wire_rate(self) -> float:
        """The link's bits per second with headers: a configured rate is of what passes on the wire."""
        measured = self.measured_rate
        return measured / self.wire.payload_share if measured else self.run.spec.link_rate_bits_per_second

    @cached_property
    def payload_rate(self) -> float:
        """The same without headers."""
        return self.wire_rate * self.wire.payload_share

    def since_request(self, moment: float | None) -> float | None:
        """Seconds from the request to the moment."""
        return None if moment is None else moment - self.timeline.requested

    def lost_in(self, *phases: str) -> int | None:
        """Lost pings of the phases; None where the clocks do not tell the phases of pings."""
        if not self.all_known:
            return None
        return sum(self.outage.lost_by_phase.get(phase, 0) for phase in phases)


@dataclass(eq=False)
class Metric(Generic[T]):
    """One entry of the registry.

    read: the function; None is what the run's evidence does not show. direction: which way is better.
    label: what a column is called. source: where the value comes from. definition: what it means.
    formatter: how it is shown, if not as its unit says. quantity: what other metrics read from other sources.
    compared: whether `compare` takes it, unless it is a yes or no.

    As an attribute of RunMetrics it gives a run's value, as one of the class the entry itself.
    """

    read: Callable[[MetricInputs], T]
    unit: Unit
    direction: Direction
    label: str
    source: str
    definition: str
    formatter: Formatter | None = None
    quantity: Quantity | None = None
    compared: bool = True
    name: str = field(init=False, default="")
    position: int = field(init=False, default=-1)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self.position = name, len(METRICS)
        METRICS[name] = self

    @overload
    def __get__(self, run: None, owner: type) -> Self: ...

    @overload
    def __get__(self, run: RunMetrics, owner: type) -> T: ...

    def __get__(self, run: RunMetrics | None, owner: type) -> Self | T:
        if run is None:
            return self
        value: T = run.values[self.position]
        return value

    @property
    def shown(self) -> Formatter:
        """How the report shows it."""
        return self.formatter or self.unit.formatter


# Every metric by its name, in the order of the columns of runs.csv.
METRICS: dict[str, Metric[Any]] = {}


def _seconds_by_events(given: MetricInputs) -> float | None:
    stopped = (event.time for event in given.evidence.source_events if event.stopped_for_good)
    first = next(stopped, None)
    return None if first is None else given.since_request(given.clocks.on_prober(given.run.source, first))


def _seconds_on_wire(given: MetricInputs) -> float | None:
    return given.active_span[1] - given.active_span[0] if given.active_span else None


def _seconds_by_nova_logs(given: MetricInputs) -> float | None:
    source, destination = given.evidence.source_nova, given.evidence.destination_nova
    begins = destination.marks.get("destination_begins") if destination else None
    ends = source.marks.get("source_ends") if source else None
    if begins is None or ends is None or not given.hosts_known:
        return None
    on_prober = given.clocks.on_prober
    return on_prober(given.run.source, ends) - on_prober(given.run.destination, begins)


def _nova_share(given: MetricInputs) -> float | None:
    run, of_libvirt = given.run, given.of_converged_job("time_elapsed", 1e-3)
    if run.nova.ended_at is None or run.driver is None or of_libvirt is None:
        return None
    return run.nova.ended_at - run.driver.requested_at - of_libvirt


def _by_source_nova(given: MetricInputs, mark: str) -> float | None:
    """When the source's nova-compute said so, on the prober's clock; None where that is not known."""
    log, source = given.evidence.source_nova, given.run.source
    if log is None or mark not in log.marks or not given.clocks.known(source, given.run.prober):
        return None
    return given.clocks.on_prober(source, log.marks[mark])


def _between(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else end - begin


def _nova_starts(given: MetricInputs) -> float | None:
    begun = None if given.wire.source_sent.coarse else given.timeline.started
    return _between(_by_source_nova(given, "source_prepared"), begun)


def _nova_notices(given: MetricInputs) -> float | None:
    if not given.timeline.converged:
        return None
    return _between(given.timeline.completed, _by_source_nova(given, "source_operation_ends"))


def _nova_posts(given: MetricInputs) -> float | None:
    return _between(_by_source_nova(given, "source_operation_ends"), _by_source_nova(given, "source_ends"))


def _phase_by_counters(given: MetricInputs, phase: str) -> float | None:
    """A phase that begins or ends with the first bytes, which coarse counters do not show."""
    return None if given.wire.source_sent.coarse else given.timeline.seconds_of(phase)


def _switchover_seconds(given: MetricInputs) -> float | None:
    return given.timeline.seconds_of("switchover") if given.hosts_known else None


def _downtime(given: MetricInputs) -> float | None:
    return None if given.timeline.destination_resumed is None else given.timeline.seconds_of("switchover")


def _border_by_events(given: MetricInputs) -> float | None:
    expected = given.run.spec.mode.whole_passes and given.run.has_postcopy
    return given.since_request(given.timeline.destination_resumed) if expected else None


def _outage_in(given: MetricInputs, phase: str) -> Interval | None:
    """The part of the ping outage in one phase; None where the clocks do not tell."""
    bordered = given.hosts_known and given.timeline.clocks_known
    return given.outage.by_phase.get(phase) if bordered else None


def _least_outage_in(given: MetricInputs, phase: str) -> float | None:
    outage = _outage_in(given, phase)
    return outage.low if outage else None


def _most_outage_in(given: MetricInputs, phase: str) -> float | None:
    outage = _outage_in(given, phase)
    return outage.high if outage else None


def _processed_bytes(given: MetricInputs) -> float | None:
    """RAM that QEMU transferred; of an aborted migration the most that it reported on the way."""
    if given.timeline.converged:
        return given.of_job("memory_processed")
    return _greatest(given.evidence.source_job.memory_processed_bytes)


def _iterations(given: MetricInputs) -> float | None:
    return given.of_job("memory_iteration") or _greatest(given.evidence.source_job.iteration)


def _dirty_rate(given: MetricInputs) -> float | None:
    """QEMU reports pages per second; a page has 4096 bytes where it does not say."""
    job = given.evidence.source_job
    page, highest = job.last.get("memory_page_size"), _greatest(job.dirty_rate_pages_per_second)
    return None if highest is None else highest * (page if is_number(page) else 4096)


def _greatest(values: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    return None if len(values) == 0 or bool(np.all(np.isnan(values))) else float(np.nanmax(values))


def _link_use(given: MetricInputs) -> float | None:
    return None if given.active_rate is None else given.active_rate / given.wire_rate


def _link_use_whole(given: MetricInputs) -> float:
    return given.forward * 8 / given.seconds / given.wire_rate if given.seconds > 0 else 0.0


def _announced(given: MetricInputs) -> float | None:
    return None if given.attribution is None else given.attribution.announced_seconds


def _standstill(given: MetricInputs) -> float | None:
    return given.slowdown.standing_seconds(*PHASES, UNKNOWN_PHASE) if given.slowdown else None


def _longest_blocked_vcpu(given: MetricInputs) -> float | None:
    blocked = given.evidence.block_time
    return max(blocked.vcpu_seconds, default=None) if blocked else None


@dataclass(frozen=True)
class RunMetrics:
    """What one run measured: each metric's value; None where its source does not have it."""

    __slots__ = ("values",)
    # In the order of METRICS.
    values: tuple[Any, ...]

    def __reduce__(self) -> tuple[type[RunMetrics], tuple[tuple[Any, ...]]]:
        """What is frozen has no other way through pickle."""
        return RunMetrics, (self.values,)

    @classmethod
    def read(cls, inputs: MetricInputs) -> RunMetrics:
        """Every metric of one run."""
        return cls(tuple(metric.read(inputs) for metric in METRICS.values()))

    def by_name(self) -> dict[str, Value]:
        """Every metric's value by its name."""
        return dict(zip(METRICS, self.values, strict=True))

    converged = Metric(
        lambda given: given.timeline.converged,
        YES_NO,
        HIGHER,
        "converged",
        "events",
        "Whether the migration completed before its limit.",
    )
    migration_seconds = Metric(
        lambda given: given.seconds,
        SECONDS,
        LOWER,
        "migration time",
        "driver (wall clock)",
        "Driver's wall clock from the request to the return of the migration call, seconds. The article "
        "read nova's logs, which include nova's own work.",
        quantity=Quantity.MIGRATION_TIME,
    )
    migration_seconds_libvirt = Metric(
        lambda given: given.of_converged_job("time_elapsed", 1e-3),
        SECONDS,
        LOWER,
        "migration time",
        "libvirt (time_elapsed)",
        "Total time in libvirt's statistics of the completed job.",
        quantity=Quantity.MIGRATION_TIME,
    )
    migration_seconds_events = Metric(
        _seconds_by_events,
        SECONDS,
        LOWER,
        "migration time",
        "events (request to source stopped for good)",
        "From the request to the event by which the source's QEMU stopped for good.",
        quantity=Quantity.MIGRATION_TIME,
    )
    migration_seconds_wire = Metric(
        _seconds_on_wire,
        SECONDS,
        LOWER,
        "migration time",
        "wire (first to last byte)",
        "From the first to the last byte that the source's migration interface sent.",
        quantity=Quantity.MIGRATION_TIME,
    )
    migration_seconds_nova_logs = Metric(
        _seconds_by_nova_logs,
        SECONDS,
        LOWER,
        "migration time",
        "nova's logs (destination's first line to source's last)",
        "As the article measured: from the destination's first line of the migration to the source's last.",
        quantity=Quantity.MIGRATION_TIME,
    )
    migration_seconds_nova_record = Metric(
        lambda given: given.run.nova_record_seconds,
        SECONDS,
        LOWER,
        "migration time",
        "nova's migration record (whole seconds)",
        "From the creation of nova's migration record to its last update.",
        quantity=Quantity.MIGRATION_TIME,
    )
    nova_share_seconds = Metric(
        _nova_share,
        SECONDS,
        LOWER,
        "nova's share",
        "driver less libvirt",
        "What nova adds: from its API's answer to the end of its record, less libvirt's own time of the "
        "migration.",
        quantity=Quantity.NOVA_SHARE,
    )
    nova_prepare_seconds = Metric(
        lambda given: given.since_request(_by_source_nova(given, "source_prepared")),
        SECONDS,
        LOWER,
        "nova prepares",
        "request, source's nova-compute.log",
        "From the request to the line that the destination is prepared: checks, placement, ports.",
    )
    nova_start_seconds = Metric(
        _nova_starts,
        SECONDS,
        LOWER,
        "nova starts",
        "source's nova-compute.log, counters",
        "From the line that the destination is prepared to the first bytes: nova hands over to libvirt.",
    )
    nova_notice_seconds = Metric(
        _nova_notices,
        SECONDS,
        LOWER,
        "nova notices the end",
        "events, source's nova-compute.log",
        "From libvirt's end of the migration to nova's line that it has completed.",
    )
    nova_post_seconds = Metric(
        _nova_posts,
        SECONDS,
        LOWER,
        "nova's work afterwards",
        "source's nova-compute.log",
        "From the line that the migration has completed to the one that it finished successfully.",
    )
    setup_seconds = Metric(
        lambda given: _phase_by_counters(given, "setup"),
        SECONDS,
        LOWER,
        "setup",
        "events and counters",
        "From the request to the first bytes.",
    )
    precopy_seconds = Metric(
        lambda given: _phase_by_counters(given, "precopy"),
        SECONDS,
        LOWER,
        "pre-copy",
        "events and counters",
        "From the first bytes to the source's stop.",
    )
    switchover_seconds = Metric(
        _switchover_seconds,
        SECONDS,
        LOWER,
        "switchover",
        "events of both hosts",
        "From the source's stop to the destination's resume.",
    )
    postcopy_seconds = Metric(
        lambda given: given.timeline.seconds_of("postcopy"),
        SECONDS,
        LOWER,
        "post-copy",
        "events",
        "From the destination's resume to the job's completion.",
    )
    first_pass_seconds = Metric(
        lambda given: given.since_request(given.timeline.first_pass_done),
        SECONDS,
        LOWER,
        "first pass",
        "job",
        "From the request to the end of the first pass over the guest's memory.",
    )
    border_by_events_seconds = Metric(
        _border_by_events,
        SECONDS,
        NEITHER,
        "start of post-copy",
        "events (destination resumed)",
        "From the request to the destination's resume, of a hybrid migration.",
        quantity=Quantity.POSTCOPY_START,
    )
    border_by_traffic_seconds = Metric(
        lambda given: given.since_request(given.timeline.border_by_traffic),
        SECONDS,
        NEITHER,
        "start of post-copy",
        "reverse traffic",
        "From the request to the first page requests in the reverse traffic, as the article's authors "
        "judged it.",
        quantity=Quantity.POSTCOPY_START,
    )
    borders_agree = Metric(
        lambda given: given.timeline.borders_agree,
        YES_NO,
        HIGHER,
        "borders agree",
        "events and reverse traffic",
        "Whether events and reverse traffic put the start of post-copy at the same moment.",
    )
    clock_uncertainty_seconds = Metric(
        lambda given: given.timeline.clock_uncertainty_seconds if given.hosts_known else None,
        SECONDS,
        LOWER,
        "clock uncertainty",
        "clock exchanges",
        "How far a moment of one host may lie from one of the other.",
    )
    downtime_seconds = Metric(
        _downtime,
        SECONDS,
        LOWER,
        "downtime (hypervisor)",
        "events (source stopped to destination resumed)",
        "From the source's SUSPENDED to the destination's RESUMED event; on two hosts it is as exact as "
        "their clocks agree.",
        formatter=MILLISECONDS,
        quantity=Quantity.DOWNTIME,
    )
    downtime_seconds_libvirt = Metric(
        lambda given: given.of_converged_job("downtime", 1e-3),
        SECONDS,
        LOWER,
        "downtime (hypervisor)",
        "libvirt (downtime)",
        "Downtime in libvirt's statistics. After a post-copy migration it is no measure of the guest's "
        "pause.",
        formatter=MILLISECONDS,
        quantity=Quantity.DOWNTIME,
    )
    ping_lost = Metric(
        lambda given: given.outage.lost,
        PINGS,
        LOWER,
        "lost pings",
        "ping, 0.1 s",
        "Pings without an answer, sent from the request until the probes stop.",
    )
    ping_outage_low_seconds = Metric(
        lambda given: given.outage.total.low,
        SECONDS,
        LOWER,
        "ping outage, at least",
        "ping, 0.1 s",
        "All outages together, at least: (n - 1) periods for n lost pings in a row.",
        quantity=Quantity.LEAST_OUTAGE,
        compared=False,
    )
    ping_outage_high_seconds = Metric(
        lambda given: given.outage.total.high,
        SECONDS,
        LOWER,
        "ping outage, at most",
        "ping, 0.1 s",
        "All outages together, at most: (n + 1) periods for n lost pings in a row.",
        quantity=Quantity.MOST_OUTAGE,
        compared=False,
    )
    ping_longest_low_seconds = Metric(
        lambda given: given.outage.longest.low,
        SECONDS,
        LOWER,
        "longest ping outage, at least",
        "ping, 0.1 s",
        "The longest outage without an answered ping, at least.",
    )
    ping_longest_high_seconds = Metric(
        lambda given: given.outage.longest.high,
        SECONDS,
        LOWER,
        "longest ping outage, at most",
        "ping, 0.1 s",
        "The longest outage without an answered ping, at most.",
    )
    ping_lost_precopy = Metric(
        lambda given: given.lost_in("setup", "precopy"),
        PINGS,
        LOWER,
        "lost in pre-copy",
        "ping, 0.1 s",
        "Lost pings that setup or pre-copy took.",
    )
    ping_lost_switchover = Metric(
        lambda given: given.lost_in("switchover"),
        PINGS,
        LOWER,
        "in the switchover",
        "ping, 0.1 s",
        "Lost pings that the switchover took.",
    )
    ping_lost_postcopy = Metric(
        lambda given: given.lost_in("postcopy"),
        PINGS,
        LOWER,
        "in post-copy",
        "ping, 0.1 s",
        "Lost pings that post-copy took.",
    )
    ping_lost_after = Metric(
        lambda given: given.lost_in("completion", "after"),
        PINGS,
        LOWER,
        "after it",
        "ping, 0.1 s",
        "Lost pings that the completion of pre-copy, or the time after the migration, took.",
    )
    ping_lost_before = Metric(
        lambda given: given.outage.lost_before,
        PINGS,
        LOWER,
        "lost before",
        "ping, 0.1 s",
        "Pings lost before the migration was asked for.",
    )
    ping_lost_unknown = Metric(
        lambda given: given.outage.lost_by_phase.get(UNKNOWN_PHASE, 0),
        PINGS,
        LOWER,
        "phase unknown",
        "ping, 0.1 s",
        "Lost pings whose phase is unknown.",
    )
    ping_undecided = Metric(
        lambda given: len(given.evidence.ping.undecided_sent_at),
        PINGS,
        LOWER,
        "undecided",
        "ping, 0.1 s",
        "Pings without an answer that ping was stopped too early to wait a second for.",
    )
    ping_postcopy_low_seconds = Metric(
        lambda given: _least_outage_in(given, "postcopy"),
        SECONDS,
        LOWER,
        "ping outage in post-copy, at least",
        "ping, 0.1 s",
        "The part of the ping outage that lies in post-copy, at least.",
    )
    ping_postcopy_high_seconds = Metric(
        lambda given: _most_outage_in(given, "postcopy"),
        SECONDS,
        LOWER,
        "ping outage in post-copy, at most",
        "ping, 0.1 s",
        "The part of the ping outage that lies in post-copy, at most.",
    )
    ping_switchover_high_seconds = Metric(
        lambda given: _most_outage_in(given, "switchover"),
        SECONDS,
        LOWER,
        "ping outage in the switchover, at most",
        "ping, 0.1 s",
        "The part of the ping outage that lies in the switchover, at most.",
    )
    ping_late = Metric(
        lambda given: given.outage.late,
        PINGS,
        LOWER,
        "late pings",
        "ping, 0.1 s",
        "Pings answered after more than their period; they are not lost.",
    )
    ping_longest_round_trip_seconds = Metric(
        lambda given: given.outage.longest_round_trip_seconds,
        SECONDS,
        LOWER,
        "longest round trip",
        "ping, 0.1 s",
        "The longest round trip of an answered ping.",
        formatter=MILLISECONDS,
    )
    ping_period_seconds = Metric(
        lambda given: given.evidence.ping.kept_period_seconds,
        SECONDS,
        LOWER,
        "period of ping",
        "ping, 0.1 s",
        "The time between two pings that was really kept.",
    )
    fine_period_seconds = Metric(
        lambda given: given.evidence.ping_fine.kept_period_seconds if given.evidence.ping_fine else None,
        SECONDS,
        LOWER,
        "period of the finer ping",
        "ping, 0.01 s",
        "The time between two pings of the finer ping that was really kept.",
    )
    fine_outage_low_seconds = Metric(
        lambda given: given.fine_outage.total.low if given.fine_outage else None,
        SECONDS,
        LOWER,
        "ping outage, at least",
        "ping, 0.01 s",
        "The same as ping_outage_low_seconds, by the finer ping.",
        quantity=Quantity.LEAST_OUTAGE,
    )
    fine_outage_high_seconds = Metric(
        lambda given: given.fine_outage.total.high if given.fine_outage else None,
        SECONDS,
        LOWER,
        "ping outage, at most",
        "ping, 0.01 s",
        "The same as ping_outage_high_seconds, by the finer ping.",
        quantity=Quantity.MOST_OUTAGE,
    )
    forward_bytes = Metric(
        lambda given: given.forward,
        BYTES,
        LOWER,
        "data",
        "wire, source sent",
        "Bytes that the source's migration interface sent during the migration, with the headers of "
        "every TCP segment (66 bytes for 1448 with Linux's defaults), whether the interface counts "
        "segments one by one or together. MB = 10⁶ bytes, MiB = 2²⁰ bytes. The article does not define "
        "its MB.",
        quantity=Quantity.FORWARD,
    )
    forward_bytes_received = Metric(
        lambda given: given.wire.destination_received.total(*given.destination_span),
        BYTES,
        LOWER,
        "data received",
        "wire, destination received",
        "Bytes that the destination's migration interface received during the migration.",
        quantity=Quantity.FORWARD,
    )
    backward_bytes = Metric(
        lambda given: given.wire.destination_sent.total(*given.destination_span),
        BYTES,
        LOWER,
        "data sent back",
        "wire, destination sent",
        "Bytes that the destination's migration interface sent: acknowledgements and page requests.",
        quantity=Quantity.BACKWARD,
    )
    backward_bytes_received = Metric(
        lambda given: given.wire.source_received.total(given.timeline.requested, given.timeline.completed),
        BYTES,
        LOWER,
        "data sent back, received",
        "wire, source received",
        "Bytes that the source's migration interface received during the migration.",
        quantity=Quantity.BACKWARD,
    )
    forward_bytes_libvirt = Metric(
        _processed_bytes,
        BYTES,
        LOWER,
        "data by QEMU",
        "QEMU (RAM processed)",
        "RAM that QEMU says it transferred.",
        quantity=Quantity.FORWARD,
    )
    iterations = Metric(
        _iterations,
        COUNT,
        NEITHER,
        "iterations",
        "job (dirty-sync-count)",
        "Passes over the guest's memory.",
    )
    page_requests = Metric(
        lambda given: given.of_job("memory_postcopy_requests"),
        COUNT,
        LOWER,
        "page requests",
        "job",
        "Pages that the destination asked for in post-copy.",
    )
    dirty_rate_bytes_per_second = Metric(
        _dirty_rate,
        BYTES_PER_SECOND,
        NEITHER,
        "dirty rate",
        "job",
        "The highest rate at which the guest dirtied memory, as QEMU reported it.",
    )
    rate_bits_per_second = Metric(
        lambda given: given.forward * 8 / given.seconds if given.seconds > 0 else 0.0,
        BITS_PER_SECOND,
        HIGHER,
        "rate",
        "wire",
        "Data sent over the migration time.",
        quantity=Quantity.RATE,
    )
    rate_bits_per_second_libvirt = Metric(
        lambda given: given.of_job("memory_bps", 8),
        BITS_PER_SECOND,
        HIGHER,
        "rate",
        "QEMU (last report)",
        "The last transfer rate that QEMU reported.",
        quantity=Quantity.RATE,
    )
    link_rate_bits_per_second = Metric(
        lambda given: given.payload_rate,
        BITS_PER_SECOND,
        HIGHER,
        "link rate, payload",
        "lab.json, else the study",
        "Rate of the idle migration link, of a TCP stream's payload.",
    )
    link_wire_rate_bits_per_second = Metric(
        lambda given: given.wire_rate,
        BITS_PER_SECOND,
        HIGHER,
        "link rate, with headers",
        "lab.json, else the study",
        "Rate of the idle migration link, with headers.",
    )
    link_rate_measured = Metric(
        lambda given: given.measured_rate is not None,
        YES_NO,
        NEITHER,
        "link rate measured",
        LAB_FILE,
        "Whether the link's rate was measured; if not it is the configured one.",
    )
    link_use = Metric(
        _link_use,
        RATIO,
        HIGHER,
        "link use",
        "wire",
        "Bytes per second from the first to the last, over the rate of the idle link, both with "
        "headers: iperf3 measures a link by the payload of a TCP stream, to which the headers are "
        "added.",
        formatter=Formatter(head="while sending", pattern=".3f"),
    )
    link_use_whole = Metric(
        _link_use_whole,
        RATIO,
        HIGHER,
        "link use, whole migration",
        "wire",
        "Bytes per second of the whole migration time, over the rate of the idle link, both with headers.",
    )
    bound_bytes = Metric(
        lambda given: 2.0 * given.run.spec.ram_bytes,
        BYTES,
        NEITHER,
        "bound of the data",
        "study",
        "2 x RAM: a hybrid migration sends each page at most twice.",
        compared=False,
    )
    bound_seconds = Metric(
        lambda given: 2.0 * given.run.spec.ram_bytes * 8 / given.payload_rate,
        SECONDS,
        NEITHER,
        "bound of the time",
        "study and link",
        "2 x RAM over the link's rate: the time that the bound of the data takes.",
        compared=False,
    )
    announced_seconds = Metric(
        _announced,
        SECONDS,
        LOWER,
        "announced",
        "captures",
        "From the guest's resume to its announcement where that leaves the host, else at its tap once wired.",
        formatter=MILLISECONDS,
    )
    network_stale_seconds = Metric(
        lambda given: given.attribution.stale_seconds if given.attribution else None,
        SECONDS,
        LOWER,
        "network stale",
        "captures",
        "From the guest's resume to the last ping that the network still delivered to the source.",
    )
    last_page_seconds = Metric(
        lambda given: given.since_request(given.timeline.last_page_requested),
        SECONDS,
        LOWER,
        "last page request",
        "reverse traffic",
        "From the request of the migration to the last page request.",
    )
    guest_speed_precopy = Metric(
        lambda given: given.slowdown.speed("precopy") if given.slowdown else None,
        RATIO,
        HIGHER,
        "guest's speed in pre-copy",
        "program in the guest",
        "Memory that the guest writes per second in pre-copy, over that before the migration.",
    )
    guest_speed_postcopy = Metric(
        lambda given: given.slowdown.speed("postcopy") if given.slowdown else None,
        RATIO,
        HIGHER,
        "guest's speed in post-copy",
        "program in the guest",
        "Memory that the guest writes per second in post-copy, over that before the migration.",
    )
    guest_standstill_seconds = Metric(
        _standstill,
        SECONDS,
        LOWER,
        "guest's standstill",
        "program in the guest",
        "Time of the migration in which the guest wrote no sample, though it writes ten a second.",
    )
    blocktime_seconds = Metric(
        lambda given: given.evidence.block_time.all_vcpus_seconds if given.evidence.block_time else None,
        SECONDS,
        LOWER,
        "all vCPUs blocked",
        "QEMU (postcopy-blocktime)",
        "Time in post-copy in which all vCPUs waited for pages at once.",
    )
    blocktime_vcpu_seconds = Metric(
        _longest_blocked_vcpu,
        SECONDS,
        LOWER,
        "longest blocked vCPU",
        "QEMU (postcopy-blocktime)",
        "Time in post-copy in which the vCPU that waited longest waited for pages.",
    )


@dataclass(frozen=True)
class Reading:
    """One quantity as one source gives it."""

    quantity: str
    source: str
    value: float
    unit: Unit


def readings(metrics: RunMetrics) -> tuple[Reading, ...]:
    """The quantities that several sources give, to be held against each other."""
    values = metrics.by_name()
    return tuple(
        Reading(quantity, metric.source, value, metric.unit)
        for quantity in Quantity
        for name, metric in METRICS.items()
        if metric.quantity is quantity and (value := values[name]) is not None
    )
