"""Rules on how much and how long at most: bounds, totals, and what a faster link would make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.claims.lines import with_scatter
from analysis.claims.verdicts import (
    NOT_REPRODUCED,
    NOT_TESTABLE,
    REPRODUCED,
    Measurements,
    Outcome,
    bounded_verdict,
    none_measured,
    paths,
    slowed,
)
from analysis.parsers.records import LinkRate
from analysis.results import FULL_LINK
from analysis.statistics import derive
from analysis.units import MIB


def within_bound(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """No counted run transfers more than 2 x RAM or lasts longer than 2 x RAM / measured link rate.

    A run that lasted longer without filling the link shows a busy machine, not a broken bound.
    """
    runs = measurements.counted(claim["mode"])
    figures = [run.figures for run in runs if run.figures is not None]
    if not figures:
        return none_measured(f"completed {claim['mode']} run")
    data = [figure.forward_bytes / figure.bound_bytes for figure in figures]
    time = max(figure.migration_seconds / figure.bound_seconds for figure in figures)
    late = [run for run in runs if run.figures and run.figures.migration_seconds > run.figures.bound_seconds]
    if max(data) > 1 or slowed(late) < len(late):
        verdict, reason = NOT_REPRODUCED, f"over {len(figures)} runs"
    elif late:
        verdict, reason = NOT_TESTABLE, f"{len(late)} runs were slowed by something else than the link"
    else:
        verdict, reason = REPRODUCED, f"over {len(figures)} runs"
    return Outcome(
        verdict,
        f"at most {max(data):.0%} of 2 x RAM and {time:.0%} of the time bound",
        reason,
        value=max(data),
        low=min(data),
        high=max(data),
        interval_kind="range over all runs",
        unit="share of 2 x RAM",
        runs=paths(runs),
    )


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
    verdict = bounded_verdict(found, low, high)
    bounds = "" if found.low is None or found.high is None else f" [{found.low:.2f}, {found.high:.2f}]"
    reason = f"rule: between {low} and {high}; {heaviest.case}, {len(heaviest.counted)} runs"
    if found.kind is None:
        reason += "; a single run has no spread, so nothing can be told"
    elif verdict == NOT_TESTABLE:
        reason += f"; the {found.kind} is too wide to tell"
    return Outcome(
        verdict,
        f"{found.value:.2f}{bounds} times the stressed memory ({stressed / MIB:.0f} MiB)",
        reason,
        value=found.value,
        low=found.low,
        high=found.high,
        interval_kind=found.kind,
        unit="bytes per stressed byte",
        published=_published_total(measurements),
        runs=paths(heaviest.counted),
    )


def share_of_ram_below(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """Every unloaded guest transfers less than the stated share of its RAM."""
    runs = [run for run in measurements.counted(claim["mode"]) if run.record.spec.stressed_bytes == 0]
    if not runs:
        return none_measured(f"completed {claim['mode']} run of an unloaded guest")
    shares = [run.figures.forward_bytes / run.record.spec.ram_bytes for run in runs if run.figures]
    return Outcome(
        REPRODUCED if max(shares) < claim["share"] else NOT_REPRODUCED,
        f"{min(shares):.1%} to {max(shares):.1%} of the RAM",
        f"rule: every unloaded run below {claim['share']:.0%}; {len(runs)} runs",
        value=max(shares),
        low=min(shares),
        high=max(shares),
        interval_kind="range over all runs",
        unit="share of RAM",
        runs=paths(runs),
    )


def most_under_at_rate(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """At the stated link rate more than half of the mode's cases have a median time below the stated seconds.

    Not testable where the idle link did not reach the rate; the highest rate measured is named instead.
    """
    rate, limit = float(claim["rate_bits_per_second"]), float(claim["seconds"])
    cases = [case for case in measurements.cases if case.spec.mode == claim["mode"] and case.counted]
    if not cases:
        return none_measured(f"completed {claim['mode']} run")
    asked = max(case.spec.link_rate_bits_per_second for case in cases)
    fastest = [case for case in cases if case.spec.link_rate_bits_per_second == asked]
    medians = {
        case.case: estimate.median for case in fastest if (estimate := case.estimate("migration_seconds"))
    }
    under = sum(median < limit for median in medians.values())
    runs = [run for case in fastest for run in case.counted]
    heaviest = max(case.spec.stressed_bytes for case in fastest) / MIB
    sent = max(
        run.figures.link_rate_bits_per_second * (run.figures.link_use or 0) for run in runs if run.figures
    )
    measured = (
        f"{under} of {len(medians)} cases under {limit:g} s at {_gigabits(asked)} asked for (longest median "
        f"{max(medians.values()):.1f} s, up to {heaviest:.0f} MiB stressed, sent at up to {_gigabits(sent)})"
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
    if shortfall:
        named = f"; the highest rate measured is {_gigabits(highest)}" if highest else ""
        verdict, reason = NOT_TESTABLE, shortfall + named
    elif under * 2 > len(medians):
        verdict, reason = (
            REPRODUCED,
            f"rule: more than half of the cases; link measured at {_gigabits(reached)}",
        )
    elif slowed(runs):
        slow = f"{slowed(runs)} of {len(runs)} runs were slowed by something else than the link"
        verdict, reason = NOT_TESTABLE, f"{slow}, measured at {_gigabits(reached)} when idle"
    else:
        verdict, reason = (
            NOT_REPRODUCED,
            f"rule: more than half of the cases; link measured at {_gigabits(reached)}",
        )
    return Outcome(
        verdict,
        measured,
        reason,
        value=under / len(medians),
        unit=f"share of cases under {limit:g} s",
        runs=paths(runs),
    )


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
