"""Rules on how migrations end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.evidence.units import MIB
from analysis.reference.verdicts import (
    NOT_TESTABLE,
    Measurements,
    Outcome,
    exceptions,
    none_measured,
    of_share,
    paths,
)
from analysis.run.formatter import counted
from analysis.run.metrics import RunMetrics
from analysis.study.results import RunResult
from analysis.study.stability import too_slow_to_outrun
from contract.outcomes import RunOutcome

# Passes over all memory that a pre-copy must have had before one may say that it does not converge.
_LEAST_PASSES = 2


def all_completed_intact(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """Every migration of the mode ends as completed, which includes an intact guest.

    Two kinds of run say nothing: one that was aborted in its first pass (its limit was too short for this
    machine), and one whose migration nobody was asked for, since its guest did not start or fill its memory.
    """
    made = [run for run in measurements.runs(claim["mode"]) if run.record.outcome != RunOutcome.ABORTED]
    every = [run for run in made if run.record.driver is not None]
    runs = [run for run in every if not _cut_short(run)]
    unasked = len(made) - len(every)
    never = f"; {counted(unasked, 'run')} left out, which failed before any migration" if unasked else ""
    if not runs:
        return none_measured(f"{claim['mode']} run" + _left_out(every, runs) + never)
    completed = sum(run.record.outcome == RunOutcome.COMPLETED for run in runs)
    not_intact = sum(run.not_intact for run in runs)
    if completed == len(runs):
        reason = f"no run failed, {exceptions(len(runs))}"
    else:
        failures = len(runs) - completed - not_intact
        reason = f"{not_intact} guests not shown intact, {failures} other failures"
    found = f"{completed} of {len(runs)} completed with an intact guest"
    return of_share(completed, runs, found, reason + _left_out(every, runs) + never)


def all_converged(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """No migration of the mode has to be aborted at its limit once its first pass is through."""
    every = _ended(claim, measurements)
    runs = [run for run in every if not _cut_short(run)]
    if not runs:
        return none_measured(f"{claim['mode']} run" + _left_out(every, runs))
    ended = sum(run.metrics is not None and run.metrics.converged for run in runs)
    if ended == len(runs):
        reason = f"each within its limit, {exceptions(len(runs))}"
    else:
        reason = f"aborted at the limit, after up to {_longest_endless(runs):.0f} s"
    found = f"{ended} of {len(runs)} came to their end"
    return of_share(ended, runs, found, reason + _left_out(every, runs))


def none_converged(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """Above the stated stressed memory no migration of the mode converges within its limit.

    On the article's link or a slower one: a faster one carries more away. Two kinds of run say nothing: one
    that was aborted before it had sent all memory twice (its limit was too short), and one whose guest
    dirtied memory more slowly than the link carried it (nothing was outrun). Runs under less load say where
    the border lies here.
    """
    least = claim["above_stressed_mib"]
    stressed = [
        run
        for run in _ended(claim, measurements)
        if run.record.spec.stressed_bytes > 0
        and run.record.spec.link_rate_bits_per_second <= measurements.published.link_rate_bits_per_second
    ]
    runs = [run for run in stressed if run.record.spec.stressed_bytes > least * MIB]
    lighter = [run for run in stressed if run not in runs]
    tried = _telling(runs, f"{claim['mode']} run above {least} MiB stressed")
    if isinstance(tried, Outcome):
        return tried
    endless = [run for run in tried if run.metrics and not run.metrics.converged]
    lightest = min(run.record.spec.stressed_bytes for run in tried) / MIB
    found = f"{len(endless)} of {len(tried)} did not converge"
    if endless:
        found += f"; aborted after up to {_longest_endless(tried):.0f} s"
    reason = (
        f"rule: at least {_LEAST_PASSES} whole passes; longer than the limit was not tried; "
        f"the least tried was {lightest:.0f} MiB"
    )
    if len(endless) == len(tried):
        reason += f"; {exceptions(len(tried))}"
    reason += _said_nothing(runs, tried) + _below(lighter, least)
    return of_share(len(endless), tried, found, reason)


def _longest_endless(runs: Sequence[RunResult]) -> float:
    endless = [run.metrics for run in runs if run.metrics and not run.metrics.converged]
    return max((metrics.migration_seconds for metrics in endless), default=0.0)


def _below(runs: Sequence[RunResult], least: int) -> str:
    """What runs under less load than the claim speaks of tell about its border, in words; "" without any."""
    tried = _telling(runs, "run below")
    if isinstance(tried, Outcome):
        return ""
    endless = [run for run in tried if run.metrics and not run.metrics.converged]
    if not endless:
        return f"; below {least} MiB {len(tried)} of {len(tried)} converged"
    lightest = min(run.record.spec.stressed_bytes for run in endless) / MIB
    return (
        f"; below {least} MiB {len(endless)} of {len(tried)} did not converge either: "
        f"here the border lies under {lightest:.0f} MiB"
    )


def _ended(claim: Mapping[str, Any], measurements: Measurements) -> list[RunResult]:
    return [run for run in measurements.runs(claim["mode"]) if run.ended and run.metrics is not None]


def _telling(runs: Sequence[RunResult], what: str) -> list[RunResult] | Outcome:
    """The runs that tell whether the mode converges under load, or the outcome that says why none does."""
    if not runs:
        return none_measured(what)
    long_enough = [run for run in runs if run.metrics and _long_enough(run.metrics)]
    if not long_enough:
        return Outcome(NOT_TESTABLE, "-", f"every {what} was aborted before its second pass had ended")
    # Unknown counts as fast enough: QEMU reports no rate before its second pass.
    tried = [run for run in long_enough if run.metrics and not too_slow_to_outrun(run.metrics)]
    return tried or Outcome(
        NOT_TESTABLE,
        "-",
        f"in every {what} the stressor dirtied memory more slowly than the link carries it",
        runs=paths(long_enough),
    )


def _said_nothing(runs: Sequence[RunResult], tried: Sequence[RunResult]) -> str:
    left = len(runs) - len(tried)
    return f"; {counted(left, 'run')} left out as telling nothing" if left else ""


def _cut_short(run: RunResult) -> bool:
    """Aborted at the limit before every page had been sent once: neither endless nor a failure."""
    if run.record.outcome != RunOutcome.NOT_CONVERGED or run.metrics is None:
        return False
    return run.metrics.first_pass_seconds is None


def _left_out(every: Sequence[RunResult], runs: Sequence[RunResult]) -> str:
    left = len(every) - len(runs)
    return f"; {left} aborted in their first pass left out, their limit was too short" if left else ""


def _long_enough(metrics: RunMetrics) -> bool:
    return metrics.converged or (metrics.iterations or 0) > _LEAST_PASSES
