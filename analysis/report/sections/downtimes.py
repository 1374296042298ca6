"""Cases that differ in the allowed downtime alone, and which of it gives the article's downtimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.reference.downtimes import LIKE, DowntimeFit, downtime_fits
from analysis.report.blocks import Block, Cell, Column, Section, Table, Text, label, table_of
from analysis.report.cells import (
    CASE_COLUMN,
    OUTAGE_COLUMN,
    median_column,
    missing,
    outcomes_text,
)
from analysis.report.context import Context
from analysis.report.formats import as_printed
from analysis.report.sections.variants import groups_that_differ_in
from analysis.report.words import words
from analysis.study.cases import CaseSummary
from contract.downtimes import NATIVE


def section(context: Context) -> Section | None:
    """None if no two cases differ in their allowed downtime alone."""
    groups = groups_that_differ_in("max_downtime_ms", context.analysis.cases)
    cases = [case for _, members in groups for case in members]
    if not cases:
        return None
    fits = downtime_fits(context.analysis.published, cases)
    blocks: list[Block] = [Text(words("downtimes.about")), downtimes_table(context, cases, fits)]
    if fits:
        blocks.insert(1, Text(words("downtimes.verdict", tallies=_tallies(fits), like=LIKE)))
    return Section("downtimes", "Allowed downtimes compared", "Allowed downtimes", blocks)


def downtimes_table(context: Context, cases: Sequence[CaseSummary], fits: Mapping[str, DowntimeFit]) -> Table:
    """A row per case, with the article's downtime where it has one."""
    return table_of(
        "downtimes-table",
        "Allowed downtimes compared",
        cases,
        [
            CASE_COLUMN,
            (Column("allowed downtime", "ms"), _allowed_cell),
            (label("outcome"), lambda case: Cell(outcomes_text(case))),
            median_column("migration_seconds"),
            median_column("forward_bytes"),
            median_column("downtime_seconds"),
            OUTAGE_COLUMN,
            (Column("downtime, article", "s"), lambda case: _published_cell(fits.get(case.case))),
            (label("measured against it"), lambda case: _fit_cell(fits.get(case.case))),
            context.runs_column(lambda case: case.runs),
        ],
        words("downtimes.caption"),
        heading=False,
    )


def _allowed_cell(case: CaseSummary) -> Cell:
    """What the study asks for; below it what QEMU told, where that is news."""
    drivers = [run.record.driver for run in case.runs if run.record.driver]
    told = {driver.max_downtime_ms for driver in drivers if driver.max_downtime_ms is not None}
    note = None
    if case.spec.max_downtime_ms == NATIVE and told:
        note = "QEMU allows " + ", ".join(f"{value:.0f}" for value in sorted(told))
    return Cell(str(case.spec.max_downtime_ms), note)


def _published_cell(fit: DowntimeFit | None) -> Cell:
    return missing() if fit is None else Cell(as_printed(fit.published_seconds))


def _fit_cell(fit: DowntimeFit | None) -> Cell:
    return missing() if fit is None else Cell(fit.verdict, tone="good" if fit.verdict == LIKE else None)


def _tallies(fits: Mapping[str, DowntimeFit]) -> Sequence[tuple[str, int, int]]:
    """(allowed downtime, rows that are like the article's, rows) of each value, in the study's order."""
    found: dict[str, list[bool]] = {}
    for fit in fits.values():
        found.setdefault(str(fit.case.spec.max_downtime_ms), []).append(fit.verdict == LIKE)
    return [(allowed, sum(alike), len(alike)) for allowed, alike in found.items()]
