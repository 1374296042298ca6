"""The report's pictures: figures 1 to 6 of the article with the measurement beside it, and timelines."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from analysis.measure import Measured
from analysis.parsers.ping import PingLog
from analysis.published_data import Published, Stressed
from analysis.statistics import LineFit
from analysis.tables import CaseSummary, Series, published_fits
from analysis.units import MB, MIB

# Drawn in these colours; in the page each becomes a CSS variable of this name, so that it follows the theme.
COLOURS = {
    "page": "#fefefe",
    "ink": "#1b1f24",
    "muted": "#5a6470",
    "grid": "#dde2e8",
    "published": "#8b8f98",
    "hybrid": "#0a63c4",
    "precopy": "#c4470c",
    "postcopy": "#178240",
    "lost": "#d11f2d",
    "late": "#b37d10",
    "phase-setup": "#eceef1",
    "phase-precopy": "#dcebfb",
    "phase-switch": "#f9d5d3",
    "phase-postcopy": "#dcf1e0",
    "phase-completion": "#f3eedc",
}
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": COLOURS["muted"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.titlecolor": COLOURS["ink"],
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": COLOURS["grid"],
    "text.color": COLOURS["ink"],
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "postcopy-lab",
}
_PAIR_INCHES = (5.2, 3.8)
# Fixed margins: laying a figure out by trial draws it twice.
_PAIR_MARGINS = {"left": 0.11, "right": 0.98, "top": 0.92, "bottom": 0.135, "wspace": 0.25}
_LEGEND_ROW = 0.053
# Characters beyond which two columns of the legend do not fit beside each other.
_LONG_LABEL = 36
_TIMELINE_MARGINS = {"left": 0.09, "right": 0.99, "top": 0.95, "bottom": 0.085, "hspace": 0.14}
# Enough points for a picture, few enough for a page.
_TIMELINE_BINS = 400


def styled() -> AbstractContextManager[None]:
    """Context in which figures are drawn and saved."""
    return matplotlib.rc_context(_STYLE)


def svg_file(figure: Figure) -> str:
    """A standalone SVG in the light colours."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def inline_svg(svg: str, prefix: str, title: str) -> str:
    """The same picture for a page: colours as CSS variables, unique identifiers, no background."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'(<g id="patch_1">\s*<path [^>]*?)fill: (?:#ffffff|white)', r"\1fill: none", body, count=1)
    for name, colour in COLOURS.items():
        body = body.replace(colour, f"var(--{name})")
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = body.replace("url(#", f"url(#{prefix}-").replace('href="#', f'href="#{prefix}-')
    body = re.sub(r'<svg ([^>]*?)width="[^"]*" ?', r"<svg \1", body, count=1)
    body = re.sub(r'<svg ([^>]*?)height="[^"]*" ?', r"<svg \1", body, count=1)
    label = title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return body.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def unloaded_time(published: Published | None, cases: Sequence[CaseSummary]) -> Figure:
    """Figure 1: migration time and outage of unloaded guests by flavor."""
    figure = Figure(figsize=_PAIR_INCHES)
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    _flavor_bars(
        left,
        published,
        cases,
        [row.migration_seconds for row in published.unloaded] if published else [],
        "migration_seconds",
        1.0,
    )
    left.set_title("Migration time [s]")
    flavors = _flavors(published, cases)
    if published:
        values = {row.flavor: row.outage_seconds for row in published.unloaded}
        right.bar(
            [position - 0.2 for position, flavor in enumerate(flavors) if flavor in values],
            [values[flavor] for flavor in flavors if flavor in values],
            0.36,
            color=COLOURS["published"],
        )
    for case in cases:
        outage, downtime = case.outage(), case.estimate("downtime_seconds")
        position = flavors.index(case.spec.flavor) + 0.2
        if outage:
            right.plot(
                [position, position], [outage.low, outage.high], color=COLOURS["hybrid"], lw=5, alpha=0.45
            )
        if downtime:
            right.plot(position, downtime.median, "o", color=COLOURS["hybrid"], ms=4)
    right.set_title("Outage [s]")
    right.set_ylim(bottom=0)
    _flavor_axis(right, flavors)
    handles = [
        matplotlib.lines.Line2D(
            [], [], color=COLOURS["hybrid"], lw=5, alpha=0.45, label="ping outage, measured"
        ),
        matplotlib.lines.Line2D(
            [], [], color=COLOURS["hybrid"], marker="o", ls="", ms=4, label="hypervisor downtime, measured"
        ),
    ]
    _legend(figure, left, handles)
    return figure


def unloaded_data(published: Published | None, cases: Sequence[CaseSummary]) -> Figure:
    """Figure 2: data transferred by unloaded guests."""
    figure = Figure(figsize=_PAIR_INCHES)
    axes = figure.subplots()
    values = [row.transferred_mb for row in published.unloaded] if published else []
    _flavor_bars(axes, published, cases, values, "forward_bytes", 1 / MB)
    axes.set_title("Transferred data [MB; the article's MB as printed]")
    _legend(figure, axes)
    return figure


def stressed_time(table: str, published: Published | None, series: Sequence[Series]) -> Figure:
    """Figures 3 and 5: migration time over stressed memory."""
    figure = Figure(figsize=_PAIR_INCHES)
    axes = figure.subplots()
    if published:
        rows = published.stressed[table]
        _published_line(
            axes, rows, [row.migration_seconds for row in rows], published_fits(published, table)[0]
        )
    for line in series:
        _measured_line(axes, line, _legend_name(line, series), "migration_seconds", 1.0, line.time_fit)
    axes.set_title("Migration time [s]")
    _stressed_axis(figure, axes)
    return figure


def stressed_data(table: str, published: Published | None, series: Sequence[Series]) -> Figure:
    """Figures 4 and 6: transferred data over stressed memory, with the line 2 x stressed."""
    figure = Figure(figsize=_PAIR_INCHES)
    axes = figure.subplots()
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
        _published_line(axes, rows, data, published_fits(published, table)[1])
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
    _stressed_axis(figure, axes)
    return figure


def timeline_picture(measured: Measured, prober_offset_seconds: float) -> Figure:
    """Traffic both ways over time, phases shaded, pings below: one migration at a glance."""
    timeline = measured.timeline
    origin = timeline.requested
    end = timeline.completed - origin
    left, right = -0.06 * end - 0.3, end * 1.12 + 0.5
    figure = Figure(figsize=(9.6, 5.6))
    forward, backward, requests, pings = figure.subplots(4, 1, sharex=True, height_ratios=[5, 2.6, 2.6, 3.4])
    figure.subplots_adjust(**_TIMELINE_MARGINS)
    for axes in (forward, backward, requests, pings):
        for phase in timeline.phases:
            axes.axvspan(
                phase.start - origin, phase.end - origin, color=COLOURS[f"phase-{phase.name}"], lw=0, zorder=0
            )
    sent, returned = measured.wire.source_sent, measured.wire.destination_sent
    span = (left, right)
    _throughput(forward, sent.time - origin, sent.bytes * 8 / 1e6, span, COLOURS["hybrid"])
    forward.axhline(measured.figures.link_rate_bits_per_second / 1e6, color=COLOURS["muted"], lw=0.9, ls="--")
    forward.set_ylabel("forward\n[Mbit/s]")
    _throughput(backward, returned.time - origin, returned.bytes * 8 / 1e6, span, COLOURS["postcopy"])
    backward.set_ylabel("backward\n[Mbit/s]")
    _throughput(requests, returned.time - origin, returned.payload / 1e3, span, COLOURS["postcopy"])
    requests.set_ylabel("of it payload\n[kB/s]")
    if timeline.border_by_traffic is not None:
        requests.axvline(timeline.border_by_traffic - origin, color=COLOURS["postcopy"], lw=1.2, ls="--")
    _pings(pings, measured.ping, origin + prober_offset_seconds, left, right)
    pings.set_xlabel("seconds since the migration was asked for")
    pings.set_xlim(left, right)
    _phase_names(forward, measured, origin, right - left)
    return figure


def _flavors(published: Published | None, cases: Sequence[CaseSummary]) -> list[str]:
    names = [row.flavor for row in published.unloaded] if published else []
    return names + [case.spec.flavor for case in cases if case.spec.flavor not in names]


def _flavor_axis(axes: Axes, flavors: Sequence[str]) -> None:
    axes.set_xticks(range(len(flavors)), flavors)
    axes.set_xlim(-0.6, len(flavors) - 0.4)
    axes.set_xlabel("flavor")


def _flavor_bars(
    axes: Axes,
    published: Published | None,
    cases: Sequence[CaseSummary],
    values: Sequence[float],
    figure_name: str,
    factor: float,
) -> None:
    flavors = _flavors(published, cases)
    if published:
        axes.bar(np.arange(len(values)) - 0.2, values, 0.36, color=COLOURS["published"], label="published")
    label: str | None = "measured (bar: median, dots: runs)"
    for case in cases:
        position = flavors.index(case.spec.flavor) + 0.2
        estimate = case.estimate(figure_name)
        if estimate:
            axes.bar(
                position, estimate.median * factor, 0.36, color=COLOURS["hybrid"], alpha=0.75, label=label
            )
            label = None
        _run_points(axes, case, figure_name, factor, position)
    _flavor_axis(axes, flavors)


def _run_points(axes: Axes, case: CaseSummary, figure_name: str, factor: float, position: float) -> None:
    """Every run of a case: dots for the counted, crosses for those whose guest was not intact."""
    colour = COLOURS[case.spec.mode]
    for runs, marker in ((case.counted, "o"), ([run for run in case.runs if run.not_intact], "x")):
        values = [getattr(run.figures, figure_name) * factor for run in runs if run.figures is not None]
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
    axes: Axes, series: Series, name: str, figure_name: str, factor: float, fit: LineFit | None
) -> None:
    colour = COLOURS[series.mode or "published"]
    label: str | None = name
    for case in series.cases:
        _run_points(axes, case, figure_name, factor, case.spec.stressed_bytes / MIB)
        if label is not None and case.counted:
            axes.plot([], [], "o", color=colour, ms=4, label=label)
            label = None
    if any(run.not_intact for case in series.cases for run in case.runs):
        axes.plot([], [], "x", color=colour, ms=5, label="guest not intact (not fitted)")
    if fit:
        ends = np.array([0.0, fit.maximum_x])
        axes.plot(ends / MIB, (fit.intercept + fit.slope * ends) * factor, "-", color=colour, lw=1.2)


def _legend_name(line: Series, series: Sequence[Series]) -> str:
    """As short as it can be told from the figure's other lines."""
    same = [other for other in series if (other.mode, other.flavor) == (line.mode, line.flavor)]
    return f"measured: {line.mode}, flavor {line.flavor}" if len(same) == 1 else f"measured: {line.label}"


