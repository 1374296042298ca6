"""What a table of the page is made of; every cell may lead to the runs behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.report.formats import EMPTY, estimate_note, estimate_text, interval_text
from analysis.statistics import MedianEstimate
from analysis.tables import CaseSummary


@dataclass(frozen=True)
class Cell:
    """Text with an optional second line, a link and a tone (good, bad, warn, muted)."""

    text: str
    note: str | None = None
    href: str | None = None
    tone: str | None = None
    share: float | None = None


@dataclass(frozen=True)
class Column:
    """A column's head with its unit; figures are set to the right."""

    text: str
    unit: str | None = None
    figures: bool = True


@dataclass(frozen=True)
class Table:
    """A titled table; `caption` says what is in it and in which units."""

    identifier: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str | None = None


def label(text: str, note: str | None = None) -> Column:
    """A column of words."""
    return Column(text, note, figures=False)


def estimate_cell(estimate: MedianEstimate | None, factor: float = 1.0, prefix: str = "") -> Cell:
    """Median with its interval or range below it."""
    if estimate is None:
        return Cell(EMPTY, tone="muted")
    return Cell(prefix + estimate_text(estimate, factor), estimate_note(estimate, factor))


def outage_cell(case: CaseSummary) -> Cell:
    """The median ping outage as an interval, below it what the finer ping saw."""
    outage, fine = case.outage(), case.fine_outage()
    if outage is None:
        return missing()
    return Cell(interval_text(outage), f"10 ms ping: {interval_text(fine, 3)}" if fine else None)


def missing(text: str = EMPTY) -> Cell:
    return Cell(text, tone="muted")


def case_anchor(case: str) -> str:
    """The page's anchor of the list of a case's runs."""
    return f"#runs-{case}"
