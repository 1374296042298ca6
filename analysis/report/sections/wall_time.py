"""What the study cost: its wall time against its physical floor, and a run's steps."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.report.blocks import Block, Cell, Column, Fold, Section, Table, Text, label
from analysis.report.cells import RUNS_COLUMN, case_cell, missing
from analysis.report.context import Context
from analysis.report.words import words
from analysis.run.formatter import significant
from analysis.stats.intervals import median_estimate
from analysis.study.wall_time import RunTime, WallTime, run_times, wall_time
from contract.modes import ARTICLE_MODE

# The project's own aim for the hybrid cases of one repetition.
TARGET_RATIO = 1.3


def section(context: Context) -> Section | None:
    """None if no run can be held against a floor."""
    floors = floor_table(context)
    if not floors.rows:
        return None
    blocks: list[Block] = [Text(words("wall_time.about")), floors]
    steps = steps_table(context)
    if steps.rows:
        blocks.append(Fold("fold-steps", steps.title, [steps], f"{len(steps.rows)} cases"))
    return Section("wall-time", "Wall time against its physical floor", "Wall time", blocks)


def first_repetition(context: Context) -> WallTime | None:
    """The ratio with the target: the hybrid cases' first counted repetition of each."""
    return wall_time(_first_of_each(_hybrid(run_times(context.analysis.results.runs))))


def floor_table(context: Context) -> Table:
    """Wall time, floor and their ratio: hybrid cases of one repetition, each mode, everything."""
    times = run_times(context.analysis.results.runs)
    groups = [("hybrid, one repetition of each case", list(_first_of_each(_hybrid(times))))]
    for mode in dict.fromkeys(time.run.record.spec.mode for time in times):
        groups.append((f"{mode}, all counted runs", [t for t in times if t.run.record.spec.mode == mode]))
    groups.append(("all counted runs", list(times)))
    rows = []
    for name, members in groups:
        total = wall_time(members)
        if total is None:
            continue
        aimed = name == groups[0][0]
        tone = ("good" if total.ratio <= TARGET_RATIO else "bad") if aimed else None
        rows.append(
            [
                Cell(name, f"aim: at most {TARGET_RATIO}" if aimed else None),
                Cell(str(len(total.runs))),
                Cell(significant(total.charged_seconds)),
                Cell(significant(total.floor_seconds)),
                Cell(f"{total.ratio:.2f}", tone=tone),
                context.runs_cell(total.runs),
            ]
        )
    columns = (
        label("which runs"),
        Column("runs"),
        Column("wall time", "s"),
        Column("floor", "s"),
        Column("ratio"),
        RUNS_COLUMN,
    )
    return Table("floor", "Wall time and floor", columns, rows, _gaps(times), heading=False)


def steps_table(context: Context) -> Table:
    """Medians of a run's steps over all runs of a case, whatever their outcome."""
    analysis = context.analysis
    steps = list(dict.fromkeys(step for run in analysis.results.runs for step in run.record.steps_seconds))
    rows = []
    for case in analysis.cases:
        taken = [run.record.steps_seconds for run in case.runs]
        estimates = [median_estimate([item[step] for item in taken if step in item]) for step in steps]
        total = sum(estimate.median for estimate in estimates if estimate)
        cells = [Cell(significant(item.median)) if item else missing() for item in estimates]
        rows.append([case_cell(case), *cells, Cell(significant(total)), context.runs_cell(case.runs)])
    columns = (
        label("case"),
        *(Column(step.replace("_", " "), "s") for step in steps),
        Column("sum", "s"),
        RUNS_COLUMN,
    )
    title = "Wall time of a run by its steps (medians)"
    return Table("steps", title, columns, rows if steps else [], heading=False)


def _hybrid(times: tuple[RunTime, ...]) -> list[RunTime]:
    return [time for time in times if time.run.record.spec.mode == ARTICLE_MODE]


def _first_of_each(times: list[RunTime]) -> Iterator[RunTime]:
    """Of each case the counted run with the lowest number."""
    seen: set[str] = set()
    for time in sorted(times, key=lambda item: item.run.record.repetition):
        if time.run.counted and time.run.record.case not in seen:
            seen.add(time.run.record.case)
            yield time


def _gaps(times: tuple[RunTime, ...]) -> str:
    gaps = [time.left_out_seconds for time in times if time.left_out_seconds]
    return words("wall_time.gaps", count=len(gaps), seconds=significant(sum(gaps)))
