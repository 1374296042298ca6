"""One migration on one clock: its moments, its phases, and the phase border seen independently on the wire.

All times are epoch seconds of the prober's clock (clock.py); each moment carries how far it may be off.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from analysis.evidence.events import Event
from analysis.evidence.logs import CAPTURE_FILES, Evidence
from analysis.run.announcement import first_announcement, guest_mac
from analysis.run.clock import ClockModel
from analysis.run.sightings import with_tunnels
from analysis.run.traffic import BORDER_BIN_SECONDS, Wire, first_activity, last_page_request, traffic_border
from contract.evidence import (
    DESTINATION_AGENT_LOG,
    DESTINATION_EVENTS,
    DESTINATION_LINKS,
    DESTINATION_NIC,
    RUN_FILE,
    SOURCE_EVENTS,
    SOURCE_NIC,
    SOURCE_NOVA_LOG,
)
from contract.modes import Mode
from contract.outcomes import RunOutcome
from contract.records import RunRecord

REQUESTED, STARTED, FIRST_PASS_DONE = "requested", "started: first bytes", "first pass done"
SOURCE_STOPPED, DESTINATION_RESUMED = "source stopped", "destination resumed"
PORT_SEEN = "neutron's agent looked at the destination's port"
PORT_WIRED = "destination's port wired"
ANNOUNCED_AT_TAP = "announced at the destination's tap"
ANNOUNCED_AT_UPLINK = "announced at the destination's uplink"
LAST_PAGE, COMPLETED, ABORTED = "last page requested", "completed", "aborted at its limit"
NOVA_LOG_ENDS, NOVA_RECORD_ENDS = "finished by nova (its log)", "finished by nova (its record)"
# In the order in which they come.
MOMENTS = (
    REQUESTED,
    STARTED,
    PORT_SEEN,
    PORT_WIRED,
    FIRST_PASS_DONE,
    SOURCE_STOPPED,
    DESTINATION_RESUMED,
    ANNOUNCED_AT_TAP,
    ANNOUNCED_AT_UPLINK,
    LAST_PAGE,
    COMPLETED,
    ABORTED,
    NOVA_LOG_ENDS,
    NOVA_RECORD_ENDS,
)
PHASES = ("setup", "precopy", "switchover", "postcopy", "completion")
# What cannot be put into a phase: a border or a clock is not known.
UNKNOWN_PHASE = "unknown"
# Two bins, one counter sample, and the time a first request may take.
_AGREEMENT_SECONDS = 0.3


@dataclass(frozen=True)
class Phase:
    """A named span of time, epoch seconds. `known`: whether both its borders are; else it may be longer."""

    name: str
    start: float
    end: float
    known: bool = True

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True)
class Moment:
    """One event of a migration: when, to how many seconds, and which file says so."""

    name: str
    time: float
    uncertainty_seconds: float
    source: str


@dataclass(frozen=True)
class Timeline:
    """Moments of one migration; None where the evidence does not show one (never stopped, no second pass).

    `wired`: since when the guest's packets can leave the destination, infinity if never; None where nobody
    looked.
    `announced`: when the network was told of the guest's move: where that leaves the host, else at the
    guest's tap once that was wired.
    `clocks_known`: whether the source's clock is known against the prober's; without it these moments are on
    the source's own clock, and none of the prober's can be put into a phase.
    """

    requested: float
    converged: bool
    started: float | None
    first_pass_done: float | None
    source_stopped: float | None
    destination_resumed: float | None
    completed: float
    border_by_traffic: float | None
    last_page_requested: float | None
    clock_uncertainty_seconds: float
    phases: tuple[Phase, ...]
    moments: tuple[Moment, ...]
    wired: float | None = None
    announced: float | None = None
    clocks_known: bool = True

    @property
    def counted_since(self) -> float:
        """From when on pings count: the request; all of them where the prober's clock does not know it."""
        return self.requested if self.clocks_known else -math.inf

    def phase_at(self, time: float) -> str:
        """Name of the phase at a moment: one of PHASES, "before", "after", or UNKNOWN_PHASE."""
        if not self.clocks_known:
            return UNKNOWN_PHASE
        if time < self.requested:
            return "before"
        for phase in self.phases:
            if phase.start <= time < phase.end:
                return phase.name
        return "after"

    def uncertainty_of(self, moment: str) -> float:
        """By how many seconds a moment may be off against the prober's clock; 0 if it was not seen."""
        return next((seen.uncertainty_seconds for seen in self.moments if seen.name == moment), 0.0)

    def seconds_of(self, name: str) -> float | None:
        """Length of a phase in seconds, None if the migration had none or a border of it is not known."""
        return next((phase.seconds for phase in self.phases if phase.name == name and phase.known), None)

    @property
    def border_disagreement_seconds(self) -> float | None:
        """Border by traffic minus border by events (destination resumed), None unless both are seen."""
        if self.border_by_traffic is None or self.destination_resumed is None:
            return None
        return self.border_by_traffic - self.destination_resumed

    @property
    def borders_agree(self) -> bool | None:
        """Whether the two borders are one, within the counters' resolution and the clocks' uncertainty."""
        difference = self.border_disagreement_seconds
        if difference is None or not math.isfinite(self.clock_uncertainty_seconds):
            return None
        return abs(difference) <= _AGREEMENT_SECONDS + self.clock_uncertainty_seconds


