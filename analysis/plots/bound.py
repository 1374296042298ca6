"""Every run against the link: time over data, the line data / throughput, and on it the bound 2 x RAM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.evidence.units import GB, GIB, MB
from analysis.plots.style import COLOURS, legend, logarithmic, new_plot
from analysis.reference.published import Published
from analysis.study.results import RunResult
from contract.modes import Mode

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = (7.2, 4.6)


def bound_plot(published: Published | None, runs: Sequence[RunResult]) -> Figure:
    """Migration time over transferred data, both logarithmic; runs without metrics are left out."""
    plot = new_plot(_INCHES)
    axes = plot.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    if published:
        _published_points(axes, published)
    for mode in Mode:
        for converged, marker, words in ((True, "o", ""), (False, ">", ", aborted")):
            found = [
                run.metrics
                for run in runs
                if run.metrics and run.record.spec.mode == mode and run.metrics.converged is converged
            ]
            if found:
                axes.plot(
                    [item.forward_bytes / GB for item in found],
                    [item.migration_seconds for item in found],
                    marker,
                    color=COLOURS[mode],
                    mfc=COLOURS[mode] if converged else "none",
                    ms=5,
                    mec=COLOURS["page"] if converged else COLOURS[mode],
                    mew=0.5 if converged else 1.2,
                    label=f"measured: {mode}{words}",
                )
    points = {(run.metrics.bound_bytes, run.metrics.bound_seconds) for run in runs if run.metrics}
    if published:
        points |= {published_bound(published, flavor) for flavor in published.ram_gb}
    bounds = sorted(points)
    axes.plot(
        [data / GB for data, _ in bounds],
        [seconds for _, seconds in bounds],
        "D",
        color=COLOURS["ink"],
        mfc="none",
        ms=6,
        label="bound: 2 x RAM / throughput",
    )
    logarithmic(axes.xaxis)
    logarithmic(axes.yaxis)
    ends = np.array(axes.get_xlim())
    label: str | None = "data / throughput"
    for rate in _rates(runs) or ([published.link_rate_bits_per_second] if published else []):
        axes.plot(ends, ends * GB * 8 / rate, "--", color=COLOURS["muted"], lw=1, label=label)
        label = None
    axes.set_title("Migration time [s]")
    axes.set_xlabel("transferred data [GB = 10⁹ bytes]")
    legend(plot, axes)
    return plot


def published_bound(published: Published, flavor: str) -> tuple[float, float]:
    """The article's bound of a flavor: bytes, and seconds at its nominal link rate.

    Its GB of RAM are GiB: OpenStack flavors count so.
    """
    data = 2 * published.ram_gb[flavor] * GIB
    return data, data * 8 / published.link_rate_bits_per_second


def _rates(runs: Sequence[RunResult]) -> list[float]:
    """The median measured rate (bits per second) of each configured one."""
    by_rate: dict[float, list[float]] = {}
    for run in runs:
        if run.metrics:
            configured = run.record.spec.link_rate_bits_per_second
            by_rate.setdefault(configured, []).append(run.metrics.link_rate_bits_per_second)
    return [float(np.median(rates)) for _, rates in sorted(by_rate.items())]


def _published_points(axes: Axes, published: Published) -> None:
    rows = [(row.transferred_mb, row.migration_seconds) for row in published.unloaded]
    rows += [
        (row.transferred_mb, row.migration_seconds) for steps in published.stressed.values() for row in steps
    ]
    axes.plot(
        [data * MB / GB for data, _ in rows],
        [seconds for _, seconds in rows],
        "s",
        color=COLOURS["published"],
        ms=4.5,
        label="published, MB = 10⁶ bytes",
    )
