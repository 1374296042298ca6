"""The report's sections, in the order in which they are read.

Each is one module with a function `section(context)` that gives a Section, or None where the results have
nothing of it. To add one: write the module and name it here.
"""

from __future__ import annotations

from analysis.report.blocks import Section
from analysis.report.context import Context
from analysis.report.sections import (
    answers,
    article,
    attribution,
    cases,
    claims,
    clocks,
    definitions,
    downtimes,
    environment,
    lines,
    modes,
    nova_steps,
    outages,
    probe_cost,
    rates,
    runs,
    slowdown,
    sources,
    summary,
    switchovers,
    wall_time,
    warnings,
)

_SECTIONS = (
    summary,
    claims,
    answers,
    article,
    lines,
    modes,
    rates,
    downtimes,
    switchovers,
    outages,
    attribution,
    slowdown,
    cases,
    clocks,
    sources,
    nova_steps,
    wall_time,
    probe_cost,
    environment,
    warnings,
    runs,
    definitions,
)


def all_sections(context: Context) -> list[Section]:
    """Every section that has something to show; draws the pictures on the way."""
    found = (module.section(context) for module in _SECTIONS)
    return [section for section in found if section is not None]
