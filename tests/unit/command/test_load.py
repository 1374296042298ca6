"""A large study is planned and resumed in a time that grows with its runs, and not with their square."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from control.plan import Plan, Request, make_plan, run_items
from postcopy_lab.board import PlainBoard
from postcopy_lab.journal import RunRecord
from postcopy_lab.study_progress import StudyProgress
from tests.bench.load_speed import SHAPES, Large

Work = Callable[[Plan, Request], object]
FEW_RUNS, TIMES = 500, 8


def time_left(plan: Plan, made: int) -> object:
    records = {
        (case, number): RunRecord(case, number, "completed", None, True, 60.0)
        for case, number in plan.order[:made]
    }
    board = PlainBoard(Console(file=io.StringIO()))
    return StudyProgress(board, plan.specs, tuple(plan.order), records).progress()


WORK: dict[str, Work] = {
    "items": run_items,
    "time left of a new study": lambda plan, _request: time_left(plan, 0),
    "time left of a study almost made": lambda plan, _request: time_left(plan, len(plan.order) - 1),
}


def processor_seconds(work: Work, plan: Plan, request: Request) -> float:
    """The least of three: what else runs on the machine only adds to it."""
    taken = []
    for _ in range(3):
        started_at = time.process_time()
        work(plan, request)
        taken.append(time.process_time() - started_at)
    return min(taken)


@pytest.mark.parametrize("shape", SHAPES)
def test_eight_times_the_runs_take_nearer_to_8_than_to_64_times_as_long(tmp_path: Path, shape: str) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in WORK}
    for runs in (FEW_RUNS, TIMES * FEW_RUNS):
        (tmp_path / str(runs)).mkdir()
        request = Large(tmp_path / str(runs), runs, SHAPES[shape](runs)).request()
        plan = make_plan(request)
        assert len(plan.pending) == runs
        for name, work in WORK.items():
            seconds[name].append(processor_seconds(work, plan, request))
    ratios = {name: large / small for name, (small, large) in seconds.items()}
    # Between the two, as ratios go. A machine's caches alone make 14 of 8.
    assert max(ratios.values()) < TIMES**1.5, (ratios, seconds)
