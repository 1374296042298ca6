"""Rules on how long the guest is away: the switchover, pings lost in pre-copy, pings lost in post-copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.reference.verdicts import (
    NOT_REPRODUCED,
    NOT_TESTABLE,
    REPRODUCED,
    Measurements,
    Outcome,
    exceptions,
    none_measured,
    of_greatest,
    paths,
    slowed,
)
from analysis.run.formatter import counted
from analysis.run.metrics import RunMetrics
from analysis.stats.intervals import LEVEL, Interval, most_unseen
from analysis.stats.trend import rank_correlation, smallest_trend_p
from analysis.study.cases import CaseSummary
from analysis.study.results import RunResult


def downtime_below(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """The hypervisor's downtime of every counted run that switched over is below the limit."""
    every = measurements.counted(claim["mode"])
    judged = [run for run in every if not run.record.ended_early]
    known = [
        (run, run.metrics.downtime_seconds)
        for run in judged
        if run.metrics is not None and run.metrics.downtime_seconds is not None
    ]
    if not known:
        return none_measured(f"switchover of a completed {claim['mode']} run")
    runs, values = [run for run, _ in known], [seconds for _, seconds in known]
    below = max(values) < claim["seconds"]
    reason = (
        "source stopped to destination resumed, by the hypervisors' events; "
        "the article counted lost pings of 0.1 s"
    )
    if below:
        reason += f"; {exceptions(len(runs))}"
    if len(runs) < len(judged):
        reason += f"; left out: {counted(len(judged) - len(runs), 'run')} of unknown downtime"
    if len(judged) < len(every):
        reason += f"; left out: {counted(len(every) - len(judged), 'run')} that ended in pre-copy"
    verdict = REPRODUCED if below else NOT_REPRODUCED
    found = f"{min(values) * 1000:.0f} to {max(values) * 1000:.0f} ms"
    return of_greatest(verdict, values, found, reason, unit="s", published=claim["seconds"], runs=runs)


def no_pings_lost_in_precopy(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """Not one ping is lost during set-up and pre-copy.

    One that came to the source too shortly before the guest stopped to be answered is lost to the switchover.
    """
    measured = [
        (run, run.metrics.ping_lost_precopy, run.metrics.ping_lost_unknown)
        for run in measurements.runs(*claim["modes"])
        if run.metrics is not None
        and run.excluded_because is None
        and run.metrics.ping_lost_precopy is not None
    ]
    # A run whose lost pings nobody can put into a phase shows nothing, unless others of it were lost there.
    told = [(run, lost) for run, lost, unknown in measured if lost or not unknown]
    if not told:
        return none_measured("pre-copy phase")
    runs = [run for run, _ in told]
    hit = [run for run, lost in told if lost]
    lost = sum(lost for _, lost in told)
    reason = "pings sent between the request and the switchover"
    if not hit:
        reason += f"; {exceptions(len(runs))}"
    if len(told) < len(measured):
        reason += (
            f"; left out: {counted(len(measured) - len(told), 'run')} with lost pings of an unknown phase"
        )
    if slowed(hit):
        reason += f"; {slowed(hit)} of these runs were slowed by something else than the link"
    return Outcome(
        NOT_REPRODUCED if hit else REPRODUCED,
        f"{counted(lost, 'ping')} lost in {len(hit)} of {len(runs)} runs"
        if hit
        else f"no ping lost in {counted(len(runs), 'run')}",
        reason,
        value=float(lost),
        unit="lost pings",
        published=0.0,
        runs=paths(runs),
    )


def postcopy_outage_unpredictable(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """Post-copy ping outages of one case differ by at least the stated seconds, whatever is stressed.

    The difference is counted so that no choice inside the outages' intervals could make it smaller.
    Independent of the stressed memory: Kendall's test over all stressed runs shows no trend.
    """
    cases = [
        case
        for case in measurements.cases
        if case.spec.mode == claim["mode"] and case.spec.stressed_bytes and len(_switched(case)) > 1
    ]
    if not cases:
        return none_measured(f"stressed {claim['mode']} case with two or more completed runs")
    spreads = []
    x: list[float] = []
    y: list[float] = []
    for case in cases:
        outages = [postcopy_outage(run.metrics) for run in _switched(case) if run.metrics is not None]
        spreads.append(
            (
                max(0.0, max(item.low for item in outages) - min(item.high for item in outages)),
                max(item.high for item in outages) - min(item.low for item in outages),
                case,
            )
        )
        x += [float(case.spec.stressed_bytes)] * len(outages)
        y += [(item.low + item.high) / 2 for item in outages]
    least, most, widest = max(spreads, key=lambda item: item[:2])
    runs = [run for case in cases for run in _switched(case)]
    trend = rank_correlation(x, y)
    dependent = trend is not None and trend.p <= 1 - LEVEL
    visible = smallest_trend_p([x.count(load) for load in set(x)]) <= 1 - LEVEL
    needed = claim["least_spread_seconds"]
    trend_text = (
        f"Kendall's tau with stressed memory {trend.tau:.2f}, p = {trend.p:.3f}" if trend else "no trend"
    )
    if least >= needed and visible and not dependent:
        verdict, reason = REPRODUCED, f"rule: at least {needed:g} s apart in one case, no trend; {trend_text}"
    elif least >= needed and not visible:
        verdict, reason = NOT_TESTABLE, "it varies, but too few runs or loads to tell whether with the load"
    elif least >= needed:
        verdict, reason = NOT_REPRODUCED, f"it varies, but with the stressed memory: {trend_text}"
    elif most >= needed:
        verdict, reason = NOT_TESTABLE, f"the outages' intervals are too wide to tell {needed:g} s apart"
    else:
        verdict = NOT_REPRODUCED
        reason = (
            f"rule: at least {needed:g} s apart in one case; not seen in {counted(len(runs), 'run')}, so "
            f"such an outage comes in fewer than {most_unseen(len(runs))} of them ({LEVEL:.0%} confidence)"
        )
    return Outcome(
        verdict,
        f"outages of one case at most {least:.1f} to {most:.1f} s apart ({widest.case})",
        reason,
        value=least,
        low=least,
        high=most,
        interval_kind="censored by the ping's period",
        unit="s",
        runs=paths(runs),
    )


def _switched(case: CaseSummary) -> list[RunResult]:
    """The counted runs that had a post-copy phase."""
    return [run for run in case.counted if not run.record.ended_early]


def postcopy_outage(metrics: RunMetrics) -> Interval:
    """How much of the ping outage lay in post-copy; where that is not known, at most all of it."""
    low, high = metrics.ping_postcopy_low_seconds, metrics.ping_postcopy_high_seconds
    if low is None or high is None:
        return Interval(0.0, metrics.ping_outage_high_seconds)
    return Interval(low, high)