def build_timeline(run: RunRecord, evidence: Evidence, wire: Wire, clocks: ClockModel) -> Timeline:
    """Moments and phases of one run. `run.driver` must be there."""
    driver = run.driver
    if driver is None:
        raise ValueError("a run without a driver has no timeline")
    requested = clocks.on_prober(run.source, driver.requested_at)
    source = [_moved(event, clocks, run.source) for event in evidence.source_events]
    destination = [_moved(event, clocks, run.destination) for event in evidence.destination_events]
    known = clocks.known(run.source, run.destination)
    # A run fails after the migration too (its guest was not intact): only the events say how that ended.
    came = next(_lifecycle(destination, "RESUMED", requested if known else -math.inf), None)
    converged = run.outcome == RunOutcome.COMPLETED or (run.outcome == RunOutcome.FAILED and came is not None)
    finished = driver.finished_at if driver.finished_at is not None else run.finished_at
    completed, completed_by = _completed(
        source if converged else [], requested, clocks.on_prober(run.source, finished)
    )
    started = first_activity(wire.source_sent, requested, completed, run.spec.link_rate_bits_per_second)
    stopped = resumed = None
    if converged:
        stopped = next(_lifecycle(source, "SUSPENDED", requested), None)
        if known:
            uncertainty = clocks.uncertainty_seconds(run.source, run.destination)
            resumed = _resumed(run.has_postcopy, destination, stopped or requested, uncertainty, wire)
    first_pass = next(
        (
            event.time
            for event in source
            if event.kind == "migration-iteration" and (event.iteration or 0) >= 2
        ),
        None,
    )
    passes_by = SOURCE_EVENTS.path
    if run.spec.mode.has_postcopy and not run.spec.mode.whole_passes:
        # QEMU begins its second pass at the switchover, without a first one.
        first_pass = None
    elif first_pass is None and driver.first_pass_at is not None:
        first_pass, passes_by = clocks.on_prober(run.source, driver.first_pass_at), RUN_FILE
    left = None
    if converged and stopped is None:
        asked = driver.switchover_requested_at if run.has_postcopy else None
        asked = clocks.on_prober(run.source, asked) if asked is not None else None
        left = _last_seen_at_source(run.spec.mode, source, asked, resumed or completed)
    # Too coarse counters do not tell set-up from pre-copy.
    begun = requested if wire.source_sent.coarse else started
    phases = tuple(_phases(run.has_postcopy, requested, begun, stopped, left, resumed, completed))
    last_request = None
    if resumed is not None and run.has_postcopy:
        last_request = last_page_request(wire, resumed, completed)
    wired = _wired(run, evidence, clocks)
    resolution = {STARTED: wire.source_sent.resolution_seconds, LAST_PAGE: BORDER_BIN_SECONDS}
    moments = [
        (REQUESTED, requested, run.source, RUN_FILE),
        (STARTED, started, run.source, SOURCE_NIC.path),
        (FIRST_PASS_DONE, first_pass, run.source, passes_by),
        (SOURCE_STOPPED, stopped, run.source, SOURCE_EVENTS.path),
        (DESTINATION_RESUMED, resumed, run.destination, DESTINATION_EVENTS.path),
        (PORT_SEEN, _seen_by_agent(run, evidence, clocks), run.destination, DESTINATION_AGENT_LOG.path),
        (PORT_WIRED, None if wired == math.inf else wired, run.destination, DESTINATION_LINKS.path),
        *_announcements(run, evidence, clocks, stopped),
        (LAST_PAGE, last_request, run.destination, DESTINATION_NIC.path),
        (COMPLETED if converged else ABORTED, completed, run.source, completed_by),
        *_ended_by_nova(run, evidence, clocks),
    ]
    seen = tuple(
        Moment(name, time, clocks.uncertainty_seconds(node, run.prober) + resolution.get(name, 0.0), file)
        for name, time, node, file in moments
        if time is not None and clocks.known(node, run.source)
    )
    return Timeline(
        requested=requested,
        converged=converged,
        started=started,
        first_pass_done=first_pass,
        source_stopped=stopped,
        destination_resumed=resumed,
        completed=completed,
        border_by_traffic=traffic_border(wire, started or requested, completed)
        if run.spec.mode.whole_passes and run.has_postcopy and converged and known
        else None,
        last_page_requested=last_request,
        clock_uncertainty_seconds=clocks.uncertainty_seconds(run.source, run.destination),
        phases=phases,
        moments=seen,
        wired=wired,
        announced=_told(seen, wired),
        clocks_known=clocks.known(run.source, run.prober),
    )


