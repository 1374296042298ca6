"""The report's pictures, drawn by matplotlib: each function gives one Figure.

Draw and save them inside `styled()`; `svg_file` gives a standalone SVG, `inline_svg` one that follows the
page's theme.
"""

from analysis.plots.article import stressed_data, stressed_time, unloaded_data, unloaded_time
from analysis.plots.attribution import attribution_picture
from analysis.plots.bound import bound_picture
from analysis.plots.modes import modes_picture
from analysis.plots.rates import rates_picture
from analysis.plots.slowdown import slowdown_picture
from analysis.plots.style import inline_svg, styled, svg_file
from analysis.plots.timeline import timeline_picture

__all__ = [
    "attribution_picture",
    "bound_picture",
    "inline_svg",
    "modes_picture",
    "rates_picture",
    "slowdown_picture",
    "stressed_data",
    "stressed_time",
    "styled",
    "svg_file",
    "timeline_picture",
    "unloaded_data",
    "unloaded_time",
]
