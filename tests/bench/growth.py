"""Does a figure grow with the runs? Samples of many runs as a table of Markdown and as a plot.

A figure **grows** if its robust line says so twice: the whole 95 % interval of the Theil-Sen slope (the
median of the slopes of all pairs of samples) is above 0, and over all runs the line rises by more than one
piece, or, where it is of bytes, by more than 2 % of what the figure was at the beginning. What grows is a
leak, or a record that is meant to be kept. The first four runs are left out: they fill caches.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import scipy.stats
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

MIB = 1 << 20
FIRST_RUN = 5
# A value at one end of the runs is the median of so many samples, or of a third of all where there are fewer.
END_SAMPLES = 10
SMALLEST_PIECES = 1.0
SMALLEST_SHARE = 0.02
# A column is WHERE.FIGURE; a study's own figures are of the "study". These are shown and not judged: how long
# a run takes follows from what else the machine does.
NOT_JUDGED = ("seconds", "cost_seconds")

Samples = Mapping[str, Sequence[tuple[int, float]]]


@dataclass(frozen=True)
class Growth:
    """A figure from FIRST_RUN on. `rise`: of its line over all of these runs, in the figure's unit."""

    name: str
    first: float
    last: float
    slope: float
    low: float
    high: float
    rise: float
    grows: bool | None

    @property
    def in_bytes(self) -> bool:
        return self.name.endswith("_bytes")


def read_samples(path: Path) -> dict[str, list[tuple[int, float]]]:
    """By column: (run's number, value); a sample that was not taken is left out."""
    samples: dict[str, list[tuple[int, float]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            number = int(row.pop("run"))
            for name, text in row.items():
                if text:
                    samples.setdefault(name, []).append((number, float(text)))
    return samples


def growth_of(name: str, samples: Sequence[tuple[int, float]]) -> Growth | None:
    """The growth of one figure; None with fewer than three samples after the first runs."""
    used = [sample for sample in samples if sample[0] >= FIRST_RUN]
    if len(used) < 3:
        return None
    runs, values = [number for number, _ in used], [value for _, value in used]
    ends = min(END_SAMPLES, len(used) // 3)
    first, last = statistics.median(values[:ends]), statistics.median(values[-ends:])
    slope, _, low, high = (float(number) for number in scipy.stats.theilslopes(values, runs, 0.95))
    rise = slope * (runs[-1] - runs[0])
    smallest = SMALLEST_SHARE * first if name.endswith("_bytes") else SMALLEST_PIECES
    judged = name.partition(".")[2] not in NOT_JUDGED
    return Growth(name, first, last, slope, low, high, rise, low > 0 and rise > smallest if judged else None)


def growths(samples: Samples) -> list[Growth]:
    """All figures that have samples enough, in the order of the columns."""
    found = (growth_of(name, values) for name, values in samples.items())
    return [growth for growth in found if growth is not None]


def table(found: Sequence[Growth]) -> str:
    """The figures as a table of Markdown."""
    lines = [
        f"| figure | run {FIRST_RUN} | last run | slope per 100 runs (95 %) | grows |",
        "|---|---:|---:|---:|---|",
    ]
    for growth in found:
        unit, divisor = (" MiB", MIB) if growth.in_bytes else ("", 1)
        first, last = (f"{value / divisor:,.1f}{unit}" for value in (growth.first, growth.last))
        line = [f"{100 * value / divisor:+.2f}" for value in (growth.slope, growth.low, growth.high)]
        words = {None: "not judged", True: "**yes**", False: "no"}[growth.grows]
        cells = (growth.name, first, last, f"{line[0]} ({line[1]} to {line[2]}){unit}", words)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def plot(samples: Samples, path: Path) -> None:
    """One small picture for each figure, with a line for each place that has it."""
    figures = list(dict.fromkeys(name.partition(".")[2] for name in samples))
    columns = 3
    rows = -(-len(figures) // columns)
    drawn = Figure(figsize=(11, 1.9 * rows), layout="constrained")
    axes = drawn.subplots(rows, columns, squeeze=False)
    colours = {
        where: f"C{number}"
        for number, where in enumerate(dict.fromkeys(name.partition(".")[0] for name in samples))
    }
    for axis in axes.flat[len(figures) :]:
        axis.set_visible(False)
    for axis, figure in zip(axes.flat, figures, strict=False):
        divisor = MIB if figure.endswith("_bytes") else 1
        for where, colour in colours.items():
            values = samples.get(f"{where}.{figure}", ())
            axis.plot(
                [number for number, _ in values],
                [value / divisor for _, value in values],
                color=colour,
                linewidth=0.9,
            )
        unit = ", MiB" if divisor == MIB else ""
        axis.set_title(figure.removesuffix("_bytes").replace("_", " ") + unit, fontsize=9, loc="left")
        axis.set_ylim(bottom=0)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("run", fontsize=8)
    handles = [Line2D([], [], color=colour, label=where) for where, colour in colours.items()]
    drawn.legend(handles=handles, loc="outside upper center", ncols=len(colours), fontsize=9, frameon=False)
    drawn.savefig(path, dpi=110)
