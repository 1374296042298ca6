"""A report reads each run's evidence once, and draws each picture once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis import plots
from analysis.report import write_report
from analysis.study import results
from analysis.study.results import load_results
from tests.unit.analysis.cases import RECORDED

QUICK = RECORDED / "quick" / "local"


def counted(function: Callable[..., Any], calls: Counter[str], argument: int) -> Callable[..., Any]:
    """The function; every call is counted under this argument of it."""

    def call(*arguments: Any) -> Any:
        calls[str(arguments[argument])] += 1
        return function(*arguments)

    return call


def test_each_run_is_read_once_and_each_picture_drawn_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: Counter[str] = Counter()
    drawn: Counter[str] = Counter()
    monkeypatch.setattr(results, "read_evidence", counted(results.read_evidence, reads, 0))
    monkeypatch.setattr(plots, "save", counted(plots.save, drawn, 1))
    written = write_report(QUICK, tmp_path, workers=1)
    monkeypatch.undo()
    measured = {str(QUICK / run.path) for run in load_results(QUICK).runs if run.metrics}
    assert measured <= set(reads)
    assert set(reads.values()) == {1}
    assert drawn == Counter(str(path) for path in written.pictures if path.suffix == ".svg")
