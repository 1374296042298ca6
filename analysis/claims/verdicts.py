"""What a rule looks at and what it finds: shared by all rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.parsers.records import LinkRate
from analysis.published_data import Published
from analysis.results import ENOUGH_BYTES, FULL_LINK, RunResult
from analysis.statistics import Bounds, Derived
from analysis.tables import CaseSummary, Series

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
NOT_TESTABLE = "not testable here"

# A sentence of the article, the shape of a column of its tables, or one number of them.
STATEMENT = "statement"
SHAPE = "shape"
NUMBER = "number"


@dataclass(frozen=True)
class Outcome:
    """What a rule finds: in words (`measured`), and where it is one figure as `value` with its interval.

    `runs` are the directories that it rests on, relative to the results directory.
    """

    verdict: str
    measured: str
    reason: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    interval_kind: str | None = None
    unit: str | None = None
    published: float | None = None
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """One claim of the article, the rule in words, and what the rule found."""

    identifier: str
    group: str
    where: str
    statement: str
    rule: str
    outcome: Outcome

    @property
    def verdict(self) -> str:
        return self.outcome.verdict

    @property
    def measured(self) -> str:
        return self.outcome.measured

    @property
    def reason(self) -> str:
        return self.outcome.reason


@dataclass(frozen=True)
class Measurements:
    """What the rules look at: cases of the article's own conditions only."""

    cases: Sequence[CaseSummary]
    series: Sequence[Series]
    links: Sequence[LinkRate]
    published: Published

    def runs(self, *modes: str) -> list[RunResult]:
        return [run for case in self.cases if case.spec.mode in modes for run in case.runs]

    def counted(self, *modes: str) -> list[RunResult]:
        return [run for run in self.runs(*modes) if run.counted and run.figures is not None]


def none_measured(what: str) -> Outcome:
    """The outcome where there is nothing to look at."""
    return Outcome(NOT_TESTABLE, "-", f"not measured: {what}")


def paths(runs: Iterable[RunResult]) -> tuple[str, ...]:
    """The runs' directories."""
    return tuple(run.path for run in runs)


def slowed(runs: Iterable[RunResult]) -> int:
    """How many of the runs were slowed by something else than the link, so that their time tests nothing.

    Small migrations do not fill a link anyhow: they are never called slowed.
    """
    figures = [run.figures for run in runs if run.figures is not None]
    return sum((item.link_use or 0.0) < FULL_LINK and item.forward_bytes > ENOUGH_BYTES for item in figures)


def bounded_verdict(bounds: Bounds | Derived, low: float, high: float) -> str:
    """Inside the allowed range with the whole interval, outside of it with the whole interval, or neither."""
    if bounds.low is None or bounds.high is None:
        return NOT_TESTABLE
    if low <= bounds.low and bounds.high <= high:
        return REPRODUCED
    return NOT_REPRODUCED if bounds.high < low or bounds.low > high else NOT_TESTABLE
