"""The registry of metrics: what one more entry brings, and what every entry says."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.compare.labs import compare_results, known_metrics
from analysis.report import write_report
from analysis.run.formatter import PINGS
from analysis.run.metrics import HIGHER, METRICS, Direction, Metric, MetricInputs, RunMetrics
from analysis.study.results import load_results
from tests.unit.analysis.cases import RECORDED

QUICK = RECORDED / "quick" / "local"
NAME = "ping_answered"


def _answered(given: MetricInputs) -> int:
    return len(given.evidence.ping.answered_sent_at)


@pytest.fixture
def added() -> Iterator[Metric[int]]:
    """One more metric: its entry, as in the registry, with its function."""
    metric = Metric(_answered, PINGS, HIGHER, "answered pings", "ping, 0.1 s", "Pings that were answered.")
    setattr(RunMetrics, NAME, metric)
    metric.__set_name__(RunMetrics, NAME)
    yield metric
    del METRICS[NAME]
    delattr(RunMetrics, NAME)


def test_a_metric_of_one_entry_is_in_the_csv_the_definitions_and_compare(
    added: Metric[int], tmp_path: Path
) -> None:
    # Another process would not know of it.
    written = write_report(QUICK, tmp_path, workers=1)
    with (tmp_path / "csv" / "runs.csv").open(encoding="utf-8") as file:
        values = {row["run"]: row[NAME] for row in csv.DictReader(file)}
    runs = load_results(QUICK).runs
    answered = {run.path: str(getattr(run.metrics, NAME)) for run in runs if run.metrics}
    assert answered and all(int(count) > 0 for count in answered.values())
    assert {path: values[path] for path in answered} == answered
    page = written.html.read_text(encoding="utf-8")
    assert NAME in page and added.definition in page
    assert NAME in known_metrics()
    rows = compare_results(QUICK, QUICK, (NAME,)).rows
    assert {(row.metric, row.direction) for row in rows} == {(NAME, Direction.HIGHER)}
    assert {row.ratio for row in rows if row.ratio is not None} == {1.0}


def test_every_metric_says_what_it_is() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name and getattr(RunMetrics, name) is metric
        assert metric.label and metric.source, name
        assert metric.definition.endswith("."), name
        assert metric.unit.suffix in name, name


def test_a_runs_metrics_go_through_pickle() -> None:
    run = next(run for run in load_results(QUICK).runs if run.metrics)
    assert pickle.loads(pickle.dumps(run.metrics)) == run.metrics
