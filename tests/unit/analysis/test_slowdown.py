"""Guest slowdown: rates by phase against those before, on made logs of known rates and on real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.parsers.progress import ProgressLog
from analysis.results import load_results
from analysis.slowdown import LEAST_SECONDS, guest_pace, guest_times
from analysis.timeline import Timeline

REQUESTED, STOPPED, COMPLETED = 1000.0, 1010.0, 1020.0


@pytest.fixture(scope="module")
def timeline(project: Path) -> Timeline:
    """A recorded run's timeline, its phases set to 10 s of pre-copy and 10 s of post-copy."""
    from dataclasses import replace

    from analysis.results import load_measured
    from analysis.timeline import Phase

    directory = project / "tests" / "data" / "results" / "quick" / "local"
    run = "runs/hybrid-s-stress-2x256mib-1gbit/02"
    recorded = load_measured(directory, run, load_results(directory).lab).timeline
    phases = (
        Phase("setup", REQUESTED, REQUESTED + 0.2),
        Phase("precopy", REQUESTED + 0.2, STOPPED),
        Phase("postcopy", STOPPED, COMPLETED),
    )
    return replace(recorded, requested=REQUESTED, completed=COMPLETED, phases=phases)


def log(rates: list[tuple[float, float, float]], start: float = REQUESTED - 5.0) -> ProgressLog:
    """Samples each 0.1 s; each rate is (until, bytes per second, processor seconds per second)."""
    time = np.arange(start, COMPLETED + 2.0, 0.1)
    written, used = np.zeros(len(time)), np.zeros(len(time))
    for index in range(1, len(time)):
        rate = next(item for item in rates if time[index] <= item[0] + 0.05)
        written[index] = written[index - 1] + rate[1] * 0.1
        used[index] = used[index - 1] + rate[2] * 0.1
    return ProgressLog(time, time - start, written, used)


def test_each_phase_against_before(timeline: Timeline) -> None:
    progress = log([(REQUESTED, 8e6, 0.8), (STOPPED, 6e6, 0.8), (COMPLETED, 2e6, 0.2), (np.inf, 8e6, 0.8)])
    pace = guest_pace(progress, timeline)
    assert pace
    assert pace.writes["precopy"] == pytest.approx(0.75, abs=0.02)
    assert pace.writes["postcopy"] == pytest.approx(0.25, abs=0.02)
    assert pace.stressor == {"precopy": pytest.approx(1, abs=0.02), "postcopy": pytest.approx(0.25, abs=0.02)}
    assert "setup" not in pace.writes
    assert pace.standstill_seconds == pytest.approx(0.1, abs=0.001)


def test_the_longest_standstill_during_the_migration(timeline: Timeline) -> None:
    whole = log([(np.inf, 8e6, 0.8)])
    time = whole.guest_epoch_seconds
    kept = ~((time > STOPPED) & (time < STOPPED + 3)) & ~((time > REQUESTED - 4) & (time < REQUESTED - 0.5))
    progress = ProgressLog(
        time[kept],
        *(
            column[kept]
            for column in (
                whole.guest_monotonic_seconds,
                whole.pattern_bytes_written,
                whole.stressor_cpu_seconds,
            )
        ),
    )
    pace = guest_pace(progress, timeline)
    assert pace and pace.standstill_seconds == pytest.approx(3.1, abs=0.11)


def test_without_a_stressor_nothing_is_said_of_one(timeline: Timeline) -> None:
    pace = guest_pace(log([(np.inf, 8e6, 0.0)]), timeline)
    assert pace and pace.stressor == {}


def test_too_short_a_look_before_says_nothing(timeline: Timeline) -> None:
    assert guest_pace(log([(np.inf, 8e6, 0.8)], start=REQUESTED - LEAST_SECONDS / 2), timeline) is None
    empty = np.array([])
    assert guest_pace(ProgressLog(empty, empty, empty, empty), timeline) is None


def test_a_jump_of_the_guests_epoch_does_not_turn_time_back() -> None:
    progress = log([(np.inf, 8e6, 0.8)])
    progress.guest_epoch_seconds[-20:] -= 30
    assert (np.diff(guest_times(progress)) > 0).all()


def test_recorded_guests_are_slower_in_postcopy(project: Path) -> None:
    results = load_results(project / "tests" / "data" / "results" / "quick" / "local")
    hybrid = [run.figures for run in results.runs if run.figures and run.figures.guest_writes_postcopy]
    assert len(hybrid) == 3
    for figures in hybrid:
        assert figures.guest_writes_precopy and figures.guest_standstill_seconds
        assert figures.guest_writes_postcopy < figures.guest_writes_precopy <= 1.0
        assert figures.guest_standstill_seconds > 0.1
