"""What the article states, held against the measurement: reproduced, not reproduced, not testable here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.results import FULL_LINK, RunResult
from analysis.tables import CaseSummary, Series
from analysis.units import MIB

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
NOT_TESTABLE = "not testable here"
# Passes over all memory that a pre-copy must have had before one may say that it does not converge.
_LEAST_PASSES = 2


@dataclass(frozen=True)
class Verdict:
    """One claim with what was measured and why the verdict is what it is."""

    identifier: str
    where: str
    statement: str
    verdict: str
    measured: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What a rule finds."""

    verdict: str
    measured: str
    reason: str


@dataclass(frozen=True)
class Measurements:
    """What the rules look at."""

    cases: Sequence[CaseSummary]
    series: Sequence[Series]

    def runs(self, *modes: str) -> list[RunResult]:
        return [run for case in self.cases if case.spec.mode in modes for run in case.runs]


def judge(claims: Sequence[Mapping[str, Any]], measurements: Measurements) -> tuple[Verdict, ...]:
    """Apply each claim's rule."""
    verdicts = []
    for claim in claims:
        found = RULES[claim["rule"]](claim, measurements)
        verdicts.append(
            Verdict(
                claim["id"], claim["where"], claim["statement"], found.verdict, found.measured, found.reason
            )
        )
    return tuple(verdicts)


def _none_measured(what: str) -> Outcome:
    return Outcome(NOT_TESTABLE, "-", f"no {what} was measured")


