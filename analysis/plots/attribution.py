"""Where one run's pings were lost: strokes on the migration's timeline in the colour of their cause."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.plots.style import COLOURS, legend_entry, new_plot
from analysis.run.attribution import COARSE, FINE, Attribution, LostPing
from analysis.run.causes import Cause
from analysis.run.timeline import (
    ANNOUNCED_AT_UPLINK,
    DESTINATION_RESUMED,
    PORT_WIRED,
    SOURCE_STOPPED,
    Timeline,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Causes that one would mend in the same place share a colour.
CAUSE_COLOURS: Mapping[Cause, str] = {
    Cause.NOT_SENT: "published",
    Cause.UNRESOLVED: "published",
    Cause.LOST_BEFORE_HOSTS: "published",
    Cause.SWITCHOVER: "muted",
    Cause.UNWIRED: "precopy",
    Cause.STALE_UNANNOUNCED: "late",
    Cause.STALE_ANNOUNCED: "lost",
    Cause.STALE_ENTRY: "lost",
    Cause.NETWORK_EARLY: "lost",
    Cause.SOURCE_HOST: "precopy",
    Cause.SOURCE_GUEST: "precopy",
    Cause.DESTINATION_HOST: "hybrid",
    Cause.NOT_RESUMED: "hybrid",
    Cause.DESTINATION_GUEST: "hybrid",
    Cause.ANSWER_LOST: "postcopy",
    Cause.UNKNOWN: "ink",
}
_MARGINS = {"left": 0.12, "right": 0.985, "top": 0.84, "bottom": 0.4}
_MOMENTS = {
    SOURCE_STOPPED: "stopped",
    DESTINATION_RESUMED: "resumed",
    ANNOUNCED_AT_UPLINK: "announced",
    PORT_WIRED: "port wired",
}


def _marks(timeline: Timeline) -> dict[str, float]:
    """The moments that explain a loss; a port that was wired before the guest came explains none."""
    stopped = timeline.source_stopped if timeline.source_stopped is not None else -math.inf
    return {
        _MOMENTS[moment.name]: moment.time
        for moment in timeline.moments
        if moment.name in _MOMENTS and (moment.name != PORT_WIRED or moment.time > stopped)
    }


def attribution_plot(found: Attribution, timeline: Timeline) -> Figure:
    """Lost pings of both periods around the losses, of which there is one at least."""
    lost = [ping for stream in found.streams for ping in stream.lost]
    origin = timeline.requested
    plot = new_plot((9.6, 2.6))
    axes = plot.add_subplot()
    plot.subplots_adjust(**_MARGINS)
    marks = _marks(timeline)
    times = [ping.sent_at for ping in lost] + list(marks.values())
    margin = 0.04 * (max(times) - min(times)) + 0.05
    left, right = min(times) - margin - origin, max(times) + margin - origin
    for phase in timeline.phases:
        axes.axvspan(
            phase.start - origin, phase.end - origin, color=COLOURS[f"phase-{phase.name}"], lw=0, zorder=0
        )
    names = []
    rows = [(FINE, found.fine), (COARSE, found.coarse)]
    for row, (name, stream) in enumerate((name, stream) for name, stream in rows if stream is not None):
        _strokes(axes, stream.lost, origin, row)
        names.append(f"ping {name}")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(False)
    axes.set_xlim(left, right)
    _mark(axes, {name: time - origin for name, time in marks.items()})
    axes.set_xlabel("seconds since the migration was asked for")
    present = [cause for cause in Cause if any(ping.cause is cause for ping in lost)]
    plot.legend(
        handles=[legend_entry(color=COLOURS[CAUSE_COLOURS[cause]], lw=4, label=cause) for cause in present],
        loc="lower left",
        bbox_to_anchor=(0.02, 0),
        ncols=2,
        handlelength=1.2,
    )
    return plot


def _strokes(axes: Axes, lost: Sequence[LostPing], origin: float, row: int) -> None:
    """The strokes of one colour are one path, which keeps the page small."""
    for colour in dict.fromkeys(CAUSE_COLOURS[ping.cause] for ping in lost):
        sent = np.array([ping.sent_at - origin for ping in lost if CAUSE_COLOURS[ping.cause] == colour])
        gap = np.full(len(sent), np.nan)
        x = np.column_stack((sent, sent, gap)).ravel()
        y = np.column_stack((np.full(len(sent), row - 0.36), np.full(len(sent), row + 0.36), gap)).ravel()
        axes.plot(x, y, color=COLOURS[colour], lw=1.3, solid_capstyle="butt")


def _mark(axes: Axes, marks: Mapping[str, float]) -> None:
    """Moments as lines; names of those that are too near to each other go onto the next line above."""
    left, right = axes.get_xlim()
    width = right - left
    level, previous = 0, -np.inf
    for name, time in sorted(marks.items(), key=lambda mark: mark[1]):
        level = level + 1 if time - previous < 0.12 * width else 0
        previous = time
        axes.axvline(time, color=COLOURS["ink"], lw=0.9, ls="--")
        axes.text(
            time,
            1.02 + 0.11 * level,
            f" {name} {time:.2f} s ",
            transform=axes.get_xaxis_transform(),
            ha="right" if time > right - 0.2 * width else "left",
            va="bottom",
            fontsize=8.5,
        )
