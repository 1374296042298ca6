"""nova's share of a migration's time, by its steps."""

from __future__ import annotations

from analysis.report.blocks import Cell, Column, Section, Table, Text, label
from analysis.report.context import Context
from analysis.report.words import words
from analysis.run.formatter import significant
from analysis.run.metrics import RunMetrics
from analysis.stats.intervals import median_estimate

# In the order in which nova takes them; the share is all of nova's own time.
STEPS = (
    RunMetrics.nova_prepare_seconds,
    RunMetrics.nova_start_seconds,
    RunMetrics.nova_notice_seconds,
    RunMetrics.nova_post_seconds,
    RunMetrics.nova_share_seconds,
)


def section(context: Context) -> Section | None:
    """None if nova did not migrate, or its logs tell no step."""
    runs = [run.metrics.by_name() for run in context.analysis.results.runs if run.counted and run.metrics]
    rows = []
    for metric in STEPS:
        values = [float(value) for run in runs if (value := run[metric.name]) is not None]
        estimate = median_estimate(values)
        if estimate is not None:
            rows.append(
                [
                    Cell(metric.label, metric.definition),
                    Cell(significant(estimate.median)),
                    Cell(f"{significant(min(values))} to {significant(max(values))}"),
                    Cell(str(len(values))),
                ]
            )
    if len(rows) < 2:
        return None
    columns = (label("step"), Column("median", "s"), Column("least to most", "s"), Column("runs"))
    table = Table("nova-steps", "nova's share by its steps", columns, rows, heading=False)
    return Section("nova-steps", "nova's share", "nova", [Text(words("wall_time.nova_steps")), table])
