"""How all pictures look, and how they become SVG: standalone, or inline in the page's theme."""

from __future__ import annotations

import gc
import io
import math
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

from contract.modes import Mode

# Drawn in these colours; in the page each becomes a CSS variable of this name, so that it follows the theme.
COLOURS = {
    "page": "#fefefe",
    "ink": "#1b1f24",
    "muted": "#55606b",
    "grid": "#dde2e8",
    "published": "#8b8f98",
    **{mode.value: mode.colour for mode in Mode},
    "lost": "#d11f2d",
    "late": "#b37d10",
    "phase-setup": "#eceef1",
    "phase-precopy": "#fdeadd",
    "phase-switchover": "#f2a9a9",
    "phase-postcopy": "#dcf1e0",
    "phase-completion": "#ece4f4",
    "phase-unknown": "#d5d9df",
}
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    # Where it is anyhow: None measures every tick's label for it.
    "axes.titley": 1.0,
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
    "legend.fontsize": 9,
    # Names are no formulas, whatever they hold.
    "text.parse_math": False,
    # Else dots drawn as strokes without length are lost.
    "path.simplify": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "postcopy-lab",
}
# What drawing takes, which is imported when it is drawn.
MODULES = ("matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg", "matplotlib.figure")
PLOT_INCHES = (5.2, 3.9)
# Fixed margins: laying a plot out by trial draws it twice.
_MARGINS = {"left": 0.12, "right": 0.98, "top": 0.92, "wspace": 0.3}
_PNG_DPI = 160
# zlib's, of 9: half the time of its own default for files a quarter larger.
_PNG_COMPRESSION = 3
# A plot has some ten thousand.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000
_BOTTOM_INCHES = 0.55
_LEGEND_ROW_INCHES = 0.21
_LETTER_INCHES, _HANDLE_INCHES = 0.078, 0.6
# What matplotlib writes although it is SVG's own default.
_DEFAULTS = ("stroke-linejoin: miter", "stroke-linecap: butt", "stroke-width: 1", "text-anchor: start")


def load() -> None:
    """Import what drawing takes; without this the first picture does.

    What is there then is never garbage, so Python need not look for any in it after every few objects of a
    plot: that took a sixth of the time.
    """
    for module in MODULES:
        import_module(module)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


def styled() -> AbstractContextManager[None]:
    """Context in which plots are drawn and saved."""
    import matplotlib

    return matplotlib.rc_context(_STYLE)


def new_plot(inches: tuple[float, float]) -> Figure:
    """An empty plot, its width and height in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=inches)


def legend_entry(**style: Any) -> Artist:
    """A line of this style that stands in a legend only."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **style)


def save(draw: Callable[[], Figure], svg: Path, png: Path) -> str:
    """Draw a plot and write it to both files, in the light colours; returns the SVG."""
    with styled():
        plot = draw()
        buffer = io.StringIO()
        plot.savefig(buffer, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
        svg.write_text(buffer.getvalue(), encoding="utf-8")
        plot.savefig(png, dpi=_PNG_DPI, facecolor="white", pil_kwargs={"compress_level": _PNG_COMPRESSION})
    return buffer.getvalue()


def inline_svg(svg: str, prefix: str, label: str) -> str:
    """The same picture for a page: the theme's colours, unique identifiers, no background, a label, compact.

    Its text takes the page's font; numbers are rounded to a tenth of a point, which no screen shows.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'(<g id="patch_1">\s*<path [^>]*?)fill: (?:#ffffff|white)', r"\1fill: none", body, count=1)
    for name, colour in COLOURS.items():
        body = body.replace(colour, f"var(--{name})")
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = body.replace("url(#", f"url(#{prefix}-").replace('href="#', f'href="#{prefix}-')
    body = re.sub(r'<svg ([^>]*?)width="[^"]*" ?', r"<svg \1", body, count=1)
    body = re.sub(r'<svg ([^>]*?)height="[^"]*" ?', r"<svg \1", body, count=1)
    text = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return _compact(body).replace("<svg ", f'<svg role="img" aria-label="{text}" ', 1)


def _compact(body: str) -> str:
    body = re.sub(r"-?\d+\.\d{3,}", lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), body)
    body = re.sub(r'style="([^"]*)"', lambda match: f'style="{_style(match[1])}"', body)
    body = re.sub(r'(d|points)="([^"]*)"', lambda match: f'{match[1]}="{" ".join(match[2].split())}"', body)
    return re.sub(r">\s+<", "><", body).replace("xlink:href", "href")


def _style(text: str) -> str:
    kept = (item for item in text.split("; ") if item not in _DEFAULTS and not item.startswith("font-family"))
    return ";".join(kept).replace(": ", ":")


def legend(plot: Figure, axes: Axes, more: Sequence[Artist] = ()) -> None:
    """The legend below the axes, with as much room as it needs."""
    width, height = plot.get_size_inches()
    handles = [*axes.get_legend_handles_labels()[0], *more]
    longest = max((len(str(handle.get_label())) for handle in handles), default=0)
    columns = max(1, int(0.92 * width / (longest * _LETTER_INCHES + _HANDLE_INCHES)))
    rows = (len(handles) + columns - 1) // columns
    plot.subplots_adjust(**_MARGINS, bottom=(_BOTTOM_INCHES + _LEGEND_ROW_INCHES * rows) / height)
    if handles:
        plot.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(0.03, 0),
            ncols=columns,
            handlelength=1.6,
            columnspacing=1.2,
        )


def logarithmic(axis: Axis) -> None:
    """Limits and ticks at 1, 2 and 5 of a decade, in plain numbers; call it when the data are drawn."""
    low, high = axis.get_view_interval()
    if low <= 0:
        # Nothing was drawn.
        low, high = 1.0, 10.0
    steps = [step * 10.0**decade for decade in range(_decade(low), _decade(high) + 2) for step in (1, 2, 5)]
    bounds = max(step for step in steps if step <= low), min(step for step in steps if step >= high)
    if axis is axis.axes.xaxis:
        axis.axes.set_xlim(*bounds)
    else:
        axis.axes.set_ylim(*bounds)
    from matplotlib.ticker import LogLocator

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    plain_numbers(axis)


def plain_numbers(axis: Axis) -> None:
    """A logarithmic axis with plain numbers at its ticks, and none between them."""
    from matplotlib.ticker import NullFormatter

    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _decade(value: float) -> int:
    return math.floor(math.log10(value))