def _stressed_axis(figure: Figure, axes: Axes) -> None:
    axes.set_xlabel("stressed memory [MiB]")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    _legend(figure, axes)


def _legend(figure: Figure, axes: Axes, more: Sequence[Artist] = ()) -> None:
    figure.subplots_adjust(**_PAIR_MARGINS)
    handles = [*axes.get_legend_handles_labels()[0], *more]
    if not handles:
        return
    columns = 1 if any(len(str(handle.get_label())) > _LONG_LABEL for handle in handles) else 2
    rows = (len(handles) + columns - 1) // columns
    figure.subplots_adjust(bottom=_PAIR_MARGINS["bottom"] + _LEGEND_ROW * rows)
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.04, 0),
        ncols=columns,
        handlelength=1.6,
        columnspacing=1.2,
    )


def _throughput(
    axes: Axes,
    time: NDArray[np.float64],
    counter: NDArray[np.float64],
    span: tuple[float, float],
    colour: str,
) -> None:
    """A counter's growth per second in bins."""
    low, high = max(span[0], time[0]), min(span[1], time[-1])
    # Not finer than two samples, or the bins beat with the 50 ms between them.
    width = max((high - low) / _TIMELINE_BINS, 0.1)
    edges = np.arange(low, high, width)
    if len(edges) < 2:
        return
    axes.stairs(np.diff(np.interp(edges, time, counter)) / width, edges, color=colour, lw=1.1, baseline=None)
    axes.set_ylim(bottom=0)


