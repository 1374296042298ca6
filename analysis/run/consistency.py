"""Do the files of one run belong together? Each may be sound by itself; what they say must fit, too."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from analysis.evidence.errors import EvidenceError
from analysis.evidence.logs import CAPTURE_FILES, Evidence
from analysis.evidence.ping import PingLog
from analysis.run.clock import CLOCK_FILE, ClockModel
from analysis.run.timeline import Timeline
from analysis.run.traffic import ENOUGH_BYTES, Wire
from contract.choices import Backend
from contract.evidence import (
    DESTINATION_EVENTS,
    DESTINATION_NIC,
    GUEST_PROGRESS,
    PING,
    PING_FINE,
    RUN_FILE,
    SOURCE_EVENTS,
    SOURCE_JOB,
    SOURCE_NIC,
)
from contract.libvirt_versions import TELLS_ITERATIONS_SINCE, TELLS_JOB_END_SINCE, tells
from contract.records import RunRecord

# The driver writes its mark when it asks; both are of one clock.
_MARK_SECONDS = 1.0
# A probe stalls on a busy machine; for as long as this only one whose clock was set, or that stood still.
_LONGEST_STALL_SECONDS = 10.0
# The driver and the listener write to one file, each in its own order.
_DISORDER_SECONDS = 1.0
# tcpdump's last packets, up to a second of them, are not always written.
CAPTURE_SECONDS = 1.0
# libvirt answers for its job's statistics 20 times a second, on a busy machine less often.
_JOB_SECONDS = 5.0


def check_consistency(
    run: RunRecord, evidence: Evidence, clocks: ClockModel, wire: Wire, timeline: Timeline
) -> None:
    """Raise EvidenceError for logs of another run or host, and for a clock that was set during the run."""
    _check_overlap(run, evidence, clocks, timeline)
    _check_clocks(evidence, clocks)
    if clocks.known(run.source, run.destination):
        _check_direction(wire, timeline)


def check_clocks(run: RunRecord, clocks: ClockModel) -> None:
    """Raise EvidenceError if the source's clock or the prober's was set during the migration.

    The driver's times are of the one, the pings' of the other. If all others jump it was the prober's.
    """
    jumps = [jump for jump in clocks.jumps if jump.during and jump.large]
    of_source = next((jump for jump in jumps if jump.node == run.source), None)
    if of_source is None:
        return
    what = f"{run.source}'s clock jumped by {of_source.seconds:+.3f} s against the prober's"
    if len(jumps) > 1 and {jump.node for jump in jumps} == set(clocks.nodes):
        what = f"the clock of {run.prober} jumped by {-of_source.seconds:+.3f} s against all others"
    raise EvidenceError(CLOCK_FILE, of_source.line, f"{what} during the migration")


def check_driver(run: RunRecord, evidence: Evidence) -> None:
    """Raise EvidenceError unless the source's events hold the request that run.json tells of."""
    if run.driver is None:
        return
    requested = run.driver.requested_at
    if run.driver.finished_at is not None and run.driver.finished_at < requested:
        raise EvidenceError(RUN_FILE, None, '"driver.finished_at" is before "driver.requested_at"')
    marks = [
        event.time for event in evidence.source_events if event.kind == "driver" and event.name == "requested"
    ]
    # With nova there is no driver on the source.
    if (marks or run.spec.backend == Backend.LIBVIRT) and not any(
        abs(mark - requested) <= _MARK_SECONDS for mark in marks
    ):
        raise EvidenceError(SOURCE_EVENTS.path, None, "mixed up: the request in run.json is not in it")


def event_doubts(
    run: RunRecord, evidence: Evidence, clocks: ClockModel, timeline: Timeline
) -> Iterator[tuple[str, str]]:
    """(file or file:line, what is wrong): events that a migration has and this one lacks, or in disorder."""
    for file, events in (
        (SOURCE_EVENTS.path, evidence.source_events),
        (DESTINATION_EVENTS.path, evidence.destination_events),
    ):
        arrived = sorted(events, key=lambda event: event.line)
        times = np.array([event.time for event in arrived])
        behind = np.maximum.accumulate(times) - times
        late = np.flatnonzero(behind > _DISORDER_SECONDS)
        if len(late):
            what = f"{len(late)} lines are up to {behind.max():.1f} s older than lines before them"
            yield f"{file}:{arrived[late[0]].line}", f"{what}: their times count, not their order"
    if not timeline.converged:
        return
    source, kinds = evidence.source_events, {event.kind for event in evidence.source_events}
    passes = "migration-iteration" in kinds
    lost = []
    if timeline.source_stopped is None:
        lost.append("SUSPENDED event: when the guest stopped is not known, nor the downtime")
    if (
        run.spec.mode.whole_passes
        and timeline.first_pass_done is None
        and (passes or tells(run.libvirt_version, TELLS_ITERATIONS_SINCE))
    ):
        lost.append("event of a second pass: when the first one ended is not known")
    if "job-completed" not in kinds and (passes or tells(run.libvirt_version, TELLS_JOB_END_SINCE)):
        lost.append(
            "job-completed event: the end is the one in run.json, libvirt's figures its last sample's"
        )
    if not any(event.stopped_for_good for event in source):
        lost.append("STOPPED event: the migration time by events is not known")
    for text in lost:
        yield SOURCE_EVENTS.path, f"has no {text}"
    if timeline.destination_resumed is None and clocks.known(run.source, run.destination):
        what = (
            "has no RESUMED event of the switchover: when the guest ran again is not known, nor the downtime"
        )
        yield DESTINATION_EVENTS.path, what


