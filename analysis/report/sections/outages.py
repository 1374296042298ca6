"""The guest's silence: downtime by the hypervisors' events, ping outage by what the prober saw."""

from __future__ import annotations

from collections.abc import Callable

from analysis.report.blocks import Cell, Section, Table, Text, folded_if_long, table_of
from analysis.report.cells import (
    CASE_COLUMN,
    OUTAGE_COLUMN,
    measured_runs,
    median_column,
    metric_cell,
    metric_column,
    missing,
)
from analysis.report.context import Context
from analysis.report.words import words
from analysis.study.cases import CaseSummary

_ROUND_TRIP = "ping_longest_round_trip_seconds"
# Lost pings by the phase that took them.
_LOST = (
    "ping_lost_precopy",
    "ping_lost_switchover",
    "ping_lost_postcopy",
    "ping_lost_after",
    "ping_lost_unknown",
)


def section(context: Context) -> Section | None:
    """None if no run has metrics."""
    table = outages_table(context)
    if not table.rows:
        return None
    blocks = [Text(words("outages.about")), folded_if_long(table)]
    return Section("outages", "Downtime and ping outage", "Outages", blocks)


def outages_table(context: Context) -> Table:
    """Per case: downtime, ping outage, and in which phase the lost pings were sent."""
    return table_of(
        "outages-table",
        "Downtime and ping outage by case",
        [case for case in context.analysis.cases if measured_runs(case)],
        [
            CASE_COLUMN,
            median_column("downtime_seconds"),
            OUTAGE_COLUMN,
            (metric_column(_ROUND_TRIP), lambda case: metric_cell(_ROUND_TRIP, case.reached(_ROUND_TRIP))),
            *((metric_column(name), _lost(name)) for name in _LOST),
            context.runs_column(measured_runs),
        ],
        words("outages.caption"),
        heading=False,
    )


def _lost(metric: str) -> Callable[[CaseSummary], Cell]:
    """The cell of the pings lost in one phase, over all runs in which it is known."""

    def cell(case: CaseSummary) -> Cell:
        counts = [getattr(run.metrics, metric) for run in measured_runs(case)]
        known = [count for count in counts if count is not None]
        return Cell(str(sum(known)), tone=None if sum(known) else "muted") if known else missing()

    return cell