def _pings(axes: Axes, ping: PingLog, origin: float, left: float, right: float) -> None:
    sent, milliseconds = _visible(ping.answered_sent_at - origin, ping.round_trip_seconds * 1000, left, right)
    axes.plot(sent, milliseconds, ".", color=COLOURS["muted"], ms=2.5, label="answered")
    lost, _ = _visible(ping.lost_sent_at - origin, ping.lost_sent_at, left, right)
    if len(lost):
        axes.plot(
            lost,
            np.full(len(lost), 0.94),
            "|",
            color=COLOURS["lost"],
            ms=9,
            mew=1.4,
            transform=axes.get_xaxis_transform(),
            label="lost",
        )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(
        min(0.1, float(milliseconds.min(initial=0.1))), max(1000.0, 3 * float(milliseconds.max(initial=1)))
    )
    axes.set_ylabel("ping round\ntrip [ms]")


def _visible(
    x: NDArray[np.float64], y: NDArray[np.float64], left: float, right: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    inside = (x >= left) & (x <= right)
    return x[inside], y[inside]


_PHASE_NAMES = {
    "setup": "setup",
    "precopy": "pre-copy",
    "switch": "switch",
    "postcopy": "post-copy",
    "completion": "completion",
}


def _phase_names(axes: Axes, measured: Measured, origin: float, width: float) -> None:
    """Names above the wide phases; narrow ones are known by their shade (the page has a legend)."""
    for phase in measured.timeline.phases:
        if phase.seconds > 0.09 * width:
            axes.text(
                (phase.start + phase.end) / 2 - origin,
                1.03,
                f"{_PHASE_NAMES[phase.name]} {phase.seconds:.2f} s",
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=8.5,
            )
