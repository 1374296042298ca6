"""Rules on how migrations end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.claims.verdicts import (
    NOT_REPRODUCED,
    NOT_TESTABLE,
    REPRODUCED,
    Measurements,
    Outcome,
    none_measured,
    paths,
)
from analysis.measure import RunFigures
from analysis.results import RunResult
from analysis.stability import too_slow_to_outrun
from analysis.units import MIB

# Passes over all memory that a pre-copy must have had before one may say that it does not converge.
_LEAST_PASSES = 2


def all_completed_intact(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """Every migration of the mode ends as completed, which includes an intact guest.

    A run that was aborted in its first pass says nothing: its limit was too short for this machine.
    """
    every = [run for run in measurements.runs(claim["mode"]) if run.record.outcome != "aborted"]
    runs = [run for run in every if not _cut_short(run)]
    if not runs:
        return none_measured(f"{claim['mode']} run" + _left_out(every, runs))
    completed = sum(run.record.outcome == "completed" for run in runs)
    not_intact = sum(run.not_intact for run in runs)
    whole = completed == len(runs)
    return Outcome(
        REPRODUCED if whole else NOT_REPRODUCED,
        f"{completed} of {len(runs)} completed with an intact guest",
        (
            "no run failed"
            if whole
            else f"{not_intact} guests not shown intact, {len(runs) - completed - not_intact} other failures"
        )
        + _left_out(every, runs),
        value=completed / len(runs),
        unit="share of runs",
        runs=paths(runs),
    )


def all_converged(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """No migration of the mode has to be aborted at its limit once its first pass is through."""
    every = [run for run in measurements.runs(claim["mode"]) if run.ended and run.figures is not None]
    runs = [run for run in every if not _cut_short(run)]
    if not runs:
        return none_measured(f"{claim['mode']} run" + _left_out(every, runs))
    endless = sum(run.figures is not None and not run.figures.converged for run in runs)
    return Outcome(
        NOT_REPRODUCED if endless else REPRODUCED,
        f"{len(runs) - endless} of {len(runs)} came to their end",
        ("each within its limit" if not endless else "aborted at the limit") + _left_out(every, runs),
        value=(len(runs) - endless) / len(runs),
        unit="share of runs",
        runs=paths(runs),
    )


def none_converged(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """Above the stated stressed memory no migration of the mode converges within its limit.

    On the article's link or a slower one: a faster one carries more away. Two kinds of run say nothing: one
    that was aborted before it had sent all memory twice (its limit was too short), and one whose guest
    dirtied memory more slowly than the link carried it (nothing was outrun).
    """
    runs = [
        run
        for run in measurements.runs(claim["mode"])
        if run.record.spec.stressed_bytes > claim["above_stressed_mib"] * MIB
        and run.record.spec.link_rate_bits_per_second <= measurements.published.link_rate_bits_per_second
        and run.ended
        and run.figures is not None
    ]
    what = f"{claim['mode']} run above {claim['above_stressed_mib']} MiB stressed"
    if not runs:
        return none_measured(what)
    long_enough = [run for run in runs if run.figures and _long_enough(run.figures)]
    # Unknown counts as fast enough: QEMU reports no rate before its second pass.
    tried = [run for run in long_enough if run.figures and not too_slow_to_outrun(run.figures)]
    if not long_enough:
        return Outcome(NOT_TESTABLE, "-", f"every {what} was aborted before its second pass had ended")
    if not tried:
        return Outcome(
            NOT_TESTABLE,
            "-",
            f"in every {what} the stressor dirtied memory more slowly than the link carries it",
            runs=paths(long_enough),
        )
    endless = [run for run in tried if run.figures and not run.figures.converged]
    longest = max((run.figures.migration_seconds for run in endless if run.figures), default=0.0)
    least = min(run.record.spec.stressed_bytes for run in tried) / MIB
    passes = f"; aborted after up to {longest:.0f} s" if endless else ""
    left_out = len(runs) - len(tried)
    return Outcome(
        REPRODUCED if len(endless) == len(tried) else NOT_REPRODUCED,
        f"{len(endless)} of {len(tried)} did not converge{passes}",
        f"rule: at least {_LEAST_PASSES} whole passes; longer than the limit was not tried; "
        f"the least tried was {least:.0f} MiB"
        + (f"; {left_out} runs left out as telling nothing" if left_out else ""),
        value=len(endless) / len(tried),
        unit="share of runs",
        runs=paths(tried),
    )


def _cut_short(run: RunResult) -> bool:
    """Aborted at the limit before every page had been sent once: neither endless nor a failure."""
    if run.record.outcome != "not_converged" or run.figures is None:
        return False
    return run.figures.first_pass_seconds is None


def _left_out(every: Sequence[RunResult], runs: Sequence[RunResult]) -> str:
    left = len(every) - len(runs)
    return f"; {left} aborted in their first pass left out, their limit was too short" if left else ""


def _long_enough(figures: RunFigures) -> bool:
    return figures.converged or (figures.iterations or 0) > _LEAST_PASSES
