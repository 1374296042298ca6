"""The guest's silence: downtime by the hypervisors' events, ping outage by what the prober saw."""

from __future__ import annotations

from analysis.report.blocks import Block, Cell, Column, Section, Table, Text, folded_if_long, label
from analysis.report.cells import RUNS_COLUMN, case_cell, estimate_cell, missing, outage_cell
from analysis.report.context import Context
from analysis.study.cases import CaseSummary


def section(context: Context) -> Section | None:
    """None if no run has figures."""
    table = outages_table(context)
    if not table.rows:
        return None
    blocks: list[Block] = [
        Text(
            "Downtime is the hypervisors' own: from the source's stop to the destination's start. A ping "
            "outage is what somebody outside sees, and the article's only measure: n pings lost in a row "
            "at a period of p seconds are an outage of (n - 1) p to (n + 1) p seconds, and a guest that "
            "answers late loses none."
        ),
        folded_if_long(table),
    ]
    return Section("outages", "Downtime and ping outage", "Outages", blocks)


def outages_table(context: Context) -> Table:
    """Per case: downtime, ping outage, and in which phase the lost pings were sent."""
    rows = []
    for case in context.analysis.cases:
        runs = [run for run in (*case.counted, *case.not_converged) if run.figures]
        if not runs:
            continue
        converged = bool(case.counted)
        estimate = case.estimate if converged else case.not_converged_estimate
        rows.append(
            [
                case_cell(case),
                estimate_cell(case.estimate("downtime_seconds"), 1000),
                outage_cell(case),
                estimate_cell(estimate("ping_longest_round_trip_seconds"), 1000),
                *_lost(case),
                context.runs_cell(runs),
            ]
        )
    columns = (
        label("case"),
        Column("downtime (hypervisor)", "ms"),
        Column("ping outage", "s"),
        Column("longest round trip", "ms"),
        Column("lost in pre-copy", "pings"),
        Column("in the switch", "pings"),
        Column("in post-copy", "pings"),
        Column("after it", "pings"),
        Column("phase unknown", "pings"),
        RUNS_COLUMN,
    )
    return Table(
        "outages-table",
        "Downtime and ping outage by case",
        columns,
        rows,
        "Medians over runs; lost pings are counted over all runs of the case, each in the phase that took "
        "it: what left too shortly before the switch to be answered is lost in the switch. A ping that is "
        "answered late is not lost: where none was, the longest round trip says how long the guest kept the "
        "network waiting.",
        heading=False,
    )


def _lost(case: CaseSummary) -> list[Cell]:
    runs = [run.figures for run in (*case.counted, *case.not_converged) if run.figures]
    unknown = sum(item.ping_lost_unknown for item in runs)
    figures = [item for item in runs if item.ping_lost_precopy is not None]
    if not figures:
        return [*(missing() for _ in range(4)), Cell(str(unknown))]
    counts = [
        sum(item.ping_lost_precopy or 0 for item in figures),
        sum(item.ping_lost_switch or 0 for item in figures),
        sum(item.ping_lost_postcopy or 0 for item in figures),
        sum(item.ping_lost_after or 0 for item in figures),
        unknown,
    ]
    return [Cell(str(count), tone=None if count else "muted") for count in counts]
