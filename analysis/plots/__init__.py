"""The report's pictures, drawn by matplotlib: each function gives one Figure.

`save` draws one and writes it; `inline_svg` gives one that follows the page's theme. matplotlib is imported
by what draws, so that a process that has others draw does without.
"""

from analysis.plots.article import stressed_data, stressed_time, unloaded_data, unloaded_time
from analysis.plots.attribution import attribution_picture
from analysis.plots.bound import bound_picture
from analysis.plots.modes import modes_picture
from analysis.plots.rates import rates_picture
from analysis.plots.slowdown import slowdown_picture
from analysis.plots.style import inline_svg, load, save
from analysis.plots.timeline import TimelineData, timeline_data, timeline_picture

__all__ = [
    "TimelineData",
    "attribution_picture",
    "bound_picture",
    "inline_svg",
    "load",
    "modes_picture",
    "rates_picture",
    "save",
    "slowdown_picture",
    "stressed_data",
    "stressed_time",
    "timeline_data",
    "timeline_picture",
    "unloaded_data",
    "unloaded_time",
]
