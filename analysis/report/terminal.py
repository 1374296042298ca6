"""The summary as a table for the terminal, readable in 80 columns."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from analysis.report.analysis import Analysis
from analysis.report.cells import outcomes_text
from analysis.report.formats import as_printed
from analysis.report.overview import Summary, published_values
from analysis.run.formatter import EMPTY, significant
from analysis.run.metrics import METRICS
from analysis.stats.intervals import Interval
from analysis.study.cases import CaseSummary

# Metrics of a case, each with a word that leaves room in 80 columns.
_HEADS = {
    "migration_seconds": "time",
    "forward_bytes": "data",
    "downtime_seconds": "down",
    "ping_outage_low_seconds": "outage",
}


def summary_table(summary: Summary) -> Table:
    """A rich table with one row per case: medians, below them the article's number in brackets.

    Print `summary.headline` above it: outcomes and guest integrity come first.
    """
    analysis = summary.analysis
    study, lab = analysis.results.study, analysis.results.lab
    table = Table(
        title=Text(f"{study.name} on lab {lab.lab} (release {lab.release})", "bold"),
        title_justify="left",
        caption="Medians of completed runs with intact guests; (the article); > aborted at its limit.",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    table.add_column("case", overflow="fold")
    table.add_column("runs", justify="right", no_wrap=True)
    for head in (*(f"{word}\n{METRICS[name].shown.unit}" for name, word in _HEADS.items()), "link\nuse"):
        table.add_column(head, justify="right", no_wrap=True)
    for case in analysis.cases:
        table.add_row(*_row(analysis, case), style=None if _good(case) else "yellow")
    return table


def _good(case: CaseSummary) -> bool:
    return set(case.outcomes) <= {"completed", "not converged"}


def _row(analysis: Analysis, case: CaseSummary) -> list[str | Text]:
    """Of a case that never converged what was reached when the limit aborted it."""
    prefix = "" if case.converged else ">"
    seconds, megabytes = published_values(analysis, case) or (None, None)
    link_use = case.reached("link_use")
    return [
        Text.assemble(f"{case.case}\n  ", (outcomes_text(case), "dim")),
        f"{len(case.runs)}/{case.planned}",
        _with_article(case, "migration_seconds", prefix, seconds),
        _with_article(case, "forward_bytes", prefix, megabytes),
        _with_article(case, "downtime_seconds", "", None),
        _outage(case.outage() if case.converged else None),
        f"{link_use.median:.2f}" if link_use else EMPTY,
    ]


def _with_article(case: CaseSummary, name: str, prefix: str, article: float | None) -> Text:
    estimate = case.reached(name)
    text = EMPTY if estimate is None else prefix + significant(estimate.median * METRICS[name].shown.factor)
    return Text(text) if article is None else Text.assemble(f"{text}\n", (f"({as_printed(article)})", "dim"))


def _outage(outage: Interval | None) -> str:
    if outage is None:
        return EMPTY
    return f"{outage.low:.2f}-{outage.high:.2f}"
