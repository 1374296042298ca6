"""One migration at a glance: traffic both ways, page requests and pings on one time axis, phases shaded."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from analysis.evidence.ping import PingLog
from analysis.plots.style import COLOURS
from analysis.run.measure import Measured
from analysis.run.slowdown import Slowdown
from analysis.run.timeline import UNKNOWN_PHASE

_MARGINS = {"left": 0.09, "right": 0.99, "top": 0.95, "bottom": 0.085, "hspace": 0.14}
# Enough points for a picture, few enough for a page.
_BINS = 300
_MOST_PINGS = 600
_PHASE_NAMES = {
    "setup": "setup",
    "precopy": "pre-copy",
    "switch": "switch",
    "postcopy": "post-copy",
    "completion": "completion",
    UNKNOWN_PHASE: "not known",
}


def timeline_picture(measured: Measured) -> Figure:
    """Traffic both ways over time, phases shaded, pings below: one migration at a glance."""
    timeline = measured.timeline
    origin = timeline.requested
    end = timeline.completed - origin
    left, right = -0.06 * end - 0.3, end * 1.12 + 0.5
    figure = Figure(figsize=(9.6, 6.4))
    lanes = figure.subplots(5, 1, sharex=True, height_ratios=[4.4, 2.5, 2.5, 2.5, 3.2])
    forward, backward, requests, guest, pings = lanes
    figure.subplots_adjust(**_MARGINS)
    figure.align_ylabels(lanes)
    for axes in lanes:
        for phase in timeline.phases:
            axes.axvspan(
                phase.start - origin, phase.end - origin, color=COLOURS[f"phase-{phase.name}"], lw=0, zorder=0
            )
    sent, returned = measured.wire.source_sent, measured.wire.destination_sent
    span = (left, right)
    _throughput(forward, sent.time - origin, sent.bytes * 8 / 1e6, span, COLOURS["hybrid"])
    rate = measured.figures.link_wire_rate_bits_per_second
    forward.axhline(rate / 1e6, color=COLOURS["muted"], lw=0.9, ls="--")
    forward.set_ylabel("forward\n[Mbit/s]")
    _throughput(backward, returned.time - origin, returned.bytes * 8 / 1e6, span, COLOURS["postcopy"])
    backward.set_ylabel("backward\n[Mbit/s]")
    _throughput(requests, returned.time - origin, returned.payload / 1e3, span, COLOURS["postcopy"])
    requests.set_ylabel("beyond ACKs\n[kB/s]")
    if timeline.border_by_traffic is not None:
        requests.axvline(timeline.border_by_traffic - origin, color=COLOURS["postcopy"], lw=1.2, ls="--")
    if measured.slowdown is not None:
        _guest(guest, measured.slowdown, left, right)
    guest.set_ylabel("guest writes\n[MiB/s]")
    _pings(pings, measured.ping, origin, left, right)
    pings.set_xlabel("seconds since the migration was asked for")
    pings.set_xlim(left, right)
    _phase_names(forward, measured, origin, right - left)
    return figure


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
    width = max((high - low) / _BINS, 0.1)
    edges = np.arange(low, high, width)
    if len(edges) < 2:
        return
    axes.stairs(np.diff(np.interp(edges, time, counter)) / width, edges, color=colour, lw=1.1, baseline=None)
    axes.set_ylim(bottom=0)


def _guest(axes: Axes, slowdown: Slowdown, left: float, right: float) -> None:
    """Memory that the guest's own program wrote, second by second; 0 is a guest that stands still."""
    seconds = [second for second in slowdown.seconds if second.since + 1 > left and second.since < right]
    if seconds:
        edges = [*(second.since for second in seconds), seconds[-1].since + 1]
        # Nothing written in a second is for ever per MiB.
        written = [1 / second.seconds_per_mib for second in seconds]
        axes.stairs(written, edges, color=COLOURS["late"], lw=1.3, baseline=None)
    axes.set_ylim(bottom=0)


def _pings(axes: Axes, ping: PingLog, origin: float, left: float, right: float) -> None:
    """Round trips as dots, lost pings as ticks: each one path, which keeps the page small."""
    sent, milliseconds = _visible(ping.answered_sent_at - origin, ping.round_trip_seconds * 1000, left, right)
    kept = _thinned(milliseconds)
    # Dots are strokes without length and with round ends.
    axes.plot(
        *_strokes(sent[kept], sent[kept], milliseconds[kept], milliseconds[kept]),
        color=COLOURS["muted"],
        lw=2.4,
        solid_capstyle="round",
    )
    lost, _ = _visible(ping.lost_sent_at - origin, ping.lost_sent_at, left, right)
    if len(lost):
        low, high = np.full(len(lost), 0.84), np.full(len(lost), 1.0)
        axes.plot(
            *_strokes(lost, lost, low, high),
            color=COLOURS["lost"],
            lw=1.4,
            transform=axes.get_xaxis_transform(),
        )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(
        min(0.1, float(milliseconds.min(initial=0.1))), max(1000.0, 3 * float(milliseconds.max(initial=1)))
    )
    axes.set_ylabel("ping round\ntrip [ms]")


def _strokes(
    x0: NDArray[np.float64], x1: NDArray[np.float64], y0: NDArray[np.float64], y1: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Separate strokes as one line with gaps."""
    gap = np.full(len(x0), np.nan)
    return np.column_stack((x0, x1, gap)).ravel(), np.column_stack((y0, y1, gap)).ravel()


def _thinned(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Where there are too many to tell apart: of each group of neighbours the longest and the shortest."""
    size = 2 * len(values) // _MOST_PINGS
    if size < 3:
        return np.arange(len(values))
    groups = np.array_split(np.arange(len(values)), len(values) // size)
    ends = [
        index for group in groups for index in (group[values[group].argmin()], group[values[group].argmax()])
    ]
    return np.unique(np.array(ends))


def _visible(
    x: NDArray[np.float64], y: NDArray[np.float64], left: float, right: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    inside = (x >= left) & (x <= right)
    return x[inside], y[inside]


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
