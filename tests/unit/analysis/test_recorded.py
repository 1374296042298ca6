"""The analysis of real runs: independent sources must tell the same story (tests/data/results/README.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.report import write_report
from analysis.report.analysis import Analysis, analyse
from analysis.report.overview import summarise
from analysis.run.metrics import RunMetrics
from analysis.study.results import RunResult, load_results
from tests.unit.analysis.cases import load_measured

UNLOADED = "runs/hybrid-s-unloaded-1gbit/01"
HYBRIDS = (
    "runs/hybrid-s-stress-1x256mib-1gbit/01",
    "runs/hybrid-s-stress-2x256mib-1gbit/02",
    "runs/hybrid-s-stress-4x256mib-1gbit/01",
)
PRECOPY = "runs/precopy-s-stress-2x256mib-1gbit/02"
POSTCOPY = "runs/postcopy-s-stress-1x512mib-1gbit/01"
FAILED = "runs/precopy-s-stress-2x256mib-1gbit/01"
DAMAGED = "runs/hybrid-tiny-stress-1x256mib-1gbit/03"
STUDIES = ("quick/local", "modes/loop", "failed/loop", "caught/zed")


@pytest.fixture(scope="module")
def data(project: Path) -> Path:
    return project / "tests" / "data" / "results"


@pytest.fixture(scope="module")
def runs(data: Path) -> dict[str, RunResult]:
    return {run.path: run for study in STUDIES for run in load_results(data / study).runs}


@pytest.fixture(scope="module")
def quick(data: Path) -> Analysis:
    return analyse(data / "quick" / "local")


def metrics_of(runs: dict[str, RunResult], path: str) -> RunMetrics:
    metrics = runs[path].metrics
    assert metrics is not None
    return metrics


@pytest.mark.parametrize("path", [UNLOADED, *HYBRIDS, POSTCOPY])
def test_sources_of_a_completed_run_agree(runs: dict[str, RunResult], path: str) -> None:
    metrics = metrics_of(runs, path)
    assert runs[path].counted
    assert metrics.migration_seconds_libvirt == pytest.approx(metrics.migration_seconds, abs=1.0)
    assert metrics.migration_seconds_events == pytest.approx(metrics.migration_seconds, abs=0.1)
    assert metrics.migration_seconds_wire is not None
    assert metrics.migration_seconds_wire < metrics.migration_seconds
    # QEMU counts what it hands to TCP, the wire carries 66 bytes of headers with each 1448 of it.
    assert metrics.forward_bytes_libvirt is not None
    assert metrics.forward_bytes == pytest.approx(metrics.forward_bytes_libvirt * 1514 / 1448, rel=0.001)
    assert metrics.forward_bytes_received == pytest.approx(metrics.forward_bytes, rel=0.001)
    assert metrics.backward_bytes_received == pytest.approx(metrics.backward_bytes, rel=0.01)
    assert metrics.backward_bytes < 0.01 * metrics.forward_bytes


@pytest.mark.parametrize("path", [UNLOADED, *HYBRIDS, POSTCOPY, PRECOPY])
def test_phases_fill_the_migration(runs: dict[str, RunResult], path: str) -> None:
    metrics = metrics_of(runs, path)
    phases = (
        metrics.setup_seconds,
        metrics.precopy_seconds,
        metrics.switchover_seconds,
        metrics.postcopy_seconds,
    )
    assert sum(phase or 0 for phase in phases) == pytest.approx(metrics.migration_seconds, abs=0.1)


@pytest.mark.parametrize("path", HYBRIDS)
def test_reverse_traffic_puts_the_border_where_the_events_do(runs: dict[str, RunResult], path: str) -> None:
    metrics = metrics_of(runs, path)
    assert metrics.border_by_events_seconds is not None
    assert metrics.border_by_traffic_seconds == pytest.approx(metrics.border_by_events_seconds, abs=0.15)
    assert metrics.borders_agree is True
    assert metrics.page_requests is not None and metrics.page_requests > 300


def test_a_post_copy_without_requests_leaves_no_border(runs: dict[str, RunResult]) -> None:
    metrics = metrics_of(runs, UNLOADED)
    assert metrics.page_requests == 0
    assert metrics.border_by_traffic_seconds is None
    assert metrics.borders_agree is None


def test_the_finer_ping_sees_the_switchover(runs: dict[str, RunResult]) -> None:
    """The guest stood still for 30 ms: no ping of 0.1 s was lost, some of 0.01 s were."""
    metrics = metrics_of(runs, UNLOADED)
    assert metrics.downtime_seconds == pytest.approx(0.030, abs=0.001)
    assert metrics.ping_lost == 0
    assert metrics.fine_outage_low_seconds is not None and metrics.fine_outage_high_seconds is not None
    assert 0.01 < metrics.fine_outage_low_seconds < metrics.downtime_seconds
    assert metrics.downtime_seconds < metrics.fine_outage_high_seconds < 0.06


def test_a_quiet_machine_fills_the_link(runs: dict[str, RunResult]) -> None:
    metrics = metrics_of(runs, HYBRIDS[1])
    assert metrics.link_rate_measured
    assert metrics.link_use == pytest.approx(0.955, abs=0.005)


def test_precopy_that_did_not_converge(runs: dict[str, RunResult], data: Path) -> None:
    run = runs[PRECOPY]
    metrics = metrics_of(runs, PRECOPY)
    assert run.record.outcome == "not_converged"
    assert not run.counted and not metrics.converged
    assert metrics.migration_seconds == pytest.approx(30.3, abs=0.1)
    assert metrics.downtime_seconds is None
    assert metrics.ping_lost == 0
    assert metrics.iterations == 5
    assert metrics.forward_bytes > 4 * run.record.spec.stressed_bytes
    assert metrics.forward_bytes_libvirt is not None
    assert metrics.forward_bytes == pytest.approx(metrics.forward_bytes_libvirt * 1514 / 1448, rel=0.01)
    results = load_results(data / "quick" / "local")
    timeline = load_measured(data / "quick" / "local", PRECOPY, results.labs).timeline
    assert timeline.first_pass_done is not None
    assert [phase.name for phase in timeline.phases] == ["setup", "precopy"]


def test_postcopy_kept_pings_waiting_but_lost_none(runs: dict[str, RunResult]) -> None:
    metrics = metrics_of(runs, POSTCOPY)
    assert metrics.ping_lost == 0
    assert metrics.ping_late > 5
    assert 0.8 < metrics.ping_longest_round_trip_seconds < 1.0
    assert metrics.precopy_seconds is not None and metrics.precopy_seconds < 0.2


def test_a_run_that_failed_before_migrating_has_its_cause_and_no_metrics(runs: dict[str, RunResult]) -> None:
    run = runs[FAILED]
    assert run.metrics is None
    assert run.excluded_because is not None
    assert run.excluded_because.startswith("failed, fill_failed: the stressor")


def test_stressed_memory_travels_close_to_twice(quick: Analysis) -> None:
    (series,) = quick.series
    assert series.data_fit is not None
    assert series.data_fit.slope == pytest.approx(1.92, abs=0.05)
    assert series.data_fit.r_squared > 0.998


def test_a_busy_machine_is_named(quick: Analysis) -> None:
    messages = {notice.file.split("/")[1]: notice.message for notice in quick.results.notices}
    assert messages["hybrid-s-stress-4x256mib-1gbit"].startswith("used only 62% of the link")
    assert quick.guests_not_intact == {}
    verdicts = {verdict.identifier: verdict for verdict in quick.verdicts}
    assert verdicts["linear-time"].verdict == "not testable here"
    assert "slowed by something else than the link" in verdicts["linear-time"].reason


def test_report_of_real_runs(data: Path, tmp_path: Path) -> None:
    paths = write_report(data / "quick" / "local", tmp_path)
    text = paths.html.read_text(encoding="utf-8")
    assert "5 of 12 planned runs have a result: 4 completed, 1 not converged." in text
    assert "Guest integrity: all 5 guests were shown intact" in text
    assert "1 of them never left the source: aborted at the limit." in text
    assert "The reverse traffic shows it in 3 of 4 hybrid runs" in text


def test_a_damaged_guest_is_measured_but_counts_nowhere(runs: dict[str, RunResult], data: Path) -> None:
    run = runs[DAMAGED]
    assert run.not_intact and not run.counted
    assert run.excluded_because is not None
    assert run.excluded_because.startswith("failed, guest_corrupted: kernel: [ 10.754803] WARNING")
    metrics = metrics_of(runs, DAMAGED)
    assert metrics.converged and metrics.forward_bytes > 600e6
    (case,) = analyse(data / "caught" / "zed").cases
    assert [counted.path for counted in case.counted] == ["runs/hybrid-tiny-stress-1x256mib-1gbit/01"]


def test_the_report_says_first_that_a_guest_was_damaged(data: Path, tmp_path: Path) -> None:
    paths = write_report(data / "caught" / "zed", tmp_path)
    said = "Guest integrity: 1 of 2 migrated guests were not shown intact (1 guest corrupted; "
    assert said in paths.html.read_text(encoding="utf-8")
    assert summarise(analyse(data / "caught" / "zed")).headline[1].startswith(said)
