"""Migration time over the link's rate, one line per guest and load."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from analysis.plots.style import COLOURS, legend, logarithmic, new_plot
from analysis.study.cases import CaseSummary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INCHES = (7.2, 4.6)
_LINES = ("hybrid", "postcopy", "precopy", "late", "lost", "ink")
_MARKERS = "osD^v<>"


def rates_plot(groups: Sequence[tuple[str, Sequence[CaseSummary]]]) -> Figure:
    """Both axes logarithmic; a group is one guest with its load over several rates."""
    plot = new_plot(_INCHES)
    axes = plot.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    for number, (name, cases) in enumerate(groups):
        colour = COLOURS[_LINES[number % len(_LINES)]]
        marker = _MARKERS[number % len(_MARKERS)]
        middle = []
        for case in sorted(cases, key=lambda case: case.spec.link_rate_bits_per_second):
            rate = case.spec.link_rate_bits_per_second / 1e9
            seconds = [run.metrics.migration_seconds for run in case.counted if run.metrics]
            axes.plot([rate] * len(seconds), seconds, marker, color=colour, ms=4)
            if seconds:
                middle.append((rate, median(seconds)))
        if middle:
            x, y = np.array(middle).T
            axes.plot(
                x, y, "-", color=colour, marker=marker, ms=4, lw=1.2, label=f"{cases[0].spec.mode} {name}"
            )
            axes.plot(x, y[0] * x[0] / x, ":", color=COLOURS["muted"], lw=1)
    logarithmic(axes.xaxis)
    logarithmic(axes.yaxis)
    axes.set_title("Migration time [s]")
    axes.set_xlabel("configured rate of the migration link [Gbit/s]")
    legend(plot, axes)
    return plot
