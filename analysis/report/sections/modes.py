"""Cases that differ in their mode alone, held against hybrid."""

from __future__ import annotations

from analysis import figures
from analysis.comparison import compare_rounds
from analysis.report.blocks import Cell, Column, Section, Table, label
from analysis.report.cells import RUNS_COLUMN, case_cell, estimate_cell, missing, outage_cell, outcomes_text
from analysis.report.context import Context
from analysis.tables import CaseSummary
from analysis.units import MB, MIB

Groups = list[tuple[str, list[CaseSummary]]]


def section(context: Context) -> Section | None:
    """None if no two cases differ in their mode alone."""
    groups = mode_groups(context.analysis.cases)
    if not groups:
        return None
    runs = [run for _, cases in groups for case in cases for run in case.runs if run.figures]
    picture = context.picture(
        "modes-picture",
        "Same guest, same load, same link: the modes beside each other",
        "Each dot is a run. The longest wait of a ping is its round trip, or the longest gap of lost ones; "
        "downtime is the hypervisors' own, from the source's stop to the destination's start. Both are "
        "on logarithmic axes.",
        figures.modes_picture(groups),
        runs,
        wide=True,
    )
    return Section("modes", "Modes compared", "Modes", [picture, _table(context, groups)])


def mode_groups(cases: tuple[CaseSummary, ...]) -> Groups:
    """Cases by guest, load and link, where there are two modes or more of the same."""
    groups: dict[tuple[object, ...], list[CaseSummary]] = {}
    for case in cases:
        spec = case.spec
        load = (spec.flavor, spec.stressor, spec.stressed_bytes, spec.stress_threads, spec.link_rate)
        groups.setdefault(load, []).append(case)
    return [
        (_name(members[0]), members)
        for members in groups.values()
        if len({case.spec.mode for case in members}) > 1
    ]


def _name(case: CaseSummary) -> str:
    spec = case.spec
    load = f"{spec.stressed_bytes / MIB:,.0f} MiB" if spec.stressor else "unloaded"
    return f"{spec.flavor}, {load}\n{spec.link_rate}"


def _table(context: Context, groups: Groups) -> Table:
    rows: list[list[Cell]] = []
    for _, members in groups:
        reference = next((case for case in members if case.spec.mode == "hybrid"), members[0])
        rows += [_row(context, case, reference) for case in members]
    return Table(
        "modes-table",
        "Modes compared",
        (
            label("case"),
            label("outcome"),
            Column("migration time", "s"),
            Column("data", "MB = 10⁶ B"),
            Column("downtime (hypervisor)", "ms"),
            Column("ping outage", "s"),
            label("time against hybrid"),
            RUNS_COLUMN,
        ),
        rows,
        "Same guest, load and link. A comparison needs so many repetitions that its exact rank test could "
        "show a difference at all: with n and m runs the smallest p is 2 / C(n + m, n), with n pairs of runs "
        "of one round 2^(1 - n). Pairs are compared from six on: they are free of the machine's drift.",
        heading=False,
    )


def _row(context: Context, case: CaseSummary, reference: CaseSummary) -> list[Cell]:
    converged = bool(case.counted)
    estimate = case.estimate if converged else case.not_converged_estimate
    prefix = "" if converged else "> "
    return [
        case_cell(case),
        Cell(outcomes_text(case)),
        estimate_cell(estimate("migration_seconds"), 1, prefix),
        estimate_cell(estimate("forward_bytes"), 1 / MB, prefix),
        estimate_cell(case.estimate("downtime_seconds"), 1000),
        outage_cell(case),
        Cell("reference") if case is reference else _against(reference, case),
        context.runs_cell(case.runs),
    ]


def _against(reference: CaseSummary, case: CaseSummary) -> Cell:
    if not case.counted:
        return Cell("no completed run", "never converged" if case.not_converged else None, tone="muted")
    comparison = compare_rounds(reference.by_round("migration_seconds"), case.by_round("migration_seconds"))
    if comparison is None:
        return missing("nothing to compare with")
    counts = f"{comparison.first_count} and {comparison.second_count} runs"
    if comparison.p is None:
        least = f"smallest possible p = {comparison.smallest_p:.2f}"
        return Cell(comparison.verdict, f"{counts}, {least}", tone="muted")
    ratio = comparison.ratio
    bounds = "" if ratio.low is None or ratio.high is None else f" ({ratio.low:.2f} to {ratio.high:.2f})"
    return Cell(
        f"x {ratio.value:.2f}{bounds}",
        f"{comparison.verdict}, p = {comparison.p:.3f}; {comparison.test}, {counts}",
    )