def log_doubts(run: RunRecord, evidence: Evidence, timeline: Timeline) -> Iterator[tuple[str, str]]:
    """(file, what is wrong): logs that are there and tell less than their metrics need."""
    driver = run.driver
    if driver is not None and driver.finished_at is None:
        yield (
            RUN_FILE,
            '"driver.finished_at" is missing: the migration time is that of the events, else too long, up to '
            "the end of the run",
        )
    job = evidence.source_job.time
    if not len(job) and tells(run.libvirt_version, TELLS_JOB_END_SINCE):
        yield SOURCE_JOB.path, "empty: the dirty rate is not known"
    elif not timeline.converged and len(job):
        # Both are of the source's clock.
        end = run.finished_at if driver is None or driver.finished_at is None else driver.finished_at
        early = end - float(job[-1])
        if early > _JOB_SECONDS:
            what = f"ends {early:.1f} s before the migration was aborted: more was transferred than it says"
            yield SOURCE_JOB.path, what
    if evidence.progress is not None and run.spec.pattern_bytes:
        written = evidence.progress.pattern_bytes_written
        if len(written) < 2 or written[-1] <= written[0]:
            what = "shows no pattern being written: how fast the guest was is not known"
            yield GUEST_PROGRESS.path, what


def trusted_fine_ping(
    run: RunRecord, evidence: Evidence, clocks: ClockModel, timeline: Timeline
) -> tuple[Evidence, tuple[tuple[str, str], ...]]:
    """The evidence without a finer ping that ended before the migration did; (file, what is wrong with it).

    It shows no outage, which is not the same as an outage of nothing.
    """
    ping = evidence.ping_fine
    if ping is None or not clocks.known(run.prober, run.source) or ping.ended_at >= timeline.completed:
        return evidence, ()
    early = timeline.completed - ping.ended_at
    what = f"ends {early:.1f} s before the migration: cut off, the outage that it shows is not known"
    return replace(evidence, ping_fine=None), ((PING_FINE.path, what),)


def capture_doubts(
    run: RunRecord, evidence: Evidence, clocks: ClockModel, timeline: Timeline
) -> Iterator[tuple[str, str]]:
    """(file, what is wrong): captures that are missing, or do not cover the answered pings that passed."""
    if not evidence.captures or not clocks.known(run.source, run.destination, run.prober):
        return
    stopped, resumed = timeline.source_stopped, timeline.destination_resumed
    answered_at = evidence.ping.answered_sent_at + evidence.ping.round_trip_seconds
    nics = {"source": evidence.source_nic, "destination": evidence.destination_nic}
    for point, file in CAPTURE_FILES.items():
        role = point.split()[0]
        node = {"prober": run.prober, "source": run.source, "destination": run.destination}[role]
        across = clocks.uncertainty_seconds(node, run.prober) + CAPTURE_SECONDS
        passed = np.ones(len(answered_at), dtype=np.bool_)
        if role == "source" and timeline.converged:
            passed = answered_at < (timeline.requested if stopped is None else stopped)
        elif role == "destination":
            passed = evidence.ping.answered_sent_at > (math.inf if resumed is None else resumed)
        times = answered_at[passed]
        if role in nics:
            # A host's probes may end a little earlier than the prober's.
            span = clocks.on_prober(node, nics[role].time)
            times = times[(times > span[0] + across) & (times < span[-1] - across)]
        if not len(times):
            continue
        capture = evidence.captures.get(point)
        if capture is None:
            if file not in {name for name, _ in evidence.doubts}:
                yield file, f"missing: {len(times)} answered pings passed there"
            continue
        if not len(capture.time):
            yield file, f"without a packet, while {len(times)} answered pings passed: tcpdump died"
            continue
        first, last = clocks.on_prober(node, capture.time[[0, -1]])
        if first - times[0] > across:
            yield file, f"begins {first - times[0]:.1f} s after the first answered ping that passed there"
        if times[-1] - last > across:
            yield file, f"ends {times[-1] - last:.1f} s before the last answered ping that passed there"


