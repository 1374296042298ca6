"""The same guests over links of different rates."""

from __future__ import annotations

from functools import partial

from analysis import plots
from analysis.report.blocks import Section, folded_if_long
from analysis.report.context import Context
from analysis.report.sections.variants import groups_that_differ_in, variants_table
from analysis.report.words import words


def section(context: Context) -> Section | None:
    """None if no two cases differ in their link's rate alone."""
    groups = groups_that_differ_in("link_rate", context.analysis.cases)
    if not groups:
        return None
    picture = context.picture(
        "rates-picture",
        "Migration time over the link's rate",
        words("variants.rates"),
        partial(plots.rates_plot, groups),
        [run for _, cases in groups for case in cases for run in case.counted],
    )
    slowest = min(case.spec.link_rate_bits_per_second for _, cases in groups for case in cases)
    table = variants_table(
        context,
        "rates-table",
        "Link rates compared",
        groups,
        lambda case: case.spec.link_rate_bits_per_second == slowest,
    )
    return Section("rates", "Link rates compared", "Link rates", [picture, folded_if_long(table)])
