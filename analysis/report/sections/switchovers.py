"""What it costs to ask nova for the switchover, and not libvirt beside it."""

from __future__ import annotations

from analysis.report.blocks import Block, Section, Text
from analysis.report.context import Context
from analysis.report.sections.variants import groups_that_differ_in, variants_table
from analysis.report.words import words
from contract.choices import SwitchoverBy


def section(context: Context) -> Section | None:
    """None if no two cases differ in who is asked for the switchover alone."""
    groups = groups_that_differ_in("switchover_by", context.analysis.cases)
    if not groups:
        return None
    table = variants_table(
        context,
        "switchovers-table",
        "Ways to switch over compared",
        groups,
        lambda case: case.spec.switchover_by == SwitchoverBy.LIBVIRT,
    )
    blocks: list[Block] = [Text(words("variants.switchovers")), table]
    return Section("switchovers", "Who switches over", "Switchovers", blocks)
