"""Lost pings as outages: known outages made of every length, and a real run's ping on its way at the stop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.evidence.logs import Evidence, read_evidence
from analysis.evidence.ping import PingLog
from analysis.evidence.records import read_lab, read_run
from analysis.report.analysis import analyse
from analysis.run.causes import Cause
from analysis.run.measure import Measured, measure_run
from analysis.run.outage import measure_outage, phase_of_lost
from analysis.run.timeline import DESTINATION_RESUMED, SOURCE_STOPPED, Moment, Phase, Timeline
from contract.records import LabRecord, RunRecord

START, STOPPED, RESUMED, COMPLETED = 100.0, 102.0, 102.3, 105.0


def timeline(uncertainty: float = 0.0) -> Timeline:
    """A hybrid migration whose guest stood still for 0.3 s."""
    return Timeline(
        requested=START,
        converged=True,
        started=START + 0.1,
        first_pass_done=None,
        source_stopped=STOPPED,
        destination_resumed=RESUMED,
        completed=COMPLETED,
        border_by_traffic=None,
        last_page_requested=None,
        clock_uncertainty_seconds=uncertainty,
        phases=(
            Phase("setup", START, START + 0.1),
            Phase("precopy", START + 0.1, STOPPED),
            Phase("switchover", STOPPED, RESUMED),
            Phase("postcopy", RESUMED, COMPLETED),
        ),
        moments=(
            Moment(SOURCE_STOPPED, STOPPED, uncertainty, "source/events.jsonl"),
            Moment(DESTINATION_RESUMED, RESUMED, uncertainty, "destination/events.jsonl"),
        ),
    )


def pinged(sent_at: list[float], begins: float, ends: float) -> PingLog:
    """A ping whose every request from `begins` until `ends` was lost."""
    sent = np.array(sent_at)
    gone = (sent >= begins) & (sent < ends)
    numbers = np.arange(1, len(sent) + 1)
    return PingLog(
        answered=numbers[~gone],
        answered_sent_at=sent[~gone],
        round_trip_seconds=np.full(int((~gone).sum()), 0.001),
        lost=numbers[gone],
        lost_sent_at=sent[gone],
        period_seconds=0.1,
        network_errors=0,
        undecided_sent_at=np.empty(0),
    )


@given(
    begins=st.floats(START + 0.2, COMPLETED),
    seconds=st.floats(0.0, 3.0),
    pauses=st.lists(st.floats(0.02, 0.2), min_size=120, max_size=120),
)
def test_the_outage_lies_in_its_interval_whole_and_phase_by_phase(
    begins: float, seconds: float, pauses: list[float]
) -> None:
    """However uneven the ping: what was really lost, in all and in each phase, is inside the bounds."""
    sent = [START - 0.5, *(START - 0.5 + np.cumsum([*pauses, *[0.1] * 60])).tolist()]
    ends = begins + seconds
    found = measure_outage(pinged(sent, begins, ends), timeline())
    assert found.total.low - 1e-9 <= seconds <= found.total.high + 1e-9
    for phase in (*timeline().phases, Phase("after", COMPLETED, 1e9)):
        there = max(0.0, min(ends, phase.end) - max(begins, phase.start))
        bounds = found.by_phase[phase.name]
        assert bounds.low - 1e-9 <= there <= bounds.high + 1e-9, phase.name
    assert sum(part.low for part in found.by_phase.values()) == pytest.approx(found.total.low, abs=1e-9)


@pytest.mark.parametrize("lost", [1, 2, 5])
def test_n_lost_in_a_row_last_one_period_more_or_less(lost: int) -> None:
    sent = (START - 0.45 + 0.1 * np.arange(100)).tolist()
    found = measure_outage(pinged(sent, STOPPED, STOPPED + 0.1 * lost), timeline())
    assert found.lost == lost
    assert found.total.low == pytest.approx(0.1 * (lost - 1))
    assert found.total.high == pytest.approx(0.1 * (lost + 1))


def test_a_phase_between_two_lost_pings_is_lost_as_a_whole() -> None:
    """Neither the first nor the last piece of a gap: the outage was on before the phase and after it."""
    sent = (START - 0.45 + 0.1 * np.arange(100)).tolist()
    found = measure_outage(pinged(sent, STOPPED - 0.2, RESUMED + 0.2), timeline())
    switchover = found.by_phase["switchover"]
    assert (switchover.low, switchover.high) == (pytest.approx(0.3), pytest.approx(0.3))
    narrow = replace(
        timeline(),
        phases=(
            Phase("precopy", START, 102.01),
            Phase("switchover", 102.01, 102.03),
            Phase("postcopy", 102.03, COMPLETED),
        ),
    )
    found = measure_outage(pinged(sent, STOPPED - 0.2, RESUMED + 0.2), narrow)
    assert "switchover" not in found.lost_by_phase, "no ping was sent in those 20 ms"
    assert (found.by_phase["switchover"].low, found.by_phase["switchover"].high) == (
        pytest.approx(0.02),
        pytest.approx(0.02),
    )


@pytest.mark.parametrize(
    ("sent_at", "uncertainty", "phase"),
    [
        (START - 0.1, 0.0, "before"),
        (START + 0.05, 0.0, "setup"),
        (STOPPED - 0.5, 0.0, "precopy"),
        (STOPPED - 0.0025, 0.0, "switchover"),
        (STOPPED - 0.011, 0.0, "precopy"),
        (STOPPED - 0.011, 0.002, "unknown"),
        (STOPPED + 0.1, 0.0, "switchover"),
        (STOPPED + 0.001, 0.05, "unknown"),
        (RESUMED - 0.001, 0.0, "switchover"),
        (RESUMED - 0.001, 0.002, "unknown"),
        (RESUMED + 0.001, 0.002, "unknown"),
        (RESUMED + 0.001, 0.0, "postcopy"),
        (COMPLETED + 1, 0.0, "after"),
    ],
)
def test_the_phase_that_took_a_ping(sent_at: float, uncertainty: float, phase: str) -> None:
    assert phase_of_lost(timeline(uncertainty), sent_at, 0.01) == phase


def measured_at(directory: Path) -> tuple[RunRecord, Evidence, LabRecord, Measured]:
    (run_dir,) = directory.glob("runs/*/01")
    run, evidence, lab = (
        read_run(run_dir / "run.json"),
        read_evidence(run_dir),
        read_lab(directory / "lab.json"),
    )
    return run, evidence, lab, measure_run(run, evidence, lab)


@pytest.fixture(scope="module")
def before_the_stop(project: Path) -> Path:
    return project / "tests" / "data" / "results" / "before-the-stop" / "local"


def test_a_ping_on_its_way_at_the_stop_is_no_outage_of_precopy(before_the_stop: Path) -> None:
    """Ping 25 of a real run left 2.5 ms before the guest stopped: the captures and the phases agree on it."""
    run, evidence, lab, measured = measured_at(before_the_stop)
    assert measured.attribution is not None
    (ping,) = measured.attribution.coarse.lost
    assert (ping.sequence, ping.cause, ping.phase) == (25, Cause.SWITCHOVER, "switchover")
    stopped = measured.timeline.source_stopped
    assert stopped is not None and stopped - ping.sent_at == pytest.approx(0.0025, abs=0.0005)
    # The same without the captures.
    for metrics in (measured.metrics, measure_run(run, replace(evidence, captures={}), lab).metrics):
        assert (metrics.ping_lost_precopy, metrics.ping_lost_switchover, metrics.ping_lost_unknown) == (
            0,
            1,
            0,
        )
    verdicts = {verdict.identifier: verdict for verdict in analyse(before_the_stop).verdicts}
    assert verdicts["no-outage-in-precopy"].verdict == "reproduced"


def test_a_request_that_came_after_the_stop_is_the_switchovers_however_early_it_left(
    before_the_stop: Path,
) -> None:
    """Ping 25 had left 50 ms earlier and been held up: the capture at the source says when it came."""
    run, evidence, lab, _ = measured_at(before_the_stop)
    prober = evidence.captures["prober"]
    early = np.where((prober.ip_bytes == 84) & (prober.sequence == 25), 0.05, 0.0)
    held_up = {**evidence.captures, "prober": replace(prober, time=prober.time - early)}
    measured = measure_run(run, replace(evidence, captures=held_up), lab)
    stopped = measured.timeline.source_stopped
    assert measured.attribution is not None and stopped is not None
    (ping,) = measured.attribution.coarse.lost
    assert stopped - ping.sent_at == pytest.approx(0.0525, abs=0.001)
    assert (ping.cause, ping.phase, measured.metrics.ping_lost_switchover) == (
        Cause.SWITCHOVER,
        "switchover",
        1,
    )


def without(evidence: Evidence, name: str) -> Evidence:
    """The same run, had this event of its guest's life not been recorded."""
    source, destination = (
        tuple(event for event in events if event.name != name)
        for events in (evidence.source_events, evidence.destination_events)
    )
    return replace(evidence, source_events=source, destination_events=destination)


