"""Tables 2 to 4 and figures 1 to 6 of the article, published and measured side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from analysis import plots
from analysis.evidence.units import MB, MIB
from analysis.reference.published import Published, Stressed
from analysis.report.blocks import Block, Cell, Column, Fold, Pictures, Section, Table, Text, label
from analysis.report.cells import (
    RUNS_COLUMN,
    case_anchor,
    estimate_cell,
    missing,
    outage_cell,
    outcomes_text,
)
from analysis.report.context import Context
from analysis.report.formats import as_printed
from analysis.report.words import words
from analysis.run.formatter import EMPTY, significant
from analysis.study.cases import CaseSummary
from contract.modes import ARTICLE_MODE

# The article measured this mode alone; cases of the others have their place among the modes compared.
_TIME = (
    Column("time, article", "s"),
    Column("time, measured", "s"),
    Column("ratio", "measured / article"),
)
_DATA = (
    Column("data, article", "MB"),
    Column("data, measured", "MB = 10⁶ B"),
    Column("the same", "MiB = 2²⁰ B"),
)
_OUTAGE = (Column("ping outage, measured", "s"), Column("downtime (hypervisor)", "ms"), RUNS_COLUMN)
# Number of the figure of time (that of data follows), table, step of stressed memory in MiB.
_STRESSED = ((3, "table3", 256), (5, "table4", 1024))


def section(context: Context) -> Section | None:
    """None for a study that neither has a reference nor cases of the article's tables."""
    published = context.analysis.published
    blocks = _shown(context, "table2", list(_unloaded(context)))
    for number, table, step in _STRESSED:
        blocks += _shown(context, table, list(_stressed(context, number, table, step)))
    if not blocks:
        return None
    if published:
        blocks.insert(0, Text(words("article.about", published=published)))
    return Section(
        "article", "Published and measured: tables 2 to 4, figures 1 to 6", "Published/measured", blocks
    )


def _shown(context: Context, table: str, blocks: list[Block]) -> list[Block]:
    """What the article has and this study did not look at stands behind one line."""
    if not blocks or any(case.spec.table == table for case in context.analysis.cases):
        return blocks
    title = f"Table {table.removeprefix('table')} with its figures"
    return [Fold(f"fold-{table}", title, blocks, "published only: nothing of it was measured in this study")]


def article_tables(context: Context) -> list[Table]:
    """Tables 2 to 4 as far as they are published or measured."""
    tables = [_table_2(context), *(_stressed_table(context, table) for _, table, _ in _STRESSED)]
    return [table for table in tables if table.rows]


