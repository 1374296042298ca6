"""The report's pictures, drawn by matplotlib: each function gives one Figure.

`save` draws one and writes it; `inline_svg` gives one that follows the page's theme. matplotlib is imported
by what draws, so that a process that has others draw does without.
"""

from analysis.plots.article import stressed_data, stressed_time, unloaded_data, unloaded_time
from analysis.plots.attribution import attribution_plot
from analysis.plots.bound import bound_plot
from analysis.plots.modes import modes_plot
from analysis.plots.rates import rates_plot
from analysis.plots.slowdown import slowdown_plot
from analysis.plots.style import MODULES, inline_svg, load, save
from analysis.plots.timeline import TimelineData, timeline_data, timeline_plot

__all__ = [
    "MODULES",
    "TimelineData",
    "attribution_plot",
    "bound_plot",
    "inline_svg",
    "load",
    "modes_plot",
    "rates_plot",
    "save",
    "slowdown_plot",
    "stressed_data",
    "stressed_time",
    "timeline_data",
    "timeline_plot",
    "unloaded_data",
    "unloaded_time",
]
