"""What a table of the page is made of; every cell may lead to the runs behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.outage import Interval
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
    """The median ping outage as an interval, below it the range over the runs."""
    outage, low = case.outage(), case.estimate("ping_outage_low_seconds")
    high = case.estimate("ping_outage_high_seconds")
    if outage is None or low is None or high is None:
        return missing()
    if low.count == 1:
        return Cell(interval_text(outage), "one run")
    spread = interval_text(Interval(low.minimum, high.maximum))
    return Cell(interval_text(outage), f"{spread}, n = {low.count}")


def missing(text: str = EMPTY) -> Cell:
    return Cell(text, tone="muted")


def case_anchor(case: str) -> str:
    """The page's anchor of the list of a case's runs."""
    return f"#runs-{case}"
