"""Wall time against its floor: who is charged where runs overlap, follow closely, or are interrupted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.study.results import Results, load_results
from analysis.study.wall_time import run_times, wall_time
from tests.unit.analysis.builder import EPOCH, RATE, Model, write_study

FIRST, SECOND, THIRD = Model(threads=1), Model(threads=2), Model(threads=4)
# As the builder writes run.json: a guest boots 6 s before the request, a run is recorded 5.1 s after its end.
BEFORE, AFTER = 6.0, 5.1
OVERLAP, INTERRUPTION = 2.0, 1000.0


def length(model: Model) -> float:
    return BEFORE + model.completed + AFTER


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The second run starts before the first is recorded, the third long after the second."""
    second_at = EPOCH + length(FIRST) - OVERLAP
    third_at = second_at + length(SECOND) + INTERRUPTION
    models = [FIRST, replace(SECOND, requested_at=second_at), replace(THIRD, requested_at=third_at)]
    directory: Path = tmp_path_factory.mktemp("results")
    # The builder makes repetitions differ a little in their bytes; the tests allow for it.
    return load_results(write_study(directory, [(model, 1) for model in models]))


def test_a_run_is_charged_until_the_next_one_starts(results: Results) -> None:
    charged = [time.charged_seconds for time in run_times(results.runs)]
    assert charged[0] == pytest.approx(length(FIRST) - OVERLAP, abs=0.01)
    assert charged[1:] == [pytest.approx(length(SECOND), abs=0.1), pytest.approx(length(THIRD), abs=0.1)]


def test_an_interruption_is_charged_to_nobody_but_told(results: Results) -> None:
    left_out = [time.left_out_seconds for time in run_times(results.runs)]
    assert left_out == [0, pytest.approx(INTERRUPTION, abs=0.1), 0]


def test_the_floor_is_bytes_over_rate_and_boot_and_fill(results: Results) -> None:
    first = run_times(results.runs)[0]
    assert first.run.metrics
    assert first.floor_seconds == pytest.approx(
        first.run.metrics.forward_bytes * 8 / (RATE * 1514 / 1448) + 5.5
    )
    total = wall_time(run_times(results.runs))
    assert total and len(total.runs) == 3
    assert total.ratio == pytest.approx(total.charged_seconds / total.floor_seconds)
    assert 1.0 < total.ratio < 2.0


def test_only_counted_runs_are_held_against_a_floor(tmp_path: Path) -> None:
    failed = replace(FIRST, outcome="failed", cause="guest_corrupted")
    results = load_results(write_study(tmp_path, [(failed, 1)]))
    assert wall_time(run_times(results.runs)) is None


def test_pairs_of_hosts_work_beside_each_other(results: Results) -> None:
    """What another pair does at the same time shortens nobody's charge."""
    first, second, third = results.runs
    nodes = replace(second.record.nodes, source="compute3", destination="compute4")
    elsewhere = replace(second, record=replace(second.record, nodes=nodes))
    times = {time.run.path: time for time in run_times((first, elsewhere, third))}
    record = first.record
    assert times[first.path].charged_seconds == pytest.approx(record.finished_at - record.started_at)
