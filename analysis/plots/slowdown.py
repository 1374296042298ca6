"""How fast each guest got on during its migration, against before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.plots.style import COLOURS, legend, legend_entry, new_plot
from analysis.study.cases import CaseSummary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH_INCHES, _ROW_INCHES, _REST_INCHES = 9.6, 0.27, 1.0
# A phase: its field, its colour, and how far its dots stand from the middle of their row.
_PHASES = (
    ("pre-copy", "guest_speed_precopy", "precopy", -0.14),
    ("post-copy", "guest_speed_postcopy", "postcopy", 0.14),
)


def slowdown_plot(cases: Sequence[CaseSummary]) -> Figure:
    """A row per case, a dot per run and phase: 1 is as fast as before, 0 is a guest that stood still."""
    plot = new_plot((_WIDTH_INCHES, _REST_INCHES + _ROW_INCHES * len(cases)))
    axes = plot.subplots()
    axes.grid(axis="x")
    axes.axvline(1, color=COLOURS["muted"], lw=1, ls="--")
    for row, case in enumerate(cases):
        metrics = [run.metrics for run in (*case.counted, *case.not_converged) if run.metrics]
        for _, field, colour, offset in _PHASES:
            speeds = [getattr(item, field) for item in metrics if getattr(item, field) is not None]
            axes.plot(speeds, [row + offset] * len(speeds), "o", color=COLOURS[colour], ms=4.5, clip_on=False)
    axes.set_yticks(range(len(cases)), [case.case for case in cases])
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_title("Memory written per second, 1 = before the migration")
    handles = [
        legend_entry(marker="o", ls="", color=COLOURS[colour], label=name) for name, _, colour, _ in _PHASES
    ]
    legend(plot, axes, handles)
    height = plot.get_size_inches()[1]
    plot.subplots_adjust(left=0.3, top=1 - 0.3 / height, bottom=0.55 / height)
    return plot
