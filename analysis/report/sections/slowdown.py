"""What the migration cost the guest: time to write its memory, standstills, waits for pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from analysis import plots
from analysis.report.blocks import Block, Cell, Column, Section, Table, Text, folded_if_long, label
from analysis.report.cells import RUNS_COLUMN, case_cell, estimate_cell, measured_runs, missing
from analysis.report.context import Context
from analysis.report.words import words
from analysis.run.formatter import significant
from analysis.run.slowdown import STANDSTILL_SECONDS, Slowdown
from analysis.stats.intervals import median_estimate
from analysis.study.cases import CaseSummary
from analysis.study.results import RunResult

_SHOWN = (("precopy", "pre-copy"), ("postcopy", "post-copy"), ("after", "after it"))


def section(context: Context) -> Section | None:
    """None if no guest wrote a pattern."""
    table = slowdown_table(context)
    if not table.rows:
        return None
    blocks: list[Block] = [Text(words("slowdown.about"))]
    watched = [case for case in context.analysis.cases if any(_speeds(run) for run in measured_runs(case))]
    if watched:
        picture = context.picture(
            "slowdown-picture",
            "How fast the guest wrote its memory while it was migrated",
            words("slowdown.picture"),
            partial(plots.slowdown_plot, watched),
            [run for case in watched for run in measured_runs(case) if _speeds(run)],
            wide=True,
        )
        blocks.append(picture)
    return Section("slowdown", "The guest's slowdown", "Slowdown", [*blocks, folded_if_long(table)])


def slowdown_table(context: Context) -> Table:
    """A row per case: slowdown by phase, standstills, QEMU's block time, page requests."""
    rows = []
    for case in context.analysis.cases:
        runs = [
            run
            for run in measured_runs(case)
            if run.findings is not None and run.findings.slowdown is not None
        ]
        found = [run.findings.slowdown for run in runs if run.findings and run.findings.slowdown]
        if not found:
            continue
        rows.append(
            [
                case_cell(case),
                _pace(found),
                *(_slower(found, phase) for phase, _ in _SHOWN),
                estimate_cell(median_estimate([_longest(slowdown) for slowdown in found])),
                _block_time(case),
                estimate_cell(case.estimate("page_requests")),
                context.runs_cell(runs),
            ]
        )
    columns = (
        label("case"),
        Column("before", "ms per MiB"),
        *(Column(name, "times as long") for _, name in _SHOWN),
        Column("longest standstill", "s"),
        Column("vCPUs blocked in post-copy", "s, share of it"),
        Column("page requests"),
        RUNS_COLUMN,
    )
    caption = words("slowdown.caption", standstill_seconds=STANDSTILL_SECONDS)
    return Table("slowdown-table", "Slowdown by phase", columns, rows, caption, heading=False)


def _speeds(run: RunResult) -> list[float]:
    if run.metrics is None:
        return []
    speeds = (run.metrics.guest_speed_precopy, run.metrics.guest_speed_postcopy)
    return [speed for speed in speeds if speed is not None]


def _pace(found: Sequence[Slowdown]) -> Cell:
    return estimate_cell(median_estimate([slowdown.seconds_per_mib_before for slowdown in found]), 1000)


def _slower(found: Sequence[Slowdown], phase: str) -> Cell:
    """Median over runs. A run that mostly stood still took for ever, which a median can be, too."""
    values = [slowdown.phases[phase].relative for slowdown in found if phase in slowdown.phases]
    if not values:
        return missing()
    middle = float(np.median(values)) if math.isfinite(max(values)) else sorted(values)[len(values) // 2]
    note = f"n = {len(values)}" if len(values) == 1 else f"{_times(min(values))} to {_times(max(values))}"
    return Cell(_times(middle), note, tone="bad" if math.isinf(middle) else None)


def _times(value: float) -> str:
    return "stood still" if math.isinf(value) else significant(value)


def _longest(slowdown: Slowdown) -> float:
    """Of those during the migration and at its borders, 0 without any."""
    return max(
        (pause.seconds for pause in slowdown.standstills if pause.phase not in ("before", "after")),
        default=0.0,
    )


def _block_time(case: CaseSummary) -> Cell:
    blocked = [
        (run.metrics.blocktime_seconds, run.metrics.postcopy_seconds)
        for run in case.counted
        if run.metrics and run.metrics.blocktime_seconds is not None
    ]
    cell = estimate_cell(median_estimate([seconds for seconds, _ in blocked if seconds is not None]))
    shares = [seconds / phase for seconds, phase in blocked if seconds is not None and phase]
    share = median_estimate(shares)
    return Cell(f"{cell.text} ({share.median:.0%})", cell.note) if share else cell
