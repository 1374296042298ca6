"""Events that are lost, doubled or out of order: what they alone could tell is unknown, and said to be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from analysis.run.measure import Measured
from analysis.run.metrics import RunMetrics
from analysis.run.timeline import UNKNOWN_PHASE
from analysis.study.results import NOTED, load_results
from tests.unit.analysis.builder import Model, write_study, write_sums
from tests.unit.analysis.cases import load_measured

Event = dict[str, Any]
SOURCE, DESTINATION = "source/events.jsonl", "destination/events.jsonl"
NO_STOP = "has no SUSPENDED event: when the guest stopped is not known, nor the downtime"
NO_RESUME = "has no RESUMED event of the switchover: when the guest ran again is not known, nor the downtime"


def named(name: str, detail: str | None = None) -> Callable[[Event], bool]:
    return lambda event: event.get("name") == name and detail in (None, event.get("detail"))


def rewritten(run_dir: Path, file: str, change: Callable[[list[Event]], Iterable[Event]]) -> None:
    """Change the events of one file, as if they had been recorded so."""
    events = [json.loads(line) for line in (run_dir / file).read_bytes().splitlines()]
    (run_dir / file).write_text("".join(json.dumps(event) + "\n" for event in change(events)))
    write_sums(run_dir)


def without(*lost: Callable[[Event], bool]) -> Callable[[list[Event]], list[Event]]:
    return lambda events: [event for event in events if not any(is_lost(event) for is_lost in lost)]


def measured(results: Path, case: str) -> tuple[Measured, dict[str, str]]:
    """The one run, and its warnings by file (and line)."""
    found = load_results(results, workers=1)
    assert {notice.effect for notice in found.notices} <= {NOTED}
    prefix = f"runs/{case}/01/"
    warnings = {
        notice.file.removeprefix(prefix) + (f":{notice.line}" if notice.line else ""): notice.message
        for notice in found.notices
    }
    return load_measured(results, f"runs/{case}/01", found.labs), warnings


def made(directory: Path, model: Model, file: str, change: Callable[[list[Event]], Iterable[Event]]) -> Any:
    write_study(directory, [(model, 1)])
    rewritten(directory / "runs" / model.case / "01", file, change)
    return measured(directory, model.case)


def lost_by_phase(metrics: RunMetrics) -> tuple[int | None, ...]:
    return metrics.ping_lost_precopy, metrics.ping_lost_switchover, metrics.ping_lost_postcopy


@pytest.mark.parametrize("mode", ["hybrid", "postcopy", "precopy"])
def test_without_the_resume_the_downtime_is_unknown_and_pings_have_no_phase(
    tmp_path: Path, mode: str
) -> None:
    run, warnings = made(tmp_path, Model(mode=mode), DESTINATION, without(named("RESUMED")))
    assert run.metrics.downtime_seconds is None
    assert run.metrics.switchover_seconds is None
    assert run.metrics.precopy_seconds == pytest.approx(run.timeline.source_stopped - run.timeline.started)
    assert run.outage.lost_by_phase[UNKNOWN_PHASE] >= 1
    # Once the migration is over the guest runs on the destination, whenever that began.
    assert set(run.outage.lost_by_phase) <= {UNKNOWN_PHASE, "after"}
    assert warnings == {DESTINATION: NO_RESUME}


@pytest.mark.parametrize("mode", ["hybrid", "postcopy", "precopy"])
def test_without_the_stop_no_ping_is_lost_in_precopy(tmp_path: Path, mode: str) -> None:
    run, warnings = made(tmp_path, Model(mode=mode), SOURCE, without(named("SUSPENDED")))
    metrics = run.metrics
    assert (metrics.downtime_seconds, metrics.precopy_seconds, metrics.switchover_seconds) == (
        None,
        None,
        None,
    )
    assert metrics.ping_lost_precopy == 0
    assert run.timeline.destination_resumed == pytest.approx(
        run.timeline.requested + Model(mode=mode, base_bytes=Model().base_bytes * 1.01).stopped + 0.08,
        abs=0.01,
    )
    assert warnings == {SOURCE: NO_STOP}


def test_what_was_lost_long_before_the_stop_is_still_lost_in_precopy(tmp_path: Path) -> None:
    model = Model(lost_in_precopy=2)
    run, _ = made(tmp_path, model, SOURCE, without(named("SUSPENDED")))
    assert run.metrics.ping_lost_precopy == 2


def test_the_resume_at_the_end_is_not_taken_for_a_lost_first_one(tmp_path: Path) -> None:
    """libvirt tells a second RESUMED when the migration is over (recorded: tests/data/results)."""

    def change(events: list[Event]) -> Iterable[Event]:
        first = next(event for event in events if event["name"] == "RESUMED")
        yield from without(named("RESUMED"))(events)
        yield {**first, "t": first["t"] + 4.0, "detail": "MIGRATED"}

    run, warnings = made(tmp_path, Model(), DESTINATION, change)
    assert run.metrics.downtime_seconds is None
    assert warnings == {DESTINATION: NO_RESUME}


def test_the_order_of_2015s_libvirt(tmp_path: Path) -> None:
    """Destination STARTED, source SUSPENDED, destination RESUMED (twice), source STOPPED; details MIGRATED.

    It has no migration-iteration and no job-completed: nothing is missing.
    """

    def old(events: list[Event]) -> list[Event]:
        kept = [event for event in events if event["event"] in ("lifecycle", "driver")]
        return [{**event, **({"detail": "MIGRATED"} if "detail" in event else {})} for event in kept]

    def twice(events: list[Event]) -> list[Event]:
        return [*old(events), {**old(events)[-1], "t": events[-1]["t"] + 4.5}]

    write_study(tmp_path, [(Model(), 1)])
    run_dir = tmp_path / "runs" / Model().case / "01"
    for described in (tmp_path / "lab.json", run_dir / "run.json"):
        described.write_text(described.read_text().replace('"11.3.0"', '"1.2.13"'))
    rewritten(run_dir, SOURCE, old)
    rewritten(run_dir, DESTINATION, twice)
    run, warnings = measured(tmp_path, Model().case)
    assert run.metrics.downtime_seconds == pytest.approx(0.08, abs=1e-3)
    assert lost_by_phase(run.metrics) == (0, 1, 2)
    assert warnings == {}


def test_a_log_that_ends_early_says_what_it_lacks(tmp_path: Path) -> None:
    run, warnings = made(tmp_path, Model(), SOURCE, lambda events: events[:4])
    assert run.metrics.migration_seconds_events is None
    assert run.metrics.downtime_seconds == pytest.approx(0.08, abs=1e-3)
    assert warnings == {SOURCE: "has no STOPPED event: the migration time by events is not known"}
    assert "source/events.jsonl" not in {moment.source for moment in run.timeline.moments[-1:]}


def test_events_out_of_order_are_taken_by_their_times(tmp_path: Path) -> None:
    write_study(tmp_path, [(Model(), 1)])
    straight, _ = measured(tmp_path, Model().case)
    rewritten(tmp_path / "runs" / Model().case / "01", SOURCE, lambda events: events[::-1])
    run, warnings = measured(tmp_path, Model().case)
    assert run.metrics == straight.metrics
    what = "4 lines are up to 10.4 s older than lines before them: their times count, not their order"
    assert warnings == {f"{SOURCE}:3": what}


def test_events_told_twice_count_once(tmp_path: Path) -> None:
    write_study(tmp_path, [(Model(), 1)])
    straight, _ = measured(tmp_path, Model().case)
    for file in (SOURCE, DESTINATION):
        rewritten(
            tmp_path / "runs" / Model().case / "01",
            file,
            lambda events: [event for event in events for _ in range(2)],
        )
    run, warnings = measured(tmp_path, Model().case)
    assert run.metrics == straight.metrics
    assert warnings == {}


@pytest.mark.parametrize(
    ("file", "lost", "message"),
    [(SOURCE, named("SUSPENDED"), NO_STOP), (DESTINATION, named("RESUMED", "POSTCOPY"), NO_RESUME)],
)
def test_a_recorded_run_without_one_of_its_events(
    project: Path, tmp_path: Path, file: str, lost: Callable[[Event], bool], message: str
) -> None:
    """A real hybrid run: its source tells SUSPENDED twice, its destination RESUMED twice."""
    case = "hybrid-s-stress-2x256mib-1gbit"
    results = shutil.copytree(project / "tests/data/results/quick/local", tmp_path / "local")
    for other in (results / "runs").glob("*/*/"):
        if other.relative_to(results).as_posix() != f"runs/{case}/02":
            shutil.rmtree(other)
    run_dir = results / "runs" / case / "02"
    rewritten(run_dir, file, without(lost))
    found = load_results(results, workers=1)
    (run,) = found.runs
    assert run.metrics is not None
    assert run.metrics.downtime_seconds is None
    assert message in [notice.message for notice in found.notices if notice.file.endswith(file)]
