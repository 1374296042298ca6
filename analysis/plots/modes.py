"""The modes beside each other: what each run of the same guest and load took, a dot in its mode's colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from analysis.evidence.units import GB
from analysis.plots.style import COLOURS, legend, legend_entry, logarithmic, new_plot
from analysis.run.metrics import RunMetrics
from analysis.study.cases import CaseSummary
from contract.modes import Mode

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH_INCHES, _ROW_INCHES, _REST_INCHES = 9.6, 0.55, 1.1
# How far a mode's dots stand from the middle of their group, in rows.
_OFFSETS = {mode: 0.22 * (place - (len(Mode) - 1) / 2) for place, mode in enumerate(Mode)}
# Drawn where a logarithmic axis has no place for nothing at all.
_LEAST_MILLISECONDS = 1.0


def modes_plot(groups: Sequence[tuple[str, Sequence[CaseSummary]]]) -> Figure:
    """Time, data, downtime and the longest wait of a ping; a group is a guest with its load."""
    plot = new_plot((_WIDTH_INCHES, _REST_INCHES + _ROW_INCHES * len(groups)))
    panels = plot.subplots(1, 4, sharey=True)
    _panel(panels[0], groups, "time [s]", lambda item: item.migration_seconds)
    _panel(panels[1], groups, "data [GB]", lambda item: item.forward_bytes / GB)
    _panel(panels[2], groups, "downtime [ms]", _downtime_milliseconds)
    _panel(panels[3], groups, "longest ping wait [ms]", _wait_milliseconds)
    for axes in panels[:2]:
        axes.set_xlim(left=0)
    for axes in panels[2:]:
        axes.set_xscale("log")
        logarithmic(axes.xaxis)
    panels[0].set_yticks(range(len(groups)), [name for name, _ in groups])
    panels[0].set_ylim(len(groups) - 0.5, -0.5)
    modes = [mode for mode in Mode if any(case.spec.mode == mode for _, cases in groups for case in cases)]
    handles = [legend_entry(marker="o", ls="", color=COLOURS[mode], label=mode) for mode in modes]
    handles.append(
        legend_entry(marker=">", ls="", color=COLOURS["ink"], mfc="none", label="aborted at its limit")
    )
    legend(plot, panels[0], handles)
    height = plot.get_size_inches()[1]
    plot.subplots_adjust(left=0.17, wspace=0.22, top=1 - 0.3 / height, bottom=0.62 / height)
    return plot


def _panel(
    axes: Axes,
    groups: Sequence[tuple[str, Sequence[CaseSummary]]],
    title: str,
    value: Callable[[RunMetrics], float | None],
) -> None:
    axes.set_title(title)
    axes.grid(axis="x")
    for row, (_, cases) in enumerate(groups):
        for case in cases:
            colour, position = COLOURS[case.spec.mode], row + _OFFSETS[case.spec.mode]
            for runs, marker, fill in ((case.counted, "o", colour), (case.not_converged, ">", "none")):
                values = [value(run.metrics) for run in runs if run.metrics]
                found = [item for item in values if item is not None]
                if found:
                    axes.plot(found, [position] * len(found), marker, color=colour, mfc=fill, ms=5)


def _downtime_milliseconds(metrics: RunMetrics) -> float | None:
    seconds = metrics.downtime_seconds
    return None if seconds is None else max(seconds * 1000, _LEAST_MILLISECONDS)


def _wait_milliseconds(metrics: RunMetrics) -> float:
    """The longest that any ping waited: its round trip, or at most the longest gap of lost ones."""
    seconds = max(metrics.ping_longest_round_trip_seconds, metrics.ping_longest_high_seconds)
    return max(seconds * 1000, _LEAST_MILLISECONDS)
