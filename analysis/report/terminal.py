"""The summary as a table for the terminal, readable in 80 columns."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from analysis.report.formats import EMPTY, as_printed, significant
from analysis.report.overview import CaseLine, Summary
from analysis.stats.intervals import Interval, MedianEstimate


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
    for head in ("time\ns", "data\nMB", "down\nms", "outage\ns", "link\nuse"):
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
        _with_article(case.migration_seconds, 1, prefix, case.published_seconds),
        _with_article(case.forward_bytes, 1e-6, prefix, case.published_mb),
        _with_article(case.downtime_seconds, 1e3, "", None),
        _outage(case.ping_outage),
        f"{case.link_use.median:.2f}" if case.link_use else EMPTY,
    ]


def _with_article(estimate: MedianEstimate | None, factor: float, prefix: str, article: float | None) -> Text:
    text = EMPTY if estimate is None else prefix + significant(estimate.median * factor)
    return Text(text) if article is None else Text.assemble(f"{text}\n", (f"({as_printed(article)})", "dim"))


def _outage(outage: Interval | None) -> str:
    if outage is None:
        return EMPTY
    return f"{outage.low:.2f}-{outage.high:.2f}"
