"""What measuring costs: the same case with every probe, and with ping and byte counters only."""

from __future__ import annotations

from analysis.report.blocks import Section, Text
from analysis.report.context import Context
from analysis.report.sections.variants import groups_that_differ_in, variants_table


def section(context: Context) -> Section | None:
    """None if no two cases differ in their probes alone."""
    groups = groups_that_differ_in("probes", context.analysis.cases)
    if not groups:
        return None
    text = Text(
        "The same case with all probes, and with basic ones: ping each 100 ms and byte counters. What "
        "the other probes cost is the difference in time."
    )
    table = variants_table(
        context, "probes-table", "Probes compared", groups, lambda case: case.spec.probes == "basic"
    )
    return Section("probe-cost", "What the probes themselves cost", "Probe cost", [text, table])
