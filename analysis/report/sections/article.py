"""Tables 2 to 4 and figures 1 to 6 of the article, published and measured side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from analysis import plots
from analysis.evidence.units import MB, MIB
from analysis.reference.fits import published_fits
from analysis.reference.lines import row_key
from analysis.reference.published import MIGRATION_TIME, OUTAGE, TRANSFERRED, Row
from analysis.report.blocks import (
    Block,
    Cell,
    Column,
    Fold,
    Picture,
    Pictures,
    Section,
    Table,
    Text,
    label,
    table_of,
)
from analysis.report.cells import case_anchor, estimate_cell, missing, outage_cell, outcomes_text
from analysis.report.context import Context
from analysis.report.formats import as_printed
from analysis.report.words import words
from analysis.run.formatter import EMPTY, significant
from analysis.study.cases import STRESSED_TABLES, CaseSummary, condition_words
from contract.modes import ARTICLE_MODE

# The article measured one mode alone; cases of the others have their place among the modes compared.
_TABLES = ("table2", *STRESSED_TABLES)
# Number of the figure of time (that of data follows), and step of stressed memory in MiB.
_STRESSED_FIGURES = {"table3": (3, 256), "table4": (5, 1024)}


@dataclass(frozen=True)
class _Line:
    """A published row, and the case that answers it: one of the two may not be there.

    `key`: the row's flavor, or its stressed memory in MiB.
    """

    key: str
    published: Row | None
    case: CaseSummary | None

    def printed(self, column: str) -> Cell:
        """A number of the article, with no digit added."""
        return missing() if self.published is None else Cell(as_printed(self.published.numbers[column]))

    def measured(self, cell_of: Callable[[CaseSummary], Cell]) -> Cell:
        """A cell of the case; leads to the list of its runs."""
        if self.case is None:
            return missing()
        return replace(cell_of(self.case), href=case_anchor(self.case.case))


def section(context: Context) -> Section | None:
    """None for a study that neither has a reference nor cases of the article's tables."""
    blocks: list[Block] = []
    for table in article_tables(context):
        blocks += _shown(context, table)
    if not blocks:
        return None
    published = context.analysis.published
    if published:
        blocks.insert(0, Text(words("article.about", published=published)))
    return Section(
        "article", "Published and measured: tables 2 to 4, figures 1 to 6", "Published/measured", blocks
    )


def article_tables(context: Context) -> list[Table]:
    """Tables 2 to 4 as far as they are published or measured."""
    return [found for table in _TABLES if (found := _table(context, table)).rows]


def _shown(context: Context, table: Table) -> list[Block]:
    """The table with its figures. What this study did not look at stands behind one line."""
    name = table.identifier.replace("-", "")
    plots_of = _unloaded_plots if name == "table2" else _stressed_plots
    blocks: list[Block] = [table, Pictures(plots_of(context, name))]
    if any(case.spec.table == name for case in context.analysis.article_cases):
        return blocks
    title = f"Table {name.removeprefix('table')} with its figures"
    return [Fold(f"fold-{name}", title, blocks, "published only: nothing of it was measured in this study")]


def _unloaded_plots(context: Context, table: str) -> Sequence[Picture]:
    analysis = context.analysis
    cases = [case for case in analysis.article_cases if case.spec.table == table]
    runs = [run for case in cases for run in case.runs]
    return (
        context.picture(
            "figure-1",
            "Figure 1: migration time and outage of unloaded guests",
            words("article.unloaded_time"),
            partial(plots.unloaded_time, analysis.published, cases),
            runs,
        ),
        context.picture(
            "figure-2",
            "Figure 2: data transferred by unloaded guests",
            words("article.unloaded_data"),
            partial(plots.unloaded_data, analysis.published, cases),
            runs,
        ),
    )


def _stressed_plots(context: Context, table: str) -> Sequence[Picture]:
    number, step = _STRESSED_FIGURES[table]
    published = context.analysis.published
    time_fit, data_fit = published_fits(published, table) if published else (None, None)
    series = [line for line in context.analysis.series if line.table == table]
    runs = [run for line in series for case in line.cases for run in case.runs]
    return [
        context.picture(
            f"figure-{figure}",
            f"Figure {figure}: {what}, steps of {step} MiB",
            words("article.stressed"),
            partial(draw, table, published, fit, series),
            runs,
        )
        for figure, what, draw, fit in (
            (number, "migration time", plots.stressed_time, time_fit),
            (number + 1, "data transferred", plots.stressed_data, data_fit),
        )
    ]