def _wired(run: RunRecord, evidence: Evidence, clocks: ClockModel) -> float | None:
    """When the guest's port on the destination was wired, infinity if never; None where nobody looked.

    Between tap and tunnels are bridges of which the kernel does not tell.
    """
    links = evidence.destination_links
    if links is None or links.tap is None or with_tunnels(evidence.captures):
        return None
    if not clocks.known(run.destination, run.source):
        return None
    return math.inf if links.wired_at is None else clocks.on_prober(run.destination, links.wired_at)


def _told(seen: tuple[Moment, ...], wired: float | None) -> float | None:
    """The announcement that left the host. What the guest told its tap before that was wired went nowhere."""
    times = {moment.name: moment.time for moment in seen}
    at_tap = times.get(ANNOUNCED_AT_TAP)
    if at_tap is not None and wired is not None and at_tap < wired:
        at_tap = None
    return times.get(ANNOUNCED_AT_UPLINK, at_tap)


def _seen_by_agent(run: RunRecord, evidence: Evidence, clocks: ClockModel) -> float | None:
    """When neutron's agent began to connect the guest's tap; None where there is no such agent."""
    links, agent = evidence.destination_links, evidence.destination_agent
    if links is None or links.tap is None or agent is None or links.tap not in agent.marks:
        return None
    return clocks.on_prober(run.destination, agent.marks[links.tap])


def _announcements(
    run: RunRecord, evidence: Evidence, clocks: ClockModel, stopped: float | None
) -> Iterator[tuple[str, float | None, str | None, str]]:
    """When the guest's move was first told to the network, at its own tap and where it leaves the host."""
    if stopped is None:
        return
    for point, name in (
        ("destination tap", ANNOUNCED_AT_TAP),
        ("destination uplink", ANNOUNCED_AT_UPLINK),
    ):
        capture = evidence.captures.get(point)
        if capture is not None:
            since = stopped - clocks.uncertainty_seconds(run.source, run.destination)
            time = clocks.on_prober(run.destination, capture.time)
            found = first_announcement(capture, time, since, guest_mac(evidence.captures))
            yield name, found, run.destination, CAPTURE_FILES[point]


