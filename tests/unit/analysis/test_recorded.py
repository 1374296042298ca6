"""The analysis of real runs: independent sources must tell the same story (tests/data/results/README.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.report import write_report
from analysis.results import RunResult, load_measured, load_results
from analysis.study import Analysis, analyse

HYBRID = "runs/hybrid-s-stress-1x256mib-1gbit/01"
PRECOPY = "runs/precopy-s-stress-1x512mib-1gbit/01"
POSTCOPY = "runs/postcopy-s-stress-1x512mib-1gbit/01"


@pytest.fixture(scope="module")
def data(project: Path) -> Path:
    return project / "tests" / "data" / "results"


@pytest.fixture(scope="module")
def runs(data: Path) -> dict[str, RunResult]:
    results = [*load_results(data / "quick" / "loop").runs, *load_results(data / "modes" / "loop").runs]
    return {run.path: run for run in results}


@pytest.mark.parametrize("path", [HYBRID, POSTCOPY])
def test_sources_of_a_completed_run_agree(runs: dict[str, RunResult], path: str) -> None:
    figures = runs[path].figures
    assert runs[path].counted and figures is not None
    assert figures.migration_seconds_libvirt == pytest.approx(figures.migration_seconds, abs=1.0)
    assert figures.migration_seconds_events == pytest.approx(figures.migration_seconds, abs=0.1)
    assert figures.migration_seconds_wire is not None
    assert figures.migration_seconds_wire < figures.migration_seconds
    assert figures.forward_bytes_libvirt == pytest.approx(figures.forward_bytes, rel=0.01)
    assert figures.forward_bytes_received == pytest.approx(figures.forward_bytes, rel=0.001)
    assert figures.backward_bytes_received == pytest.approx(figures.backward_bytes, rel=0.01)
    assert figures.backward_bytes < 0.01 * figures.forward_bytes


@pytest.mark.parametrize("path", [HYBRID, POSTCOPY, PRECOPY])
def test_phases_fill_the_migration(runs: dict[str, RunResult], path: str) -> None:
    figures = runs[path].figures
    assert figures is not None
    phases = (
        figures.setup_seconds,
        figures.precopy_seconds,
        figures.switch_seconds,
        figures.postcopy_seconds,
    )
    assert sum(phase or 0 for phase in phases) == pytest.approx(figures.migration_seconds, abs=0.1)


def test_hybrid_border_is_seen_in_the_reverse_traffic(runs: dict[str, RunResult]) -> None:
    figures = runs[HYBRID].figures
    assert figures is not None
    assert figures.border_by_events_seconds == pytest.approx(36.57, abs=0.01)
    assert figures.border_by_traffic_seconds == pytest.approx(36.57, abs=0.3)
    assert figures.borders_agree is True
    assert figures.page_requests is not None and figures.page_requests > 0


def test_hybrid_outage_is_the_switch(runs: dict[str, RunResult]) -> None:
    """The guest stood still for 1.0 s; 10 Hz and 100 Hz pings lie around that."""
    figures = runs[HYBRID].figures
    assert figures is not None
    assert figures.downtime_seconds == pytest.approx(1.0, abs=0.01)
    assert figures.ping_lost == 9
    assert figures.ping_lost_precopy == 0
    assert figures.ping_longest_high_seconds == pytest.approx(1.03, abs=0.01)


def test_precopy_that_did_not_converge(runs: dict[str, RunResult], data: Path) -> None:
    run = runs[PRECOPY]
    figures = run.figures
    assert run.record.outcome == "not_converged" and figures is not None
    assert not run.counted
    assert figures.migration_seconds == pytest.approx(30.3, abs=0.1)
    assert figures.downtime_seconds is None
    assert figures.iterations == 4
    assert figures.forward_bytes > 4 * run.record.spec.stressed_bytes
    lab = load_results(data / "modes" / "loop").lab
    timeline = load_measured(data / "modes" / "loop", PRECOPY, lab).timeline
    assert timeline.first_pass_done == pytest.approx(timeline.requested + 13.2, abs=0.1)


def test_postcopy_kept_pings_waiting_but_lost_none(runs: dict[str, RunResult]) -> None:
    figures = runs[POSTCOPY].figures
    assert figures is not None
    assert figures.ping_lost == 0
    assert figures.ping_late > 5
    assert 0.8 < figures.ping_longest_round_trip_seconds < 1.0
    assert figures.precopy_seconds is not None and figures.precopy_seconds < 0.2


def test_a_run_that_failed_before_migrating_has_its_cause_and_no_figures(runs: dict[str, RunResult]) -> None:
    run = runs["runs/precopy-s-stress-2x256mib-1gbit/01"]
    assert run.figures is None
    assert run.excluded_because is not None and run.excluded_because.startswith(
        "failed, fill_failed: the stressor"
    )


@pytest.fixture(scope="module")
def modes(data: Path) -> Analysis:
    return analyse(data / "modes" / "loop")


def test_a_busy_machine_is_named(modes: Analysis) -> None:
    messages = [notice.message for notice in modes.results.notices]
    assert any(message.startswith("used only 84% of the link") for message in messages)
    assert modes.guests_not_intact == {}


def test_report_of_real_runs(data: Path, tmp_path: Path) -> None:
    paths = write_report(data / "quick" / "loop", tmp_path)
    text = paths.html.read_text(encoding="utf-8")
    assert "2 of 6 planned runs have a result: 1 completed, 1 fill failed." in text
    assert paths.summary.headline[1].startswith("Guest integrity: the one migrated guest was shown intact")