@pytest.mark.parametrize("lost_event", ["RESUMED", "SUSPENDED"])
def test_a_lost_event_leaves_the_phase_of_lost_pings_unknown(before_the_stop: Path, lost_event: str) -> None:
    run, evidence, lab, whole = measured_at(before_the_stop)
    measured = measure_run(run, without(evidence, lost_event), lab)
    metrics = measured.metrics
    assert (metrics.ping_lost, metrics.ping_lost_unknown, metrics.ping_lost_precopy) in ((1, 1, 0), (1, 0, 0))
    assert metrics.ping_switchover_high_seconds is None
    assert (metrics.ping_postcopy_high_seconds is None) == (lost_event == "RESUMED")
    assert (metrics.ping_outage_low_seconds, metrics.ping_outage_high_seconds) == (
        whole.metrics.ping_outage_low_seconds,
        whole.metrics.ping_outage_high_seconds,
    )
    assert measured.attribution is not None and measured.attribution.fine is not None
    causes = {ping.cause for ping in measured.attribution.fine.lost}
    # What came before the stop for want of time is the switchover's whenever the guest resumed.
    assert causes <= ({Cause.UNKNOWN, Cause.SWITCHOVER} if lost_event == "RESUMED" else {Cause.UNKNOWN})
    assert Cause.UNKNOWN in causes
