"""The same quantity from different sources, so that they can be held against each other."""

from __future__ import annotations

from analysis.report.analysis import Analysis
from analysis.report.blocks import Cell, Column, Fold, Section, Table, Text, label
from analysis.report.cells import RUNS_COLUMN, case_cell, estimate_cell
from analysis.report.context import Context
from analysis.report.words import words
from analysis.run.formatter import Unit
from analysis.run.metrics import readings
from analysis.stats.intervals import median_estimate


def section(context: Context) -> Section | None:
    """None if no run has metrics."""
    tables = source_tables(context)
    if not tables:
        return None
    folds = [
        Fold(
            f"fold-{table.identifier}",
            table.title,
            [table],
            f"sources: {len(table.columns) - 2}, cases: {len(table.rows)}",
        )
        for table in tables
    ]
    text = Text(words("sources.about"))
    return Section("sources", "The same quantity from different sources", "Sources", [text, *folds])


def source_tables(context: Context) -> list[Table]:
    """One table per quantity: a row per case, a column per source, medians over the counted runs."""
    analysis = context.analysis
    by_quantity: dict[str, dict[str, dict[str, list[float]]]] = {}
    units: dict[str, Unit] = {}
    for case in analysis.cases:
        for run in case.counted or case.not_converged:
            for reading in readings(run.metrics) if run.metrics else ():
                units[reading.quantity] = reading.unit
                sources = by_quantity.setdefault(reading.quantity, {})
                sources.setdefault(reading.source, {}).setdefault(case.case, []).append(reading.value)
    tables = []
    for quantity, sources in by_quantity.items():
        shown = units[quantity].formatter
        rows: list[list[Cell]] = [
            [
                case_cell(case),
                *(
                    estimate_cell(median_estimate(values.get(case.case, [])), shown.factor)
                    for values in sources.values()
                ),
                context.runs_cell(case.counted or case.not_converged),
            ]
            for case in analysis.cases
            if any(case.case in values for values in sources.values())
        ]
        columns = (label("case"), *(Column(source, shown.column_unit) for source in sources), RUNS_COLUMN)
        identifier = "sources-" + "".join(char if char.isalnum() else "-" for char in quantity)
        caption = _caption(analysis, quantity)
        tables.append(Table(identifier, quantity.capitalize(), columns, rows, caption, heading=False))
    return tables


def _caption(analysis: Analysis, quantity: str) -> str | None:
    """Of the start of post-copy: how often reverse traffic and events put it at the same moment."""
    if quantity == "ping outage, at least":
        return words("sources.least_outage")
    if quantity != "start of post-copy":
        return None
    hybrid = [
        run.metrics
        for run in analysis.results.runs
        if run.metrics and run.record.spec.mode.whole_passes and run.record.has_postcopy
    ]
    seen = [metrics.borders_agree for metrics in hybrid if metrics.borders_agree is not None]
    return words("sources.borders", seen=len(seen), hybrid=len(hybrid), agree=sum(seen))