def _unloaded(context: Context) -> Iterator[Block]:
    table = _table_2(context)
    if not table.rows:
        return
    yield table
    analysis = context.analysis
    cases = [case for case in analysis.cases if case.spec.table == "table2"]
    runs = [run for case in cases for run in case.runs]
    yield Pictures(
        (
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
    )


def _stressed(context: Context, number: int, name: str, step: int) -> Iterator[Block]:
    table = _stressed_table(context, name)
    if not table.rows:
        return
    yield table
    published = context.analysis.published
    series = [line for line in context.analysis.series if line.table == name]
    runs = [run for line in series for case in line.cases for run in case.runs]
    yield Pictures(
        (
            context.picture(
                f"figure-{number}",
                f"Figure {number}: migration time, steps of {step} MiB",
                words("article.stressed"),
                partial(plots.stressed_time, name, published, series),
                runs,
            ),
            context.picture(
                f"figure-{number + 1}",
                f"Figure {number + 1}: data transferred, steps of {step} MiB",
                words("article.stressed"),
                partial(plots.stressed_data, name, published, series),
                runs,
            ),
        )
    )


def _table_2(context: Context) -> Table:
    """Unloaded guests by flavor."""
    published = context.analysis.published
    by_flavor = {row.flavor: row for row in published.unloaded} if published else {}
    cases = _cases(context, "table2")
    rows = []
    for flavor in list(dict.fromkeys([*by_flavor, *(case.spec.flavor for case in cases)])):
        row = by_flavor.get(flavor)
        for case in _or_none([case for case in cases if case.spec.flavor == flavor]):
            time, data, last = _measured(context, case, row.migration_seconds if row else None)
            rows.append(
                [
                    Cell(flavor, _load_note(case)),
                    *time,
                    _printed(row.transferred_mb if row else None),
                    *data,
                    _printed(row.outage_seconds if row else None),
                    *last,
                ]
            )
    return Table(
        "table-2",
        "Table 2: unloaded guests, hybrid",
        (label("flavor"), *_TIME, *_DATA, Column("outage, article", "s"), *_OUTAGE),
        rows,
        words("article.table_2"),
    )


def _stressed_table(context: Context, table: str) -> Table:
    """Table 3 or 4: guests with growing stressed memory."""
    published = {row.stressed_mb: row for row in _published_rows(context.analysis.published, table)}
    cases = _cases(context, table)
    rows = []
    for step in sorted({*published, *(case.spec.stressed_bytes / MIB for case in cases)}):
        row = published.get(step)
        for case in _or_none([case for case in cases if case.spec.stressed_bytes / MIB == step]):
            time, data, last = _measured(context, case, row.migration_seconds if row else None)
            rows.append(
                [
                    Cell(f"{step:,.0f}", _load_note(case)),
                    *time,
                    _printed(row.transferred_mb if row else None),
                    *data,
                    *last,
                ]
            )
    number = table.removeprefix("table")
    return Table(
        f"table-{number}",
        f"Table {number}: stressed guests, hybrid",
        (Column("stressed memory", "MiB", numeric=False), *_TIME, *_DATA, *_OUTAGE),
        rows,
        words("article.stressed_table"),
    )


def _cases(context: Context, table: str) -> list[CaseSummary]:
    return [
        case for case in context.analysis.cases if case.spec.table == table and case.spec.mode == ARTICLE_MODE
    ]


def _published_rows(published: Published | None, table: str) -> Sequence[Stressed]:
    return published.stressed[table] if published else ()


def _or_none(cases: Sequence[CaseSummary]) -> Sequence[CaseSummary | None]:
    """A published row without a measured case still has its line."""
    return cases or [None]


def _load_note(case: CaseSummary | None) -> str | None:
    if case is None:
        return None
    spec = case.spec
    if spec.stressor is None:
        return spec.link_rate
    threads = f"{spec.stressor} {spec.stress_threads} x {spec.stress_thread_bytes / MIB:.0f} MiB"
    return f"flavor {spec.flavor}, {threads}, {spec.link_rate}"


def _printed(value: float | None) -> Cell:
    return missing() if value is None else Cell(as_printed(value))


def _measured(
    context: Context, case: CaseSummary | None, article_seconds: float | None
) -> tuple[tuple[Cell, Cell, Cell], tuple[Cell, Cell], tuple[Cell, Cell, Cell]]:
    """Times and their ratio, data in both units, then outage, downtime and runs."""
    article = _printed(article_seconds)
    if case is None:
        nothing = missing()
        return (article, missing("not measured"), nothing), (nothing, nothing), (nothing, nothing, nothing)
    href = case_anchor(case.case)
    estimate = case.estimate("migration_seconds")
    time = estimate_cell(estimate)
    if not case.counted:
        time = Cell(EMPTY, outcomes_text(case), tone="bad")
    ratio = (
        Cell(significant(estimate.median / article_seconds, 2)) if estimate and article_seconds else missing()
    )
    data = case.estimate("forward_bytes")
    return (
        (article, replace(time, href=href), ratio),
        (replace(estimate_cell(data, 1 / MB), href=href), replace(estimate_cell(data, 1 / MIB), href=href)),
        (
            replace(outage_cell(case), href=href),
            replace(estimate_cell(case.estimate("downtime_seconds"), 1000), href=href),
            context.runs_cell(case.runs),
        ),
    )
