"""The report for a paper's appendix: tables 2 to 4, claims, environment and deviations in plain Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analysis.report.blocks import Cell, Column, Table
from analysis.report.context import Context
from analysis.report.formats import markdown_text
from analysis.report.overview import other_release, summarise
from analysis.report.page import written_at
from analysis.report.sections.article import article_tables
from analysis.report.sections.claims import claims_table
from analysis.report.sections.environment import environment_tables
from analysis.report.sections.lines import fits_table
from analysis.report.sections.summary import headline_table
from analysis.report.sections.wall_time import floor_table


def render_appendix(context: Context) -> str:
    """The document as text; run directories are named relative to the results directory."""
    return "\n".join(_lines(context)) + "\n"


def _lines(context: Context) -> Iterator[str]:
    analysis = context.analysis
    study, lab, published = analysis.results.study, analysis.results.lab, analysis.published
    yield f"# {markdown_text(study.title)}"
    yield ""
    commit = f", kit commit {lab.kit_commit}" if lab.kit_commit else ""
    yield markdown_text(
        f"Study {study.name} on lab {lab.lab}, release {lab.release}, backend {lab.backend}{commit}; "
        f"written {written_at()}."
    )
    if published:
        yield ""
        yield markdown_text(f"Published: {published.title}, {published.authors}, {published.year}.")
    yield ""
    for line in summarise(analysis).headline:
        yield f"- {markdown_text(line)}"
    yield from _table(headline_table(context))
    for table in article_tables(context):
        yield from _table(table)
    yield from _table(fits_table(context))
    if analysis.verdicts:
        yield from _table(claims_table(context))
        other = other_release(analysis)
        if other:
            yield from ("", markdown_text(other))
    for table in environment_tables(analysis):
        yield from _table(table)
    yield from _table(floor_table(context))
    yield from _run_directories(context)


def _table(table: Table) -> Iterator[str]:
    """A heading, the table, its caption; nothing for a table without rows."""
    if not table.rows:
        return
    # Run directories are listed once at the end: a row of links is of no use on paper.
    shown = [index for index, column in enumerate(table.columns) if column.text not in ("runs", "more in")]
    yield from ("", f"## {markdown_text(table.title)}", "")
    yield _row(_head(table.columns[index]) for index in shown)
    yield _row("---:" if table.columns[index].numeric else "---" for index in shown)
    for row in table.rows:
        yield _row(_text(row[index]) for index in shown)
    if table.caption:
        yield from ("", markdown_text(table.caption))


def _run_directories(context: Context) -> Iterator[str]:
    yield from ("", "## Run directories", "")
    for case in context.analysis.cases:
        runs = ", ".join(run.path.rsplit("/", 1)[-1] for run in case.runs)
        yield f"- `runs/{case.case}/`: {runs}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _head(column: Column) -> str:
    unit = f" [{markdown_text(column.unit)}]" if column.unit else ""
    return markdown_text(column.text) + unit


def _text(cell: Cell) -> str:
    return markdown_text(f"{cell.text} ({cell.note})" if cell.note else cell.text)
