"""The moments of each migration on one clock, how sure they are, and whether two sources see one border."""

from __future__ import annotations

import math
from collections.abc import Iterable

from analysis.report.blocks import Block, Cell, Column, Fold, Section, Table, Text, folded_if_long, label
from analysis.report.cells import RUNS_COLUMN, case_cell, measured_runs, missing, number_cell
from analysis.report.context import Context
from analysis.report.formats import estimate_note
from analysis.report.words import words
from analysis.run.findings import Findings
from analysis.run.timeline import MOMENTS, REQUESTED
from analysis.stats.intervals import MedianEstimate, median_estimate
from analysis.study.results import RunResult


def section(context: Context) -> Section | None:
    """None if no run has metrics."""
    moments = moments_table(context)
    if not moments.rows:
        return None
    measured = [found for _, found in _found(context.analysis.results.runs) if found.clocks.exchanged]
    blocks: list[Block] = [Text(words("clocks.about", exchanged=len(measured))), folded_if_long(moments)]
    for table in (borders_table(context), offsets_table(context)):
        if table.rows:
            blocks.append(Fold(f"fold-{table.identifier}", table.title, [table], f"{len(table.rows)} rows"))
    return Section("moments", "Moments on one clock", "Moments", blocks)


def moments_table(context: Context) -> Table:
    """A row per case, a column per moment: medians since the request."""
    found = {case.case: _found(measured_runs(case)) for case in context.analysis.cases}
    named = {moment.name for runs in found.values() for _, run in runs for moment in run.moments}
    names = [name for name in MOMENTS[1:] if name in named]
    rows = []
    for case in context.analysis.cases:
        runs = found[case.case]
        if not runs:
            continue
        cells = []
        for name in names:
            times = [time for _, run in runs if (time := _since(run, name)) is not None]
            cells.append(_moment_cell(median_estimate(times)))
        unsure = max(
            (
                run.clocks.uncertainty_seconds(clock, run.clocks.prober)
                for _, run in runs
                for clock in (*run.clocks.nodes, *run.clocks.unknown)
            ),
            default=0.0,
        )
        rows.append(
            [
                case_cell(case),
                *cells,
                Cell(f"{unsure * 1000:.2f}") if math.isfinite(unsure) else missing("unknown"),
                context.runs_cell(run for run, _ in runs),
            ]
        )
    columns = (
        label("case"),
        *(Column(name, "s") for name in names),
        Column("clocks known to", "± ms, worst"),
        RUNS_COLUMN,
    )
    caption = words("clocks.moments")
    return Table("moments-table", "Moments of the migrations", columns, rows, caption, heading=False)


def borders_table(context: Context) -> Table:
    """Start of post-copy by events and by reverse traffic, a row per hybrid run."""
    rows = []
    for case in context.analysis.cases:
        for run, found in _found(measured_runs(case)):
            metrics = run.metrics
            if metrics is None or metrics.border_by_events_seconds is None:
                continue
            agree = {True: ("agree", "good"), False: ("differ", "bad"), None: ("not seen", "muted")}
            text, tone = agree[found.borders_agree]
            rows.append(
                [
                    case_cell(case),
                    Cell(f"{metrics.border_by_events_seconds:.3f}"),
                    number_cell(metrics.border_by_traffic_seconds, ".3f"),
                    number_cell(found.border_disagreement_seconds, "+.3f"),
                    Cell(text, tone=tone),
                    context.runs_cell([run]),
                ]
            )
    columns = (
        label("case"),
        Column("by events", "s"),
        Column("by reverse traffic", "s"),
        Column("difference", "s"),
        label("verdict"),
        RUNS_COLUMN,
    )
    return Table(
        "borders", "Start of post-copy by events and by reverse traffic", columns, rows, heading=False
    )


def offsets_table(context: Context) -> Table:
    """Clocks of the nodes against the prober's, a row per run and node, where the run measured them."""
    rows = []
    for run, found in _found(context.analysis.results.runs):
        if not found.clocks.exchanged:
            continue
        for clock in found.clocks.nodes.values():
            offsets = " / ".join(f"{anchor.offset_seconds * 1000:+.3f}" for anchor in clock.anchors)
            jumped = f"jumped {len(clock.jumps)} times" if clock.jumps else None
            rows.append(
                [
                    Cell(run.record.case),
                    Cell(clock.node, jumped, tone="bad" if clock.jumps else None),
                    Cell(offsets),
                    Cell(f"{clock.uncertainty_seconds * 1000:.3f}"),
                    number_cell(clock.drift_ppm, "+.1f"),
                    Cell(str(clock.exchanges)),
                    context.runs_cell([run]),
                ]
            )
    columns = (
        label("case"),
        label("clock of"),
        Column("ahead of the prober's", "ms, before / during / after"),
        Column("known to", "± ms"),
        Column("drift", "ppm"),
        Column("exchanges"),
        RUNS_COLUMN,
    )
    return Table("offsets", "Clocks of the nodes, run by run", columns, rows, heading=False)


def _moment_cell(estimate: MedianEstimate | None) -> Cell:
    """To the millisecond: stop and resume are that near to each other."""
    return Cell(f"{estimate.median:.3f}", estimate_note(estimate)) if estimate else missing()


def _found(runs: Iterable[RunResult]) -> list[tuple[RunResult, Findings]]:
    return [(run, run.findings) for run in runs if run.findings is not None]


def _since(found: Findings, name: str) -> float | None:
    times = {moment.name: moment.time for moment in found.moments}
    return times[name] - times[REQUESTED] if name in times else None
