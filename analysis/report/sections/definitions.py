"""What the report's words mean, and in which units its numbers are."""

from __future__ import annotations

from analysis.report.blocks import Cell, Fold, Section, Table, Terms, label
from analysis.report.cells import missing
from analysis.report.context import Context
from analysis.report.words import terms, words
from analysis.run.metrics import METRICS, Direction

# The metrics of the tables of cases.
_MAIN_METRICS = ("migration_seconds", "forward_bytes", "downtime_seconds", "link_use")


def section(context: Context) -> Section:
    """The same in every report."""
    main = [(METRICS[name].label, METRICS[name].definition) for name in _MAIN_METRICS]
    table = metrics_table()
    fold = Fold("fold-metrics", table.title, [table], f"{len(table.rows)} metrics")
    return Section("definitions", "Definitions and units", "Definitions", [Terms([*main, *terms()]), fold])


def metrics_table() -> Table:
    """The registry: a row per metric, in the order of the columns of runs.csv."""
    rows = [
        [
            Cell(name, metric.label),
            Cell(metric.definition),
            Cell(metric.source),
            Cell(metric.unit.name),
            missing() if metric.direction is Direction.NEITHER else Cell(metric.direction),
        ]
        for name, metric in METRICS.items()
    ]
    columns = (label("metric"), label("definition"), label("source"), label("unit"), label("direction"))
    caption = words("definitions.metrics")
    return Table("metrics", "Every metric of a run", columns, rows, caption, cards=True, heading=False)
