"""Cells that many tables need: a median with its interval, an outage, the runs behind a row."""

from __future__ import annotations

from collections.abc import Callable

from analysis.report.blocks import Cell, Column, label
from analysis.report.formats import counts_text, estimate_note, estimate_text, interval_text
from analysis.run.formatter import EMPTY
from analysis.run.metrics import METRICS, RunMetrics
from analysis.stats.intervals import MedianEstimate
from analysis.study.cases import CaseSummary
from analysis.study.results import RunResult

RUNS_COLUMN = label("runs")
# A column of a table of cases, with what makes its cell.
CaseColumn = tuple[Column, Callable[[CaseSummary], Cell]]


def estimate_cell(estimate: MedianEstimate | None, factor: float = 1.0, prefix: str = "") -> Cell:
    """Median with its interval or range below it."""
    if estimate is None:
        return missing()
    return Cell(prefix + estimate_text(estimate, factor), estimate_note(estimate, factor))


def metric_column(name: str) -> Column:
    """The head of a metric's column, as its registry entry has it."""
    metric = METRICS[name]
    return Column(metric.label, metric.shown.column_unit)


def metric_cell(name: str, estimate: MedianEstimate | None, prefix: str = "") -> Cell:
    """The median of a metric with its interval, in the unit of the metric's column."""
    return estimate_cell(estimate, METRICS[name].shown.factor, prefix)


def median_column(name: str) -> CaseColumn:
    """A metric's median over the completed runs of a case."""
    return metric_column(name), lambda case: metric_cell(name, case.estimate(name))


def reached_column(name: str) -> CaseColumn:
    """The same; of a case that never converged, behind a >, what was reached when the limit aborted it."""
    return metric_column(name), lambda case: metric_cell(
        name, case.reached(name), "" if case.converged else "> "
    )


def value_cell(name: str, metrics: RunMetrics) -> Cell:
    """One run's value of a metric, as its column has it."""
    value = getattr(metrics, name)
    return missing() if value is None else Cell(METRICS[name].shown.text(value))


def outage_cell(case: CaseSummary) -> Cell:
    """The median ping outage as an interval, below it what the finer ping saw."""
    outage, fine = case.outage(), case.fine_outage()
    if outage is None:
        return missing()
    return Cell(interval_text(outage), f"10 ms ping: {interval_text(fine, 3)}" if fine else None)


OUTAGE_COLUMN: CaseColumn = (Column("ping outage", "s"), outage_cell)


def missing(text: str = EMPTY) -> Cell:
    return Cell(text, tone="muted")


def number_cell(value: float | None, form: str, factor: float = 1.0) -> Cell:
    """A number in this format; what is not known is missing."""
    return missing() if value is None else Cell(f"{value * factor:{form}}")


def case_anchor(case: str) -> str:
    """The page's anchor of the list of a case's runs."""
    return f"#runs-{case}"


def case_cell(case: CaseSummary, note: str | None = None) -> Cell:
    """A case's name; leads to the list of its runs."""
    return Cell(case.case, note, href=case_anchor(case.case))


def measured_runs(case: CaseSummary) -> list[RunResult]:
    """Runs that count, and those aborted at their limit: what is counted over a case's runs."""
    return [run for run in (*case.counted, *case.not_converged) if run.metrics]


def outcomes_text(case: CaseSummary) -> str:
    """How the case's runs ended: 3 completed (2 in pre-copy), 1 guest corrupted."""
    text = counts_text(case.outcomes.items())
    if not case.ended_early:
        return text
    return text.replace("completed", f"completed ({case.ended_early} in pre-copy)", 1)


CASE_COLUMN: CaseColumn = (label("case"), case_cell)
