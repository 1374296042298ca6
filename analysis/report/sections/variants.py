"""Cases that differ in one thing alone, and how they are held against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis.evidence.units import MIB
from analysis.report.blocks import Cell, Table, label, table_of
from analysis.report.cells import (
    CASE_COLUMN,
    OUTAGE_COLUMN,
    median_column,
    missing,
    outcomes_text,
    reached_column,
)
from analysis.report.context import Context
from analysis.report.words import words
from analysis.stats.intervals import RANGE
from analysis.stats.tests import compare_intervals, compare_rounds
from analysis.study.cases import CaseSummary, downtime_words

Groups = Sequence[tuple[str, Sequence[CaseSummary]]]

_CONDITIONS = (
    "mode",
    "flavor",
    "stressor",
    "stressed_bytes",
    "stress_threads",
    "link_rate",
    "max_downtime_ms",
    "backend",
    "network",
    "probes",
    "switchover_by",
)


def groups_that_differ_in(condition: str, cases: Sequence[CaseSummary]) -> Groups:
    """Cases alike in everything but this field of their spec, where it has two values or more."""
    groups: dict[tuple[object, ...], list[CaseSummary]] = {}
    for case in cases:
        key = tuple(_value(case, name) for name in _CONDITIONS if name != condition)
        groups.setdefault(key, []).append(case)
    ordered = sorted(groups.values(), key=lambda members: _size(members[0]))
    return [
        (guest_words(members[0]), members)
        for members in ordered
        if len({_value(case, condition) for case in members}) > 1
    ]


def _value(case: CaseSummary, condition: str) -> object:
    """The usual allowed downtime is one value, though it is another in pre-copy than in hybrid mode."""
    return downtime_words(case.spec) if condition == "max_downtime_ms" else getattr(case.spec, condition)


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
    reference_of: dict[str, CaseSummary] = {}
    cases: list[CaseSummary] = []
    for _, members in groups:
        ordered = sorted(members, key=lambda case: not is_reference(case))
        cases += ordered
        reference_of |= {case.case: ordered[0] for case in ordered}
    return table_of(
        identifier,
        title,
        cases,
        [
            CASE_COLUMN,
            (label("outcome"), lambda case: Cell(outcomes_text(case))),
            reached_column("migration_seconds"),
            reached_column("forward_bytes"),
            median_column("downtime_seconds"),
            OUTAGE_COLUMN,
            (label("time against the reference"), lambda case: _against(reference_of[case.case], case)),
            (label("ping outage against it"), lambda case: _outage_against(reference_of[case.case], case)),
            context.runs_column(lambda case: case.runs),
        ],
        words("variants.caption"),
        heading=False,
    )


def _against(reference: CaseSummary, case: CaseSummary) -> Cell:
    if case is reference:
        return Cell("reference")
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
    if case is reference:
        return missing()
    found = compare_intervals(reference.outages, case.outages)
    if found is None:
        return missing("nothing to compare with")
    counts = f"{found.first_count} and {found.second_count} runs"
    if found.greatest_p is None or found.least_p is None:
        least = f"smallest possible p = {found.smallest_p:.2f}"
        return Cell(found.verdict, f"{counts}, {least}", tone="muted")
    return Cell(found.verdict, f"p = {found.least_p:.3f} to {found.greatest_p:.3f}; {counts}")
