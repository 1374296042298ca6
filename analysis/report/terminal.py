"""The summary as a table for the terminal, readable in 80 columns."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from analysis.report.formats import as_printed
from analysis.report.overview import CaseLine, Summary
from analysis.run.formatter import EMPTY, significant
from analysis.run.metrics import METRICS
from analysis.stats.intervals import Interval, MedianEstimate

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
    table = Table(
        title=Text(f"{summary.study} on lab {summary.lab} (release {summary.release})", "bold"),
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
    for case in summary.cases:
        table.add_row(*_row(case), style=None if _good(case) else "yellow")
    return table


def _good(case: CaseLine) -> bool:
    return set(case.outcomes) <= {"completed", "not converged"}


def _row(case: CaseLine) -> list[str | Text]:
    outcomes = ", ".join(f"{count} {words}" for words, count in case.outcomes.items())
    prefix = "" if case.converged else ">"
    return [
        Text.assemble(f"{case.case}\n  ", (outcomes, "dim")),
        f"{case.done}/{case.planned}",
        _with_article("migration_seconds", case.migration_seconds, prefix, case.published_seconds),
        _with_article("forward_bytes", case.forward_bytes, prefix, case.published_mb),
        _with_article("downtime_seconds", case.downtime_seconds, "", None),
        _outage(case.ping_outage),
        f"{case.link_use.median:.2f}" if case.link_use else EMPTY,
    ]


def _with_article(name: str, estimate: MedianEstimate | None, prefix: str, article: float | None) -> Text:
    text = EMPTY if estimate is None else prefix + significant(estimate.median * METRICS[name].shown.factor)
    return Text(text) if article is None else Text.assemble(f"{text}\n", (f"({as_printed(article)})", "dim"))


def _outage(outage: Interval | None) -> str:
    if outage is None:
        return EMPTY
    return f"{outage.low:.2f}-{outage.high:.2f}"
