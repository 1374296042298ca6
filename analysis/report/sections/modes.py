"""Cases that differ in their mode alone, held against hybrid."""

from __future__ import annotations

from functools import partial

from analysis import plots
from analysis.report.blocks import Section, folded_if_long
from analysis.report.context import Context
from analysis.report.sections.variants import groups_that_differ_in, variants_table
from analysis.report.words import words
from contract.modes import ARTICLE_MODE


def section(context: Context) -> Section | None:
    """None if no two cases differ in their mode alone."""
    groups = groups_that_differ_in("mode", context.analysis.cases)
    if not groups:
        return None
    runs = [run for _, cases in groups for case in cases for run in case.runs if run.metrics]
    picture = context.picture(
        "modes-picture",
        "Same guest, same load, same link: the modes beside each other",
        words("variants.modes"),
        partial(plots.modes_plot, groups),
        runs,
        wide=True,
    )
    table = variants_table(
        context, "modes-table", "Modes compared", groups, lambda case: case.spec.mode == ARTICLE_MODE
    )
    return Section("modes", "Modes compared", "Modes", [picture, folded_if_long(table)])
