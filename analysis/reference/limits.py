"""Rules on how much and how long at most: bounds, totals, and what a faster link would make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.evidence.units import MIB
from analysis.reference.lines import values_of, with_scatter
from analysis.reference.verdicts import (
    NOT_REPRODUCED,
    NOT_TESTABLE,
    REPRODUCED,
    Measurements,
    Outcome,
    exceptions,
    left_out,
    none_measured,
    of_greatest,
    of_interval,
    paths,
)
from analysis.run.formatter import counted
from analysis.stats.intervals import derive
from analysis.study.cases import CaseSummary
from analysis.study.results import FULL_LINK
from contract.records import LinkRate


def within_bound(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """No counted run transfers more than 2 x RAM or lasts longer than 2 x RAM / measured link rate.

    The time of a run that something else than the link slowed counts neither for the bound nor against it.
    """
    runs = measurements.counted(claim["mode"])
    if not runs:
        return none_measured(f"completed {claim['mode']} run")
    timed = measurements.timed.counted(claim["mode"])
    data = [run.metrics.forward_bytes / run.metrics.bound_bytes for run in runs if run.metrics]
    times = [run.metrics.migration_seconds / run.metrics.bound_seconds for run in timed if run.metrics]
    if max(data) > 1 or max(times, default=0.0) > 1:
        verdict, reason = NOT_REPRODUCED, f"over {counted(len(runs), 'run')}"
    elif not times:
        verdict, reason = NOT_TESTABLE, "the data keep to the bound; of the time nothing can be told"
    else:
        verdict, reason = REPRODUCED, f"over {counted(len(runs), 'run')}, {exceptions(len(timed))}"
    of_time = f"{max(times):.0%}" if times else "-"
    found = f"at most {max(data):.0%} of 2 x RAM and {of_time} of the time bound"
    return left_out(of_greatest(verdict, data, found, reason, unit="share of 2 x RAM", runs=runs), runs)


def total_per_stressed(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """Of the most heavily stressed case, all data over its stressed memory lie between the stated factors."""
    loaded = [
        case
        for case in measurements.cases
        if case.spec.mode == claim["mode"]
        and case.counted
        and case.spec.stressed_bytes >= claim["least_stressed_mib"] * MIB
    ]
    if not loaded:
        return none_measured(f"{claim['mode']} run with {claim['least_stressed_mib']} MiB stressed or more")
    heaviest = max(loaded, key=lambda case: case.spec.stressed_bytes)
    stressed = heaviest.spec.stressed_bytes
    found = derive(lambda data: data / stressed, list(heaviest.by_round("forward_bytes").values()))
    assert found is not None  # stressed memory is not zero, runs are counted
    found = with_scatter(found, measurements, heaviest, "forward_bytes", 1 / stressed, values=1)
    low, high = claim["between"]
    return of_interval(
        found,
        (low, high),
        f"times the stressed memory ({stressed / MIB:.0f} MiB)",
        f"rule: between {low} and {high}; {heaviest.case}, {counted(len(heaviest.counted), 'run')}",
        unit="bytes per stressed byte",
        published=_published_total(measurements),
        runs=heaviest.counted,
    )


def share_of_ram_below(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """Every unloaded guest transfers less than the stated share of its RAM."""
    runs = [run for run in measurements.counted(claim["mode"]) if run.record.spec.stressed_bytes == 0]
    if not runs:
        return none_measured(f"completed {claim['mode']} run of an unloaded guest")
    shares = [run.metrics.forward_bytes / run.record.spec.ram_bytes for run in runs if run.metrics]
    below = max(shares) < claim["share"]
    verdict = REPRODUCED if below else NOT_REPRODUCED
    found = f"{min(shares):.1%} to {max(shares):.1%} of the RAM"
    reason = f"rule: every unloaded run below {claim['share']:.0%}; {counted(len(runs), 'run')}"
    if below:
        reason += f", {exceptions(len(runs))}"
    return of_greatest(verdict, shares, found, reason, unit="share of RAM", runs=runs)


def most_under_at_rate(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """At the stated link rate more than half of the mode's cases have a median time below the stated seconds,
    each with its whole interval, or with its range of few runs.

    Not testable where the idle link did not reach the rate; the highest rate measured is named instead. Runs
    that something else than the link slowed count neither for it nor against it.
    """
    rate, limit = float(claim["rate_bits_per_second"]), float(claim["seconds"])
    every = [case for case in measurements.cases if case.spec.mode == claim["mode"] and case.counted]
    if not every:
        return none_measured(f"completed {claim['mode']} run")
    asked = max(case.spec.link_rate_bits_per_second for case in every)
    asked_runs = [run for case in every if _asks(case, asked) for run in case.counted]
    cases = [
        case
        for case in measurements.timed.cases
        if case.spec.mode == claim["mode"] and case.counted and _asks(case, asked)
    ]
    if not cases:
        return left_out(none_measured(f"run at {_gigabits(asked)} that filled the link"), asked_runs)
    times = [derive(lambda seconds: seconds, values_of(case, "migration_seconds")) for case in cases]
    medians = [found.value for found in times if found]
    under = sum(found is not None and found.high is not None and found.high < limit for found in times)
    over = sum(found is not None and found.low is not None and found.low >= limit for found in times)
    runs = [run for case in cases for run in case.counted]
    heaviest = max(case.spec.stressed_bytes for case in cases) / MIB
    sent = max(
        run.metrics.link_wire_rate_bits_per_second * (run.metrics.link_use or 0)
        for run in runs
        if run.metrics
    )
    measured = (
        f"{under} of {len(cases)} cases under {limit:g} s at {_gigabits(asked)} asked for (longest median "
        f"{max(medians):.1f} s, up to {heaviest:.0f} MiB stressed, sent at up to {_gigabits(sent)})"
    )
    reached = _reached(measurements.links, asked)
    shortfall = None
    if asked < rate:
        shortfall = f"no case was run at {_gigabits(rate)}"
    elif reached is None:
        shortfall = f"the idle link was never measured at {_gigabits(asked)}"
    elif reached < FULL_LINK * rate:
        shortfall = f"this machine's link does not reach {_gigabits(rate)}"
    highest = max((link.measured_bits_per_second for link in measurements.links), default=None)
    reason = f"rule: more than half of the cases; link measured at {_gigabits(reached)}"
    if shortfall:
        named = f"; the highest rate measured is {_gigabits(highest)}" if highest else ""
        verdict, reason = NOT_TESTABLE, shortfall + named
    elif under * 2 > len(cases):
        verdict = REPRODUCED
    elif over * 2 >= len(cases):
        verdict = NOT_REPRODUCED
    else:
        verdict = NOT_TESTABLE
        reason += f"; {len(cases) - under - over} cases lie on both sides of {limit:g} s, or were run once"
    outcome = Outcome(
        verdict,
        measured,
        reason,
        value=under / len(cases),
        unit=f"share of cases under {limit:g} s",
        runs=paths(runs),
    )
    return left_out(outcome, asked_runs)


def _asks(case: CaseSummary, rate: float) -> bool:
    return case.spec.link_rate_bits_per_second == rate


def _reached(links: Sequence[LinkRate], configured: float) -> float | None:
    """The slower direction counts: migrations may go either way."""
    rates = [link.measured_bits_per_second for link in links if link.configured_bits_per_second == configured]
    return min(rates) if rates else None


def _gigabits(bits_per_second: float | None) -> str:
    return "-" if bits_per_second is None else f"{bits_per_second / 1e9:.3g} Gbit/s"


def _published_total(measurements: Measurements) -> float:
    """The article's most heavily stressed row, as printed."""
    row = max(
        (row for rows in measurements.published.stressed.values() for row in rows),
        key=lambda row: row.stressed_mb,
    )
    return row.transferred_mb / row.stressed_mb
