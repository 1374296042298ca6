"""One migration at a glance: traffic both ways, page requests and pings on one time axis, phases shaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.plots.style import COLOURS, new_plot, plain_numbers
from analysis.run.measure import Measured
from analysis.run.slowdown import Slowdown
from analysis.run.timeline import UNKNOWN_PHASE, Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARGINS = {"left": 0.09, "right": 0.99, "top": 0.95, "bottom": 0.085, "hspace": 0.14}
# Middle of the lanes' labels, in widths of a lane.
_LABELS_AT = -0.053
# Upper edge of the label below the lowest lane, in heights of that lane.
_X_LABEL_AT = -0.276
_LABELS = (
    "forward\n[Mbit/s]",
    "backward\n[Mbit/s]",
    "beyond ACKs\n[kB/s]",
    "guest writes\n[MiB/s]",
    "ping round\ntrip [ms]",
)
# Enough points for a picture, few enough for a page.
_BINS = 300
_MOST_PINGS = 600
_PHASE_NAMES = {
    "setup": "setup",
    "precopy": "pre-copy",
    "switchover": "switchover",
    "postcopy": "post-copy",
    "completion": "completion",
    UNKNOWN_PHASE: "not known",
}


Numbers = NDArray[np.float64]
# Edges of bins and a value for each.
Stairs = tuple[Numbers, Numbers]


@dataclass(frozen=True)
class TimelineData:
    """What one run's timeline shows, a few kB. Seconds count from the request of the migration.

    span: what is in sight; forward and backward in Mbit/s, requests in kB/s, guest in MiB/s; answered: when
    pings were sent and their round trips in milliseconds, thinned; lost: when those without an answer were.
    """

    timeline: Timeline
    link_rate_bits_per_second: float
    span: tuple[float, float]
    forward: Stairs | None
    backward: Stairs | None
    requests: Stairs | None
    guest: Stairs | None
    answered: Stairs
    lost: Numbers


def timeline_data(measured: Measured) -> TimelineData:
    """Of a measured run what its timeline shows."""
    timeline, ping = measured.timeline, measured.ping
    origin = timeline.requested
    end = timeline.completed - origin
    span = -0.06 * end - 0.3, end * 1.12 + 0.5
    sent, returned = measured.wire.source_sent, measured.wire.destination_sent
    answered, milliseconds = _visible(ping.answered_sent_at - origin, ping.round_trip_seconds * 1000, *span)
    kept = _thinned(milliseconds)
    return TimelineData(
        timeline=timeline,
        link_rate_bits_per_second=measured.metrics.link_wire_rate_bits_per_second,
        span=span,
        forward=_throughput(sent.time - origin, sent.bytes * 8 / 1e6, span),
        backward=_throughput(returned.time - origin, returned.bytes * 8 / 1e6, span),
        requests=_throughput(returned.time - origin, returned.payload / 1e3, span),
        guest=_guest(measured.slowdown, span) if measured.slowdown is not None else None,
        answered=(answered[kept], milliseconds[kept]),
        lost=_visible(ping.lost_sent_at - origin, ping.lost_sent_at, *span)[0],
    )


def timeline_plot(data: TimelineData) -> Figure:
    """Traffic both ways over time, phases shaded, pings below: one migration at a glance.

    The next call gives the same Figure with other data in it.
    """
    timeline = data.timeline
    origin = timeline.requested
    left, right = data.span
    plot = _empty_lanes()
    forward, backward, requests, guest, pings = plot.axes
    for axes in plot.axes:
        for artist in (*axes.lines, *axes.patches, *axes.texts):
            artist.remove()
        if axes is not pings:
            axes.relim()
            axes.set_ylim(0, 1, auto=True)
        for phase in timeline.phases:
            axes.axvspan(
                phase.start - origin, phase.end - origin, color=COLOURS[f"phase-{phase.name}"], lw=0, zorder=0
            )
    _stairs(forward, data.forward, COLOURS["hybrid"], 1.1)
    forward.axhline(data.link_rate_bits_per_second / 1e6, color=COLOURS["muted"], lw=0.9, ls="--")
    _stairs(backward, data.backward, COLOURS["postcopy"], 1.1)
    _stairs(requests, data.requests, COLOURS["postcopy"], 1.1)
    if timeline.border_by_traffic is not None:
        requests.axvline(timeline.border_by_traffic - origin, color=COLOURS["postcopy"], lw=1.2, ls="--")
    _stairs(guest, data.guest, COLOURS["late"], 1.3)
    _pings(pings, data)
    pings.set_xlim(left, right)
    _phase_names(forward, timeline, right - left)
    return plot


@cache
def _empty_lanes() -> Figure:
    """The lanes without data, made once in a process: making axes and ticks takes a third of its time."""
    plot = new_plot((9.6, 6.4))
    lanes = plot.subplots(5, 1, sharex=True, height_ratios=[4.4, 2.5, 2.5, 2.5, 3.2])
    plot.subplots_adjust(**_MARGINS)
    for axes, label in zip(lanes, _LABELS, strict=True):
        axes.set_ylabel(label)
        # In place without measuring every tick's label, which took a tenth of the time.
        axes.yaxis.set_label_coords(_LABELS_AT, 0.5)
        axes.xaxis.set_label_coords(0.5, _X_LABEL_AT)
    pings = lanes[-1]
    pings.set_xlabel("seconds since the migration was asked for")
    pings.set_yscale("log")
    plain_numbers(pings.yaxis)
    return plot


def _throughput(time: Numbers, counter: Numbers, span: tuple[float, float]) -> Stairs | None:
    """A counter's growth per second in bins; None where nothing of it is in sight."""
    low, high = max(span[0], time[0]), min(span[1], time[-1])
    # Not finer than two samples, or the bins beat with the 50 ms between them.
    width = max((high - low) / _BINS, 0.1)
    edges = np.arange(low, high, width)
    if len(edges) < 2:
        return None
    return edges, np.diff(np.interp(edges, time, counter)) / width