def _table(context: Context, table: str) -> Table:
    """Table 2 (unloaded guests by flavor), 3 or 4 (guests with growing stressed memory)."""
    number = table.removeprefix("table")
    unloaded = table == "table2"
    key = label("flavor") if unloaded else label("stressed memory", "MiB")
    columns: list[tuple[Column, Callable[[_Line], Cell]]] = [
        (key, lambda line: Cell(line.key, _load_note(line.case))),
        (Column("time, article", "s"), lambda line: line.printed(MIGRATION_TIME)),
        (Column("time, measured", "s"), _time_cell),
        (Column("ratio", "measured / article"), _ratio_cell),
        (Column("data, article", "MB"), lambda line: line.printed(TRANSFERRED)),
        (Column("data, measured", "MB = 10⁶ B"), lambda line: line.measured(partial(_data_cell, unit=MB))),
        (Column("the same", "MiB = 2²⁰ B"), lambda line: line.measured(partial(_data_cell, unit=MIB))),
        *([(Column("outage, article", "s"), _printed_outage)] if unloaded else []),
        (Column("ping outage, measured", "s"), lambda line: line.measured(outage_cell)),
        (Column("downtime (hypervisor)", "ms"), lambda line: line.measured(_downtime_cell)),
        context.runs_column(lambda line: line.case.runs if line.case else ()),
    ]
    return table_of(
        f"table-{number}",
        f"Table {number}: {'unloaded' if unloaded else 'stressed'} guests, hybrid",
        _lines(context, table),
        columns,
        words("article.table_2" if unloaded else "article.stressed_table"),
    )


def _lines(context: Context, table: str) -> Iterator[_Line]:
    """Every row that is published or measured; a case for each link rate and allowed downtime of a row."""
    published = context.analysis.published
    rows = {row.key: row for row in published.rows(table)} if published else {}
    cases: dict[str, list[CaseSummary]] = {}
    for case in context.analysis.article_cases:
        if case.spec.table == table and case.spec.mode == ARTICLE_MODE:
            cases.setdefault(row_key(table, case), []).append(case)
    keys = list(dict.fromkeys([*rows, *cases]))
    if table in STRESSED_TABLES:
        keys.sort(key=float)
    for key in keys:
        name = f"{float(key):,.0f}" if table in STRESSED_TABLES else key
        for measured in cases.get(key, [None]):
            yield _Line(name, rows.get(key), measured)


def _load_note(case: CaseSummary | None) -> str | None:
    if case is None:
        return None
    spec = case.spec
    condition = ", ".join(filter(None, (spec.link_rate, condition_words(spec))))
    if spec.stressor is None:
        return condition
    threads = f"{spec.stressor} {spec.stress_threads} x {spec.stress_thread_bytes / MIB:.0f} MiB"
    return f"flavor {spec.flavor}, {threads}, {condition}"


def _time_cell(line: _Line) -> Cell:
    case = line.case
    if case is None:
        return missing("not measured")
    if not case.counted:
        return line.measured(lambda case: Cell(EMPTY, outcomes_text(case), tone="bad"))
    return line.measured(lambda case: estimate_cell(case.estimate("migration_seconds")))


def _ratio_cell(line: _Line) -> Cell:
    estimate = line.case.estimate("migration_seconds") if line.case else None
    if estimate is None or line.published is None:
        return missing()
    return Cell(significant(estimate.median / line.published.numbers[MIGRATION_TIME], 2))


def _printed_outage(line: _Line) -> Cell:
    return line.printed(OUTAGE)


def _data_cell(case: CaseSummary, unit: float) -> Cell:
    return estimate_cell(case.estimate("forward_bytes"), 1 / unit)


def _downtime_cell(case: CaseSummary) -> Cell:
    return estimate_cell(case.estimate("downtime_seconds"), 1000)
