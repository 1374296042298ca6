"""What a rule looks at and what it finds: shared by all rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from analysis.reference.published import Published
from analysis.stats.intervals import LEVEL, Bounds, Derived, most_unseen, share_bounds
from analysis.study.cases import CaseSummary, Series, measured_series
from analysis.study.results import ENOUGH_BYTES, FULL_LINK, RunResult
from contract.records import LinkRate

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
NOT_TESTABLE = "not testable here"

STUDENT = f"{LEVEL:.0%} interval"
OF_SHARE = f"{LEVEL:.0%} interval of Clopper and Pearson"

# A sentence of the article, the shape of a column of its tables, or one number of them.
STATEMENT = "statement"
SHAPE = "shape"
NUMBER = "number"


@dataclass(frozen=True)
class Outcome:
    """What a rule finds: in words (`measured`), and where it is one number as `value` with its interval.

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
    """One claim of the article, the rule in words, and what the rule found.

    `article` is the article's own figure, None where the statement has it already.
    """

    identifier: str
    group: str
    where: str
    statement: str
    rule: str
    outcome: Outcome
    article: str | None = None

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
        return [run for case in self.cases if case.spec.mode in modes for run in case.counted if run.metrics]

    @cached_property
    def timed(self) -> Measurements:
        """The same without the counted runs that something else than the link slowed.

        Their time tests nothing of the article's: they count neither for a claim on time nor against it.
        """
        cases = [
            replace(case, counted=tuple(run for run in case.counted if not is_slowed(run)))
            for case in self.cases
        ]
        return replace(self, cases=cases, series=measured_series(cases))


def of_share(hits: int, runs: Sequence[RunResult], found: str, reason: str) -> Outcome:
    """Reproduced if all of the runs hit: their share, with Clopper and Pearson's interval."""
    bounds = share_bounds(hits, len(runs))
    return Outcome(
        REPRODUCED if hits == len(runs) else NOT_REPRODUCED,
        found,
        reason,
        value=hits / len(runs),
        low=bounds.low,
        high=bounds.high,
        interval_kind=OF_SHARE,
        unit="share of runs",
        runs=paths(runs),
    )


def of_greatest(
    verdict: str,
    values: Sequence[float],
    found: str,
    reason: str,
    *,
    unit: str,
    runs: Sequence[RunResult],
    published: float | None = None,
) -> Outcome:
    """The greatest value of all runs was held against a limit."""
    return Outcome(
        verdict,
        found,
        reason,
        value=max(values),
        low=min(values),
        high=max(values),
        interval_kind="range over all runs",
        unit=unit,
        published=published,
        runs=paths(runs),
    )


def of_interval(
    derived: Derived,
    allowed: tuple[float, float],
    found: str,
    rule: str,
    *,
    unit: str,
    runs: Sequence[RunResult],
    published: float | None = None,
) -> Outcome:
    """Reproduced if the number lies in the allowed range with its whole interval.

    `found` follows the number in words, `rule` the word why nothing can be told, where it cannot.
    """
    verdict = bounded_verdict(derived, *allowed)
    if verdict == NOT_TESTABLE:
        kind = "interval" if derived.kind == STUDENT else derived.kind or "range"
        rule += f"; {why_not_told(derived, *allowed, kind)}"
    return Outcome(
        verdict,
        f"{interval_text(derived)} {found}",
        rule,
        value=derived.value,
        low=derived.low,
        high=derived.high,
        interval_kind=derived.kind,
        unit=unit,
        published=published,
        runs=paths(runs),
    )


def interval_text(derived: Derived) -> str:
    bounds = (
        "" if derived.low is None or derived.high is None else f" [{derived.low:.2f}, {derived.high:.2f}]"
    )
    return f"{derived.value:.2f}{bounds}"


def by_student(value: float, bounds: Bounds, factor: float = 1.0) -> Derived:
    """A line's slope or intercept, times a factor, with Student's interval."""
    return Derived(value * factor, bounds.low * factor, bounds.high * factor, STUDENT)


def none_measured(what: str) -> Outcome:
    """The outcome where there is nothing to look at."""
    return Outcome(NOT_TESTABLE, "-", f"not measured: {what}")


def paths(runs: Iterable[RunResult]) -> tuple[str, ...]:
    """The runs' directories."""
    return tuple(run.path for run in runs)


def is_slowed(run: RunResult) -> bool:
    """Whether something else than the link slowed the run, so that its time tests nothing.

    Small migrations do not fill a link anyhow: they are never called slowed. Nor is a run whose use of the
    link is unknown.
    """
    metrics = run.metrics
    if metrics is None or metrics.link_use is None:
        return False
    return metrics.link_use < FULL_LINK and metrics.forward_bytes > ENOUGH_BYTES


def left_out(outcome: Outcome, runs: Sequence[RunResult]) -> Outcome:
    """The outcome of a rule on time, and how many of the runs it was not asked about."""
    slow = slowed(runs)
    if not slow:
        return outcome
    why = f"{slow} of {len(runs)} runs left out, for the claim and against it: slowed by something else"
    return replace(outcome, reason=f"{outcome.reason}; {why} than the link")


def slowed(runs: Iterable[RunResult]) -> int:
    """How many of the runs are."""
    return sum(is_slowed(run) for run in runs)


def bounded_verdict(bounds: Bounds | Derived, low: float, high: float) -> str:
    """Inside the allowed range with the whole interval, outside of it with the whole interval, or neither."""
    if bounds.low is None or bounds.high is None:
        return NOT_TESTABLE
    if low <= bounds.low and bounds.high <= high:
        return REPRODUCED
    return NOT_REPRODUCED if bounds.high < low or bounds.low > high else NOT_TESTABLE


def why_not_told(bounds: Bounds | Derived, low: float, high: float, kind: str) -> str:
    """Why `bounded_verdict` says neither: which border of the allowed range lies within the interval."""
    if bounds.low is None or bounds.high is None:
        return "a single run per row has no spread, so nothing can be told"
    below, above = bounds.low < low, bounds.high > high
    if below and above:
        return f"the {kind} is wider than the allowed range: too wide to tell"
    return (
        f"the {kind} straddles the border at {low if below else high:.2f}: cannot tell on which side it lies"
    )


def joint_verdict(verdicts: Iterable[str]) -> str:
    """Of several conditions: one that fails is enough to fail, and all must hold."""
    found = set(verdicts)
    return next((word for word in (NOT_REPRODUCED, NOT_TESTABLE) if word in found), REPRODUCED)


def exceptions(count: int) -> str:
    """What so many runs without an exception say of all runs, in words."""
    return f"so an exception comes in at most {most_unseen(count)} of such runs ({LEVEL:.0%} confidence)"