def _ended_by_nova(
    run: RunRecord, evidence: Evidence, clocks: ClockModel
) -> Iterator[tuple[str, float | None, str | None, str]]:
    if evidence.source_nova is not None and "source_ends" in evidence.source_nova.marks:
        ended = clocks.on_prober(run.source, evidence.source_nova.marks["source_ends"])
        yield NOVA_LOG_ENDS, ended, run.source, SOURCE_NOVA_LOG.path
    if run.nova.ended_at is not None:
        ended = clocks.on_prober(run.source, run.nova.ended_at)
        yield NOVA_RECORD_ENDS, ended, run.source, RUN_FILE


def _phases(
    has_postcopy: bool,
    requested: float,
    started: float | None,
    stopped: float | None,
    left: float | None,
    resumed: float | None,
    completed: float,
) -> Iterator[Phase]:
    """`left`: where nobody noted when the guest stopped, the last moment at which it still ran there."""
    start = min(started, completed) if started is not None else completed
    if stopped is not None:
        start = min(start, stopped)
    yield Phase("setup", requested, start)
    if stopped is None and left is None:
        yield Phase("precopy", start, completed)
        return
    known = stopped is not None and resumed is not None
    if stopped is not None:
        yield Phase("precopy", start, stopped)
    elif left is not None:
        stopped = max(start, left)
        yield Phase("precopy", start, stopped, known=False)
    assert stopped is not None
    until = completed if resumed is None else resumed
    yield Phase("switchover" if known else UNKNOWN_PHASE, stopped, max(stopped, until), known)
    if resumed is None:
        return
    if completed > resumed:
        # Pre-copy has nothing left to send once the destination runs; what follows is cleaning up.
        yield Phase("postcopy" if has_postcopy else "completion", resumed, completed)


def _completed(source: list[Event], requested: float, finished: float) -> tuple[float, str]:
    """The source's job-completed event, else when the driver or the run ended; and which file says so."""
    for event in source:
        if event.kind == "job-completed" and event.time >= requested:
            return event.time, SOURCE_EVENTS.path
    return max(requested, finished), RUN_FILE


def _resumed(
    has_postcopy: bool, destination: list[Event], stopped: float, uncertainty: float, wire: Wire
) -> float | None:
    """The destination's first RESUMED event; None where it has none, or where only a later one is there.

    libvirt tells a second one, MIGRATED, when post-copy is over. It is the only one where nothing was left to
    fetch; where pages were asked for before it, the guest ran already and the first one is lost.
    """
    resumes = (event for event in destination if event.kind == "lifecycle" and event.name == "RESUMED")
    first = next((event for event in resumes if event.time >= stopped - uncertainty), None)
    if first is None:
        return None
    at_end = has_postcopy and first.detail == "MIGRATED"
    return None if at_end and last_page_request(wire, stopped, first.time) else first.time


def _last_seen_at_source(mode: Mode, source: list[Event], asked: float | None, until: float) -> float | None:
    """The last thing before `until` that shows the guest on the source: asking for the switchover, or a pass.

    A pass that QEMU counts at the switchover itself is none of these: the third in hybrid mode, the second in
    post-copy.
    """
    passes = mode.switchover_iteration or math.inf
    seen = [
        event.time
        for event in source
        if event.kind == "migration-iteration" and (event.iteration or 0) <= passes
    ]
    seen += [] if asked is None else [asked]
    return max((time for time in seen if time <= until), default=-math.inf)


def _lifecycle(events: list[Event], name: str, since: float) -> Iterator[float]:
    return (
        event.time
        for event in events
        if event.kind == "lifecycle" and event.name == name and event.time >= since
    )


def _moved(event: Event, clocks: ClockModel, node: str | None) -> Event:
    return replace(event, time=clocks.on_prober(node, event.time))
