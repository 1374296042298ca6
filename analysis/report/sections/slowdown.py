"""Guest slowdown: what the guest itself got done during its migration, against before."""

from __future__ import annotations

from analysis.report.blocks import Cell, Column, Section, Table, Text, label
from analysis.report.cells import RUNS_COLUMN, case_cell, estimate_cell, missing
from analysis.report.context import Context
from analysis.slowdown import LEAST_SECONDS
from analysis.tables import CaseSummary

_PACES = (
    "guest_writes_precopy",
    "guest_writes_postcopy",
    "stressor_pace_precopy",
    "stressor_pace_postcopy",
)


def section(context: Context) -> Section | None:
    """None if no guest was watched from inside."""
    table = slowdown_table(context)
    if not table.rows:
        return None
    text = Text(
        "A program inside the guest writes memory all the time, at 8 MiB/s where nothing hinders it, and "
        "notes ten times a second how far it is and how much processor time the stressor has had. 100 % "
        "is the same guest's rate before its migration. Each timeline shows the writing over time."
    )
    return Section("slowdown", "Guest slowdown", "Guest slowdown", [text, table])


def slowdown_table(context: Context) -> Table:
    """Per case: the guest's own pace in pre-copy and post-copy, and its longest standstill."""
    rows = []
    for case in context.analysis.cases:
        runs = [
            run
            for run in case.counted or case.not_converged
            if run.figures and run.figures.guest_standstill_seconds is not None
        ]
        if not runs:
            continue
        estimate = case.estimate if case.counted else case.not_converged_estimate
        rows.append(
            [
                case_cell(case),
                *(_pace_cell(case, figure) for figure in _PACES),
                estimate_cell(estimate("guest_standstill_seconds")),
                context.runs_cell(runs),
            ]
        )
    columns = (
        label("case"),
        Column("memory written in pre-copy", "of before"),
        Column("in post-copy", "of before"),
        Column("stressor's processor time in pre-copy", "of before"),
        Column("in post-copy", "of before"),
        Column("longest standstill", "s"),
        RUNS_COLUMN,
    )
    return Table(
        "slowdown-table",
        "Guest slowdown by case",
        columns,
        rows,
        "Medians over runs. The longest standstill is the longest time in which the guest's program "
        "noted nothing between the request and the end: it includes waiting for a processor or for a "
        f"page. Phases shorter than {LEAST_SECONDS:g} s are not judged, since the guest's clock is its "
        "own. A stressor can have more processor time than before where the program beside it has less.",
        heading=False,
    )


def _pace_cell(case: CaseSummary, figure: str) -> Cell:
    estimate = (case.estimate if case.counted else case.not_converged_estimate)(figure)
    if estimate is None:
        return missing()
    cell = estimate_cell(estimate, 100)
    return Cell(f"{cell.text} %", cell.note, share=estimate.median)