def _check_overlap(run: RunRecord, evidence: Evidence, clocks: ClockModel, timeline: Timeline) -> None:
    """Logs that other checks do not hold against the migration's time."""
    start, requested, end = run_start(run, timeline), timeline.requested, run_end(run, timeline)
    spans: list[tuple[str, str | None, NDArray[np.float64], float]] = [
        (SOURCE_JOB.path, run.source, evidence.source_job.time, requested),
        (
            DESTINATION_EVENTS.path,
            run.destination,
            np.array([event.time for event in evidence.destination_events]),
            requested,
        ),
    ]
    # These are of the run from its beginning: one that died before the migration is cut off, not mixed up.
    for exchanges in (evidence.exchanges or {}).values():
        spans.append((CLOCK_FILE, run.prober, exchanges.time, start))
    if evidence.ping_fine is not None:
        spans.append((PING_FINE.path, run.prober, evidence.ping_fine.answered_sent_at, start))
    nodes = {"prober": run.prober, "source": run.source, "destination": run.destination}
    for point, capture in evidence.captures.items():
        # Where the guest never came, a packet from before the migration may be all that passed.
        spans.append((CAPTURE_FILES[point], nodes[point.split()[0]], capture.time, start))
    for file, node, times, begin in spans:
        if clocks.known(node, run.source):
            _check_span(file, clocks.on_prober(node, times), begin, end)


def _check_span(file: str, times: NDArray[np.float64], start: float, end: float) -> None:
    if len(times) and (times[-1] < start or times[0] > end):
        raise EvidenceError(file, None, "mixed up: nothing in it is of this migration's time")


def run_start(run: RunRecord, timeline: Timeline) -> float:
    """When a run began, from what it took until it asked for the migration: its start is of another clock."""
    lead = run.driver.requested_at - run.started_at if run.driver is not None else 0.0
    return timeline.requested - max(0.0, lead)


def run_end(run: RunRecord, timeline: Timeline) -> float:
    """The last moment of a run in which its probes can have written: a failed one has no end of its own."""
    return timeline.completed + max(0.0, run.finished_at - run.started_at)


def _check_clocks(evidence: Evidence, clocks: ClockModel) -> None:
    if clocks.exchanged and not clocks.silent:
        # No clock was set, then: what stood still did so on a busy machine, which harms no counter.
        return
    source, destination = _longest_gap(evidence.source_nic.time), _longest_gap(evidence.destination_nic.time)
    longest, other = max(source, destination), min(source, destination)
    if longest > _LONGEST_STALL_SECONDS and other < longest / 2:
        raise EvidenceError(
            SOURCE_NIC.path if source > destination else DESTINATION_NIC.path,
            None,
            f"{longest:.1f} s without a sample while the other host went on: the clock jumped or the probe "
            "stood still",
        )
    _check_pinger(PING.path, evidence.ping)
    if evidence.ping_fine is not None:
        _check_pinger(PING_FINE.path, evidence.ping_fine)


def _check_pinger(file: str, ping: PingLog) -> None:
    """ping sends a request per period, answered or not: its numbers tell how much time has passed.

    But not where nobody answers for the guest's address (ARP): then the prober's kernel takes no request for
    seconds, and ping prints that the guest is unreachable. That is an outage, and no fault of the log.
    """
    if ping.network_errors:
        return
    passed = np.diff(ping.answered_sent_at)
    excess = float((passed - np.diff(ping.answered) * ping.period_seconds).max())
    if excess > _LONGEST_STALL_SECONDS:
        raise EvidenceError(
            file, None, f"{excess:.1f} s more between two requests: the clock jumped or ping stood still"
        )


def _check_direction(wire: Wire, timeline: Timeline) -> None:
    span = timeline.requested, timeline.completed
    sent, received = wire.source_sent.total(*span), wire.destination_received.total(*span)
    back = wire.destination_sent.total(*span)
    if max(sent, received, back) < ENOUGH_BYTES:
        return
    if back > sent:
        raise EvidenceError(SOURCE_NIC.path, None, "mixed up: the destination sent more than the source")
    if not 0.5 * sent < received < 2 * sent:
        what = f"mixed up: received {received / 1e6:.0f} MB of the {sent / 1e6:.0f} MB that the source sent"
        raise EvidenceError(DESTINATION_NIC.path, None, what)


def _longest_gap(times: NDArray[np.float64]) -> float:
    return float(np.diff(times).max(initial=0.0))
