"""Cases that differ in one thing alone, and how they are held against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis.evidence.units import MIB
from analysis.report.blocks import Cell, Column, Table, label
from analysis.report.cells import (
    RUNS_COLUMN,
    case_cell,
    metric_cell,
    metric_column,
    missing,
    outage_cell,
    outcomes_text,
)
from analysis.report.context import Context
from analysis.report.words import words
from analysis.stats.intervals import RANGE
from analysis.stats.tests import compare_intervals, compare_rounds
from analysis.study.cases import CaseSummary

Groups = Sequence[tuple[str, Sequence[CaseSummary]]]

_CONDITIONS = (
    "mode",
    "flavor",
    "stressor",
    "stressed_bytes",
    "stress_threads",
    "link_rate",
    "backend",
    "network",
    "probes",
)


def groups_that_differ_in(condition: str, cases: Sequence[CaseSummary]) -> Groups:
    """Cases alike in everything but this field of their spec, where it has two values or more."""
    groups: dict[tuple[object, ...], list[CaseSummary]] = {}
    for case in cases:
        key = tuple(getattr(case.spec, name) for name in _CONDITIONS if name != condition)
        groups.setdefault(key, []).append(case)
    ordered = sorted(groups.values(), key=lambda members: _size(members[0]))
    return [
        (guest_words(members[0]), members)
        for members in ordered
        if len({getattr(case.spec, condition) for case in members}) > 1
    ]


def _size(case: CaseSummary) -> tuple[float, ...]:
    """Small guests first, idle ones before loaded ones, slow links before fast ones."""
    return case.spec.ram_bytes, case.spec.stressed_bytes, case.spec.link_rate_bits_per_second


def guest_words(case: CaseSummary) -> str:
    """The guest and its load in two or three words."""
    spec = case.spec
    return (
        f"{spec.flavor}, {spec.stressed_bytes / MIB:,.0f} MiB"
        if spec.stressor
        else f"{spec.flavor}, unloaded"
    )


def variants_table(
    context: Context,
    identifier: str,
    title: str,
    groups: Groups,
    is_reference: Callable[[CaseSummary], bool],
) -> Table:
    """A row per case; its time is held against the reference of its group, which comes first there."""
    rows: list[list[Cell]] = []
    for _, members in groups:
        ordered = sorted(members, key=lambda case: not is_reference(case))
        rows += [_row(context, case, ordered[0]) for case in ordered]
    return Table(
        identifier,
        title,
        (
            label("case"),
            label("outcome"),
            metric_column("migration_seconds"),
            metric_column("forward_bytes"),
            metric_column("downtime_seconds"),
            Column("ping outage", "s"),
            label("time against the reference"),
            label("ping outage against it"),
            RUNS_COLUMN,
        ),
        rows,
        words("variants.caption"),
        heading=False,
    )


def _row(context: Context, case: CaseSummary, reference: CaseSummary) -> list[Cell]:
    prefix = "" if case.converged else "> "
    return [
        case_cell(case),
        Cell(outcomes_text(case)),
        metric_cell("migration_seconds", case.reached("migration_seconds"), prefix),
        metric_cell("forward_bytes", case.reached("forward_bytes"), prefix),
        metric_cell("downtime_seconds", case.estimate("downtime_seconds")),
        outage_cell(case),
        Cell("reference") if case is reference else _against(reference, case),
        missing() if case is reference else _outage_against(reference, case),
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
    kind = "range " if ratio.kind == RANGE else ""
    bounds = (
        "" if ratio.low is None or ratio.high is None else f" ({kind}{ratio.low:.2f} to {ratio.high:.2f})"
    )
    return Cell(
        f"x {ratio.value:.2f}{bounds}",
        f"{comparison.verdict}, p = {comparison.p:.3f}; {comparison.test}, {counts}",
    )


def _outage_against(reference: CaseSummary, case: CaseSummary) -> Cell:
    found = compare_intervals(reference.outages, case.outages)
    if found is None:
        return missing("nothing to compare with")
    counts = f"{found.first_count} and {found.second_count} runs"
    if found.greatest_p is None or found.least_p is None:
        least = f"smallest possible p = {found.smallest_p:.2f}"
        return Cell(found.verdict, f"{counts}, {least}", tone="muted")
    return Cell(found.verdict, f"p = {found.least_p:.3f} to {found.greatest_p:.3f}; {counts}")