def all_completed_intact(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """Every migration of the mode ends as completed, which includes an intact guest."""
    runs = [run for run in measurements.runs(claim["mode"]) if run.record.outcome != "aborted"]
    if not runs:
        return _none_measured(f"{claim['mode']} run")
    completed = sum(run.record.outcome == "completed" for run in runs)
    not_intact = sum(run.not_intact for run in runs)
    measured = f"{completed} of {len(runs)} completed with an intact guest"
    if completed == len(runs):
        return Outcome(REPRODUCED, measured, "no run failed")
    return Outcome(
        NOT_REPRODUCED,
        measured,
        f"{not_intact} guests not shown intact, {len(runs) - completed - not_intact} other failures",
    )


def all_converged(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """No migration of the mode had to be aborted at its limit."""
    runs = [run for run in measurements.runs(claim["mode"]) if run.ended and run.figures is not None]
    if not runs:
        return _none_measured(f"{claim['mode']} run")
    endless = sum(run.figures is not None and not run.figures.converged for run in runs)
    return Outcome(
        NOT_REPRODUCED if endless else REPRODUCED,
        f"{len(runs) - endless} of {len(runs)} came to their end",
        "each within its limit" if not endless else "aborted at the limit",
    )


def none_converged(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """Above the stated stressed memory no migration of the mode converges within its limit.

    A run that was aborted before it had sent all memory twice says nothing: its limit was too short.
    """
    figures = [
        run.figures
        for run in measurements.runs(claim["mode"])
        if run.record.spec.stressed_bytes > claim["above_stressed_mib"] * MIB
        and run.ended
        and run.figures is not None
    ]
    what = f"{claim['mode']} run above {claim['above_stressed_mib']} MiB stressed"
    if not figures:
        return _none_measured(what)
    tried = [figure for figure in figures if figure.converged or (figure.iterations or 0) > _LEAST_PASSES]
    endless = [figure for figure in tried if not figure.converged]
    if not tried:
        return Outcome(NOT_TESTABLE, "-", f"every {what} was aborted before its second pass had ended")
    longest = max((figure.migration_seconds for figure in endless), default=0.0)
    passes = f"; aborted after up to {longest:.0f} s" if endless else ""
    return Outcome(
        REPRODUCED if len(endless) == len(tried) else NOT_REPRODUCED,
        f"{len(endless)} of {len(tried)} did not converge{passes}",
        f"rule: at least {_LEAST_PASSES} whole passes; longer than the limit was not tried",
    )


def linear(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """A straight line through all runs explains enough of the variance, in every series.

    Where it does not and runs did not fill the link, the machine was the limit: that tests nothing.
    """
    fits = _fits(claim, measurements)
    if not fits:
        return _none_measured("series with three different steps of stressed memory")
    least = min(fit.r_squared for _, fit in fits)
    measured = f"R² = {least:.4f}" + (" at least" if len(fits) > 1 else "")
    rule = f"rule: R² of a straight line at least {claim['least_r_squared']}"
    if least >= claim["least_r_squared"]:
        return Outcome(REPRODUCED, measured, rule)
    figures = [
        run.figures for series, _ in fits for case in series.cases for run in case.counted if run.figures
    ]
    slow = sum((figure.link_use or 0.0) < FULL_LINK for figure in figures)
    if slow:
        slowed = f"{slow} of {len(figures)} runs were slowed by something else than the link"
        return Outcome(NOT_TESTABLE, measured, f"{rule}; {slowed}")
    return Outcome(NOT_REPRODUCED, measured, rule)


def slope_within(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """The interval of every series' slope lies inside the stated bounds."""
    fits = _fits(claim, measurements)
    if not fits:
        return _none_measured("series with three different steps of stressed memory")
    low, high = claim["between"]
    texts, inside, outside = [], True, False
    for series, fit in fits:
        bounds = fit.slope_bounds
        texts.append(f"{fit.slope:.2f} [{bounds.low:.2f}, {bounds.high:.2f}] ({series.table})")
        inside = inside and low <= bounds.low and bounds.high <= high
        outside = outside or bounds.high < low or bounds.low > high
    verdict = REPRODUCED if inside else NOT_REPRODUCED if outside else NOT_TESTABLE
    reason = f"rule: slope with its interval between {low} and {high} bytes per byte"
    if verdict == NOT_TESTABLE:
        reason += "; the interval is too wide to tell"
    return Outcome(verdict, ", ".join(texts), reason)


def within_bound(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """No counted run transfers more than 2 x RAM or lasts longer than 2 x RAM / measured link rate.

    A run that lasted longer without filling the link shows a busy machine, not a broken bound.
    """
    figures = [
        run.figures for run in measurements.runs(claim["mode"]) if run.counted and run.figures is not None
    ]
    if not figures:
        return _none_measured(f"completed {claim['mode']} run")
    data = max(figure.forward_bytes / figure.bound_bytes for figure in figures)
    time = max(figure.migration_seconds / figure.bound_seconds for figure in figures)
    measured = f"at most {data:.0%} of 2 x RAM and {time:.0%} of the time bound"
    late = [figure for figure in figures if figure.migration_seconds > figure.bound_seconds]
    if data > 1 or any((figure.link_use or 0.0) >= FULL_LINK for figure in late):
        return Outcome(NOT_REPRODUCED, measured, f"over {len(figures)} runs")
    if late:
        return Outcome(
            NOT_TESTABLE, measured, f"{len(late)} runs were slowed by something else than the link"
        )
    return Outcome(REPRODUCED, measured, f"over {len(figures)} runs")


def downtime_below(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """The hypervisor's downtime of every counted run is below the limit."""
    values = [
        run.figures.downtime_seconds
        for run in measurements.runs(claim["mode"])
        if run.counted and run.figures is not None and run.figures.downtime_seconds is not None
    ]
    if not values:
        return _none_measured(f"switch of a completed {claim['mode']} run")
    return Outcome(
        REPRODUCED if max(values) < claim["seconds"] else NOT_REPRODUCED,
        f"{min(values) * 1000:.0f} to {max(values) * 1000:.0f} ms",
        "source stopped to destination resumed, by the hypervisors' events; "
        "the article counted lost pings of 0.1 s",
    )


def no_pings_lost_in_precopy(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """Not one ping sent during set-up and pre-copy is lost."""
    runs = [run for run in measurements.runs(*claim["modes"]) if run.figures is not None]
    if not runs:
        return _none_measured("pre-copy phase")
    hit = [run for run in runs if run.figures is not None and run.figures.ping_lost_precopy > 0]
    lost = sum(run.figures.ping_lost_precopy for run in hit if run.figures is not None)
    return Outcome(
        NOT_REPRODUCED if hit else REPRODUCED,
        f"{lost} pings lost in {len(hit)} of {len(runs)} runs"
        if hit
        else f"no ping lost in {len(runs)} runs",
        "pings sent between the request and the switch",
    )


RULES: Mapping[str, Callable[[Mapping[str, Any], Measurements], Outcome]] = {
    rule.__name__: rule
    for rule in (
        all_completed_intact,
        all_converged,
        none_converged,
        linear,
        slope_within,
        within_bound,
        downtime_below,
        no_pings_lost_in_precopy,
    )
}


def _fits(claim: Mapping[str, Any], measurements: Measurements) -> list[tuple[Series, Any]]:
    name = "time_fit" if claim["quantity"] == "migration_seconds" else "data_fit"
    return [
        (series, getattr(series, name))
        for series in measurements.series
        if series.mode == claim["mode"] and getattr(series, name) is not None
    ]