def _guest(slowdown: Slowdown, span: tuple[float, float]) -> Stairs | None:
    """Memory that the guest's own program wrote, second by second; 0 is a guest that stands still."""
    seconds = [second for second in slowdown.seconds if second.since + 1 > span[0] and second.since < span[1]]
    if not seconds:
        return None
    # Nothing written in a second is for ever per MiB.
    written = [1 / second.seconds_per_mib for second in seconds]
    return np.array([*(second.since for second in seconds), seconds[-1].since + 1]), np.array(written)


def _stairs(axes: Axes, stairs: Stairs | None, colour: str, width: float) -> None:
    if stairs is not None:
        edges, values = stairs
        # Not Axes.stairs, which looks at every step as at a curve to find how far it reaches.
        axes.plot(
            edges,
            np.append(values, values[-1]),
            drawstyle="steps-post",
            color=colour,
            lw=width,
            solid_capstyle="butt",
            solid_joinstyle="miter",
        )
        axes.set_ylim(bottom=0)


def _pings(axes: Axes, data: TimelineData) -> None:
    """Round trips as dots, lost pings as ticks: each one path, which keeps the page small."""
    sent, milliseconds = data.answered
    # Dots are strokes with round ends and hardly a length: without any, a PNG has none.
    ends = sent + 1e-4 * (data.span[1] - data.span[0])
    axes.plot(
        *_strokes(sent, ends, milliseconds, milliseconds),
        color=COLOURS["muted"],
        lw=2.4,
        solid_capstyle="round",
    )
    lost = data.lost
    if len(lost):
        low, high = np.full(len(lost), 0.84), np.full(len(lost), 1.0)
        axes.plot(
            *_strokes(lost, lost, low, high),
            color=COLOURS["lost"],
            lw=1.4,
            transform=axes.get_xaxis_transform(),
        )
    axes.set_ylim(
        min(0.1, float(milliseconds.min(initial=0.1))), max(1000.0, 3 * float(milliseconds.max(initial=1)))
    )


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


def _phase_names(axes: Axes, timeline: Timeline, width: float) -> None:
    """Names above the wide phases; narrow ones are known by their shade (the page has a legend)."""
    for phase in timeline.phases:
        if phase.seconds > 0.09 * width:
            axes.text(
                (phase.start + phase.end) / 2 - timeline.requested,
                1.03,
                f"{_PHASE_NAMES[phase.name]} {phase.seconds:.2f} s",
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=8.5,
            )
