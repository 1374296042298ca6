"""What measuring costs: the same case with every probe, and with ping and byte counters only."""

from __future__ import annotations

from analysis.report.blocks import Block, Cell, Column, Section, Table, Text, label, table_of
from analysis.report.cells import case_cell, missing
from analysis.report.context import Context
from analysis.report.formats import interval_text
from analysis.report.sections.variants import groups_that_differ_in, variants_table
from analysis.report.words import words
from analysis.stats.tests import Comparison, IntervalComparison
from analysis.study.overhead import probe_costs
from contract.choices import Probes


def section(context: Context) -> Section | None:
    """None if no two cases differ in their probes alone."""
    groups = groups_that_differ_in("probes", context.analysis.cases)
    if not groups:
        return None
    table = variants_table(
        context, "probes-table", "Probes compared", groups, lambda case: case.spec.probes == Probes.BASIC
    )
    blocks: list[Block] = [Text(words("variants.probes")), table, cost_table(context)]
    return Section("probe-cost", "What the probes themselves cost", "Probe cost", blocks)


def cost_table(context: Context) -> Table:
    """A row per pair of cases."""
    return table_of(
        "probe-cost-table",
        "All probes against the basic ones",
        probe_costs(context.analysis.cases),
        [
            (label("case"), lambda cost: case_cell(cost.all_probes, f"against {cost.basic.case}")),
            (Column("migration time", "ratio"), lambda cost: _ratio(cost.seconds)),
            (Column("data", "ratio"), lambda cost: _ratio(cost.forward_bytes)),
            (Column("downtime (hypervisor)", "ratio"), lambda cost: _ratio(cost.downtime)),
            (Column("ping outage, with and without", "s"), lambda cost: _outage(cost.outage)),
            context.runs_column(lambda cost: (*cost.all_probes.counted, *cost.basic.counted)),
        ],
        words("variants.probe_cost"),
    )


def _ratio(found: Comparison | None) -> Cell:
    if found is None:
        return missing()
    ratio = found.ratio
    bounds = f"{ratio.low:.3f} to {ratio.high:.3f} ({ratio.kind}), " if ratio.low is not None else ""
    p = f", p = {found.p:.3f}" if found.p is not None else ""
    return Cell(f"{ratio.value:.3f}", f"{bounds}{found.verdict}{p}")


def _outage(found: IntervalComparison | None) -> Cell:
    if found is None:
        return missing()
    both = f"{interval_text(found.second_median)} and {interval_text(found.first_median)}"
    return Cell(both, found.verdict)
