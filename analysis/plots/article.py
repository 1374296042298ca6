"""Figures 1 to 6 of the article, with the measurement beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.evidence.units import MB, MIB
from analysis.plots.bound import published_bound
from analysis.plots.style import COLOURS, PLOT_INCHES, legend, legend_entry, new_plot
from analysis.reference.published import Published, Stressed
from analysis.stats.regression import LineFit
from analysis.study.cases import CaseSummary, Series, condition_words
from contract.modes import Mode

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def unloaded_time(published: Published | None, cases: Sequence[CaseSummary]) -> Figure:
    """Figure 1: migration time and outage of unloaded guests by flavor."""
    plot = new_plot(PLOT_INCHES)
    left, right = plot.subplots(1, 2, width_ratios=[3, 2])
    slots = Slots(published, cases)
    rows = published.unloaded if published else ()
    _flavor_bars(left, slots, [row.migration_seconds for row in rows], "migration_seconds", 1.0)
    left.set_title("Migration time [s]")
    right.bar(
        [slots.of_published(row.flavor) for row in rows],
        [row.outage_seconds for row in rows],
        slots.width,
        color=COLOURS["published"],
    )
    for case in cases:
        outage, downtime = case.outage(), case.estimate("downtime_seconds")
        position, colour = slots.of(case), COLOURS[case.spec.mode]
        if outage:
            right.plot([position, position], [outage.low, outage.high], color=colour, lw=5, alpha=0.45)
        if downtime:
            right.plot(position, downtime.median, "o", color=colour, ms=4)
    right.set_title("Outage [s]")
    right.set_ylim(bottom=0)
    slots.label(right)
    ink = COLOURS["muted"]
    legend(
        plot,
        left,
        [
            legend_entry(color=ink, lw=5, alpha=0.45, label="ping outage"),
            legend_entry(color=ink, marker="o", ls="", ms=4, label="hypervisor downtime"),
        ],
    )
    return plot


def unloaded_data(published: Published | None, cases: Sequence[CaseSummary]) -> Figure:
    """Figure 2: data transferred by unloaded guests."""
    plot = new_plot(PLOT_INCHES)
    axes = plot.subplots()
    values = [row.transferred_mb for row in published.unloaded] if published else []
    _flavor_bars(axes, Slots(published, cases), values, "forward_bytes", 1 / MB)
    axes.set_title("Transferred data [MB; the article's MB as printed]")
    legend(plot, axes)
    return plot


def stressed_time(
    table: str, published: Published | None, fit: LineFit | None, series: Sequence[Series]
) -> Figure:
    """Figures 3 and 5: migration time over stressed memory. `fit`: the line through the published times."""
    plot = new_plot(PLOT_INCHES)
    axes = plot.subplots()
    if published:
        rows = published.stressed[table]
        _published_line(axes, rows, [row.migration_seconds for row in rows], fit)
    for line in series:
        _measured_line(axes, line, _legend_name(line, series), "migration_seconds", 1.0, line.time_fit)
    _bound_line(axes, published, series)
    axes.set_title("Migration time [s]")
    _stressed_axis(plot, axes)
    return plot


def stressed_data(
    table: str, published: Published | None, fit: LineFit | None, series: Sequence[Series]
) -> Figure:
    """Figures 4 and 6: transferred data over stressed memory, with the line 2 x stressed. `fit`: as there."""
    plot = new_plot(PLOT_INCHES)
    axes = plot.subplots()
    if published:
        rows = published.stressed[table]
        data = [row.transferred_mb for row in rows]
        x = [row.stressed_mb for row in rows]
        axes.fill_between(
            x,
            data,
            [value * MIB / MB for value in data],
            color=COLOURS["published"],
            alpha=0.3,
            lw=0,
            label="published, MB read as 10⁶ to 2²⁰ bytes",
        )
        _published_line(axes, rows, data, fit)
    for line in series:
        _measured_line(axes, line, _legend_name(line, series), "forward_bytes", 1 / MB, line.data_fit)
    right = axes.get_xlim()[1]
    axes.plot(
        [0, right],
        [0, 2 * right * MIB / MB],
        ":",
        color=COLOURS["muted"],
        lw=1.2,
        label="2 x stressed memory",
    )
    axes.set_title("Transferred data [MB = 10⁶ bytes]")
    _stressed_axis(plot, axes)
    return plot


class Slots:
    """Where bars stand: a group for each flavor, in it the published bar and one for each measured kind.

    Cases are of one kind if their mode and allowed downtime are the same.
    """

    def __init__(self, published: Published | None, cases: Sequence[CaseSummary]) -> None:
        names = [row.flavor for row in published.unloaded] if published else []
        self.flavors = list(dict.fromkeys([*names, *(case.spec.flavor for case in cases)]))
        kinds = dict.fromkeys(_kind(case) for case in cases)
        self.kinds = sorted(kinds, key=lambda kind: list(Mode).index(kind[0]))
        self.cases = cases
        self.width = 0.8 / (1 + max(1, len(self.kinds)))

    def of_published(self, flavor: str) -> float:
        return self.flavors.index(flavor) - 0.4 + self.width / 2

    def of(self, case: CaseSummary) -> float:
        return self.of_published(case.spec.flavor) + self.width * (1 + self.kinds.index(_kind(case)))

    def label(self, axes: Axes) -> None:
        axes.set_xticks(range(len(self.flavors)), self.flavors)
        axes.set_xlim(-0.6, len(self.flavors) - 0.4)
        axes.set_xlabel("flavor")


def _kind(case: CaseSummary) -> tuple[Mode, str]:
    """Its mode, and its allowed downtime in words where that is not the usual one."""
    return case.spec.mode, condition_words(case.spec)


def _flavor_bars(axes: Axes, slots: Slots, values: Sequence[float], metric: str, factor: float) -> None:
    if values:
        axes.bar(
            [slots.of_published(flavor) for flavor in slots.flavors[: len(values)]],
            values,
            slots.width * 0.9,
            color=COLOURS["published"],
            label="published",
        )
    named: set[tuple[Mode, str]] = set()
    for case in slots.cases:
        kind, estimate = _kind(case), case.estimate(metric)
        if estimate:
            axes.bar(
                slots.of(case),
                estimate.median * factor,
                slots.width * 0.9,
                color=COLOURS[kind[0]],
                alpha=0.4 if kind[1] else 0.75,
                label=None if kind in named else f"measured: {', '.join(filter(None, kind))}",
            )
            named.add(kind)
        _run_points(axes, case, metric, factor, slots.of(case))
    slots.label(axes)


def _run_points(axes: Axes, case: CaseSummary, metric: str, factor: float, position: float) -> None:
    """Every run of a case: dots for the counted, crosses for those whose guest was not intact."""
    colour = COLOURS[case.spec.mode]
    for runs, marker in ((case.counted, "o"), ([run for run in case.runs if run.not_intact], "x")):
        values = [getattr(run.metrics, metric) * factor for run in runs if run.metrics is not None]
        if values:
            axes.plot(
                [position] * len(values),
                values,
                marker,
                color=colour,
                ms=4 if marker == "o" else 5,
                mec=COLOURS["page"] if marker == "o" else colour,
                mew=0.5 if marker == "o" else 1.2,
            )


def _published_line(
    axes: Axes, rows: Sequence[Stressed], values: Sequence[float], fit: LineFit | None
) -> None:
    x = [row.stressed_mb for row in rows]
    axes.plot(x, values, "s", color=COLOURS["published"], ms=5, label="published")
    if fit:
        ends = np.array([0.0, max(x)])
        axes.plot(ends, fit.intercept + fit.slope * ends, "-", color=COLOURS["published"], lw=1)


def _measured_line(
    axes: Axes, series: Series, name: str, metric: str, factor: float, fit: LineFit | None
) -> None:
    colour = COLOURS[series.mode or "published"]
    label: str | None = name
    for case in series.cases:
        _run_points(axes, case, metric, factor, case.spec.stressed_bytes / MIB)
        if label is not None and case.counted:
            axes.plot([], [], "o", color=colour, ms=4, label=label)
            label = None
    if any(run.not_intact for case in series.cases for run in case.runs):
        axes.plot([], [], "x", color=colour, ms=5, label="guest not intact (not fitted)")
    if fit:
        ends = np.array([0.0, fit.maximum_x])
        axes.plot(ends / MIB, (fit.intercept + fit.slope * ends) * factor, "-", color=colour, lw=1.2)


def _bound_line(axes: Axes, published: Published | None, series: Sequence[Series]) -> None:
    """The line 2 x RAM / throughput where it lies in sight; the plot of the bound shows it in any case."""
    top = axes.get_ylim()[1]
    bounds = {
        run.metrics.bound_seconds
        for line in series
        for case in line.cases
        for run in case.counted
        if run.metrics
    }
    if published:
        bounds.add(published_bound(published, published.stressed_flavor)[1])
    for seconds in sorted(bounds):
        if seconds <= 2 * top:
            axes.axhline(seconds, color=COLOURS["ink"], lw=1, ls="--", label="bound: 2 x RAM / throughput")
            return


def _legend_name(line: Series, series: Sequence[Series]) -> str:
    """As short as it can be told from the plot's other lines."""
    same = [other for other in series if (other.mode, other.flavor) == (line.mode, line.flavor)]
    return f"measured: {line.mode}, flavor {line.flavor}" if len(same) == 1 else f"measured: {line.label}"


def _stressed_axis(plot: Figure, axes: Axes) -> None:
    axes.set_xlabel("stressed memory [MiB]")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    legend(plot, axes)
