"""Rules on how time and data grow: straight lines, their slopes and intercepts, and whether they rise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.evidence.units import MIB
from analysis.reference.fits import published_fits
from analysis.reference.published import MIGRATION_TIME, TRANSFERRED
from analysis.reference.verdicts import (
    NOT_REPRODUCED,
    NOT_TESTABLE,
    REPRODUCED,
    STUDENT,
    Measurements,
    Outcome,
    bounded_verdict,
    by_student,
    interval_text,
    joint_verdict,
    none_measured,
    of_interval,
    paths,
    slowed,
    why_not_told,
)
from analysis.stats.intervals import LEVEL, OF_MEDIANS, Bounds, Derived, MedianEstimate
from analysis.stats.regression import LineFit, fit_line
from analysis.stats.trend import rank_correlation
from analysis.study.cases import CaseSummary, Series, condition_words
from analysis.study.results import RunResult
from contract.choices import SwitchoverBy
from contract.modes import ARTICLE_MODE

SCATTER = f"{LEVEL:.0%} interval from the scatter around the table's line"
# The article's columns and what is held against them.
METRIC_OF_COLUMN = {MIGRATION_TIME: "migration_seconds", TRANSFERRED: "forward_bytes"}


def linear(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """In every series the line rises, with its slope's whole interval, and is straight: from the first step
    to the last the slope changes by at most the stated share of it, with that change's whole interval.

    The change is a parabola's through the same runs (`analysis.stats.regression.Bend`).
    """
    fits = _fits(claim, measurements)
    if not fits:
        return none_measured("series with three different steps of stressed memory")
    most = claim["most_bend"]
    judged = [(series, fit, *_straight(fit, most)) for series, fit in fits]
    verdict = joint_verdict(word for _, _, word, _ in judged)
    why = [f"{series.table}: {text}" for series, _, word, text in judged if word == verdict != REPRODUCED]
    worst = max((fit.bend for _, fit in fits if fit.bend), key=lambda bend: abs(bend.value), default=None)
    return Outcome(
        verdict,
        ", ".join(f"{_bend_text(claim, series, fit)} ({series.table})" for series, fit in fits),
        "; ".join((f"rule: rises, and its slope changes by at most {most:.0%} over the steps", *why)),
        value=worst.value if worst else None,
        low=worst.bounds.low if worst else None,
        high=worst.bounds.high if worst else None,
        interval_kind=STUDENT,
        unit="change of the slope, share of it",
        runs=paths(_runs(series for series, _ in fits)),
    )


def _straight(fit: LineFit, most: float) -> tuple[str, str]:
    """Whether a line rises and is straight, and what speaks against it."""
    slope, bend = fit.slope_bounds, fit.bend
    if slope.high <= 0:
        return NOT_REPRODUCED, "it falls or stays level"
    if slope.low <= 0:
        return NOT_TESTABLE, "the slope's interval straddles 0: it may rise or not"
    if bend is None:
        return NOT_TESTABLE, "no run is left over to tell whether it bends"
    verdict = bounded_verdict(bend.bounds, -most, most)
    if verdict == NOT_REPRODUCED:
        return verdict, "it bends"
    text = why_not_told(bend.bounds, -most, most, "change's interval") if verdict == NOT_TESTABLE else ""
    return verdict, text


def _bend_text(claim: Mapping[str, Any], series: Series, fit: LineFit) -> str:
    if fit.bend is None:
        return f"R² = {fit.r_squared:.4f}"
    low, high = fit.bend.bounds.low, fit.bend.bounds.high
    factor, unit = (1.0, "bytes per byte") if _is_data(claim) else (1000 * MIB, "ms/MiB")
    return (
        f"slope {fit.bend.first_slope * factor:.2f} to {fit.bend.last_slope * factor:.2f} {unit}, "
        f"a change of {fit.bend.value:+.0%} [{low:+.0%}, {high:+.0%}]"
    )


def slope_within(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """The interval of every series' slope lies inside the stated bounds, in bytes per stressed byte."""
    fits = _fits(claim, measurements)
    if not fits:
        return none_measured("series with three different steps of stressed memory")
    low, high = claim["between"]
    verdict = joint_verdict(bounded_verdict(fit.slope_bounds, low, high) for _, fit in fits)
    reason = f"rule: slope with its interval between {low} and {high} bytes per byte"
    if verdict == NOT_TESTABLE:
        reason += "".join(
            f"; {series.table}: {why_not_told(fit.slope_bounds, low, high, 'interval')}"
            for series, fit in fits
            if bounded_verdict(fit.slope_bounds, low, high) == NOT_TESTABLE
        )
    farthest = max((fit for _, fit in fits), key=lambda fit: abs(fit.slope - (low + high) / 2))
    return Outcome(
        verdict,
        ", ".join(
            f"{interval_text(by_student(fit.slope, fit.slope_bounds))} ({series.table})"
            for series, fit in fits
        ),
        reason,
        value=farthest.slope,
        low=farthest.slope_bounds.low,
        high=farthest.slope_bounds.high,
        interval_kind=STUDENT,
        unit="bytes per byte",
        runs=paths(_runs(series for series, _ in fits)),
    )


def time_follows_data(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """Over all runs of the mode, a further byte costs its own time on the link, within the stated factors.

    Runs that something else than the link slowed count too, for it and against it: to leave them out would be
    to keep what agrees.
    """
    runs = measurements.counted(claim["mode"])
    metrics = [run.metrics for run in runs if run.metrics is not None]
    x = [item.forward_bytes * 8 / item.link_wire_rate_bits_per_second for item in metrics]
    if len({run.record.case for run in runs}) < 3:
        return none_measured(f"three different cases of completed {claim['mode']} runs")
    fit = fit_line(x, [item.migration_seconds for item in metrics])
    if fit is None:
        return none_measured(f"three different amounts of data in {claim['mode']} runs")
    low, high = claim["between"]
    outcome = of_interval(
        by_student(fit.slope, fit.slope_bounds),
        (low, high),
        "s per second that the data take on the link",
        f"rule: slope of time over data / measured link rate between {low} and {high}; "
        f"R² = {fit.r_squared:.4f}",
        unit="s per s",
        published=_published_time_per_data(measurements),
        runs=runs,
    )
    slow = slowed(runs)
    if not slow:
        return outcome
    why = f"{slow} of {len(runs)} runs were slowed by something else than the link"
    return replace(outcome, reason=f"{outcome.reason}; {why}")


def slope_like_published(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """The slope's interval lies within the stated bounds, or within the stated tolerance of the article's.

    Data in bytes per stressed byte, time in what the nominal link carries in it (bytes, per stressed byte):
    so labs with different links have the same shape.
    """
    found = _series_of(claim, measurements)
    if found is None:
        return none_measured(f"hybrid series of {claim['table']} with three different steps")
    series, fit = found
    published_fit = _published_fit(claim, measurements)
    readings = measurements.published.growth_readings(claim["column"], published_fit.slope)
    rate = series.cases[0].spec.link_rate_bits_per_second
    factor = 1.0 if claim["column"] == TRANSFERRED else rate / 8
    low, high = claim.get("between") or tolerated(readings, claim["tolerance"])
    return of_interval(
        by_student(fit.slope, fit.slope_bounds, factor),
        (low, high),
        f"bytes per stressed byte, {series.label}",
        f"article: {readings_text(readings)}; rule: the interval between {low:.2f} and {high:.2f} bytes per "
        f"stressed byte{_time_note(claim)}",
        unit="bytes per stressed byte",
        published=max(readings),
        runs=_runs([series]),
    )


def intercept_like_unloaded(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """Where the line begins is what the unloaded guest of the same flavor takes, within the stated factors.

    That is the article's "2 x stressed memory + resources allocated by the system", whatever the guest is.
    """
    found = _series_of(claim, measurements)
    if found is None:
        return none_measured(f"hybrid series of {claim['table']} with three different steps")
    series, fit = found
    unloaded = unloaded_case(measurements, series.cases[0])
    estimate = unloaded.estimate(METRIC_OF_COLUMN[claim["column"]]) if unloaded else None
    if unloaded is None or estimate is None:
        return none_measured(f"unloaded guest of flavor {series.flavor} (the line's origin)")
    if estimate.count < 2:
        return Outcome(NOT_TESTABLE, "-", "the unloaded guest was run once, so its own spread is not known")
    low, high = claim["between"]
    published = _published_fit(claim, measurements).intercept / measurements.published.unloaded_number(
        measurements.published.stressed_flavor, claim["column"]
    )
    return of_interval(
        by_student(fit.intercept / estimate.median, _quotient(fit.intercept_bounds, estimate)),
        (low, high),
        f"times the unloaded guest's, {series.label}",
        f"article: {published:.2f} times; rule: the interval between {low} and {high}",
        unit="times the unloaded guest's",
        published=published,
        runs=[*_runs([series]), *unloaded.counted],
    )


def _quotient(bounds: Bounds, divisor: MedianEstimate) -> Bounds:
    """An interval over a median, whatever that may be by its own interval, or by its range of few runs."""
    low = divisor.minimum if divisor.low is None else divisor.low
    high = divisor.maximum if divisor.high is None else divisor.high
    corners = [end / by for end in (bounds.low, bounds.high) for by in (low, high)]
    return Bounds(min(corners), max(corners))


def monotone(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """The medians rise from each row of the table to the next, and Kendall's test over the runs says so."""
    metric = METRIC_OF_COLUMN[claim["column"]]
    rows = rows_of(claim["table"], measurements)
    keys = [row.key for row in measurements.published.rows(claim["table"]) if row.key in rows]
    if len(keys) < 3:
        return none_measured(f"three rows of {claim['table']}")
    groups = [values_of(rows[key], metric) for key in keys]
    medians = [float(np.median(group)) for group in groups]
    falls = [
        (keys[index + 1], _apart(groups[index + 1], groups[index]))
        for index in range(len(keys) - 1)
        if medians[index + 1] <= medians[index]
    ]
    x = [float(index) for index, group in enumerate(groups) for _ in group]
    found = rank_correlation(x, [value for group in groups for value in group])
    tau, p = (found.tau, found.p) if found else (0.0, 1.0)
    runs = [run for key in keys for run in rows[key].counted]
    if falls:
        certain = any(apart for _, apart in falls)
        verdict = NOT_REPRODUCED if certain else NOT_TESTABLE
        reason = f"falls at {', '.join(key for key, _ in falls)}" + (
            "" if certain else ", but the runs of these rows overlap: cannot tell"
        )
    elif p > 1 - LEVEL:
        verdict, reason = NOT_TESTABLE, "rises throughout, but too few runs to call that more than chance"
    else:
        verdict, reason = REPRODUCED, "rises from each row to the next"
    return Outcome(
        verdict,
        f"{len(keys) - 1 - len(falls)} of {len(keys) - 1} steps up, Kendall's tau {tau:.2f}, p = {p:.4f}",
        f"{reason}; rows measured: {', '.join(keys)}",
        value=tau,
        unit="Kendall's tau",
        published=1.0,
        runs=paths(runs),
    )


def _apart(lower: Sequence[float], upper: Sequence[float]) -> bool:
    """Whether even the nearest of several runs lie apart; single runs show no spread, so nothing is known."""
    return min(len(lower), len(upper)) > 1 and max(lower) < min(upper)


def rows_of(table: str, measurements: Measurements) -> Mapping[str, CaseSummary]:
    """The hybrid cases with counted runs that answer a table's rows, by the row's key.

    Where a row was measured at several link rates, the article's counts, and of several allowed downtimes the
    usual one.
    """
    found: dict[str, CaseSummary] = {}
    for case in measurements.cases:
        spec = case.spec
        if spec.table != table or spec.mode != ARTICLE_MODE or not case.counted:
            continue
        key = row_key(table, case)
        if key not in found or _preference(case, measurements) > _preference(found[key], measurements):
            found[key] = case
    return found


def _preference(case: CaseSummary, measurements: Measurements) -> tuple[bool, bool]:
    """Which of two cases of one row counts: the greater."""
    spec, nominal = case.spec, measurements.published.link_rate_bits_per_second
    usual = spec.usual_downtime and spec.switchover_by != SwitchoverBy.NOVA
    return spec.link_rate_bits_per_second == nominal, usual


def row_key(table: str, case: CaseSummary) -> str:
    """The key of the row that a case of the table answers."""
    return case.spec.flavor if table == "table2" else f"{case.spec.stressed_bytes / MIB:g}"


def unloaded_case(measurements: Measurements, loaded: CaseSummary) -> CaseSummary | None:
    """The unloaded guest of the same mode, flavor, link and conditions, with counted runs."""
    spec = loaded.spec
    return next(
        (
            case
            for case in measurements.cases
            if case.counted
            and case.spec.stressed_bytes == 0
            and (case.spec.mode, case.spec.flavor, case.spec.link_rate, condition_words(case.spec))
            == (spec.mode, spec.flavor, spec.link_rate, condition_words(spec))
        ),
        None,
    )


def _fits(claim: Mapping[str, Any], measurements: Measurements) -> list[tuple[Series, LineFit]]:
    name = "data_fit" if _is_data(claim) else "time_fit"
    return [
        (series, getattr(series, name))
        for series in measurements.series
        if series.mode == claim["mode"] and getattr(series, name) is not None
    ]


def _series_of(claim: Mapping[str, Any], measurements: Measurements) -> tuple[Series, LineFit] | None:
    """The hybrid line of a table; the article's link rate first, then the usual allowed downtime."""
    name = "time_fit" if _is_time(claim) else "data_fit"
    found = [
        (series, fit)
        for series in measurements.series
        if series.mode == ARTICLE_MODE
        and series.table == claim["table"]
        and (fit := getattr(series, name)) is not None
    ]
    found.sort(key=lambda item: _preference(item[0].cases[0], measurements), reverse=True)
    return found[0] if found else None


def _published_fit(claim: Mapping[str, Any], measurements: Measurements) -> LineFit:
    time, data = published_fits(measurements.published, claim["table"])
    fit = time if _is_time(claim) else data
    assert fit is not None  # eight different rows
    return fit


def _published_time_per_data(measurements: Measurements) -> float:
    """The article's own slope of time over data / nominal rate, its MB read as MiB."""
    published = measurements.published
    rows = [row for table in published.stressed.values() for row in table]
    fit = fit_line(
        [row.transferred_mb * MIB * 8 / published.link_rate_bits_per_second for row in rows],
        [row.migration_seconds for row in rows],
    )
    assert fit is not None
    return fit.slope


def with_scatter(
    found: Derived, measurements: Measurements, case: CaseSummary, metric: str, per_unit: float, values: int
) -> Derived:
    """The same with bounds from how runs scatter around the line of the case's table.

    Where the groups are too small for an interval all runs of the table say more about the scatter
    than the range of the few. `found` is `per_unit` times a sum or difference of so many `values`, each taken
    to be as uncertain as a single run. Without a line `found` stays as it is.
    """
    name = "time_fit" if metric == "migration_seconds" else "data_fit"
    fits = [getattr(series, name) for series in measurements.series if case in series.cases]
    if found.kind == OF_MEDIANS or not fits or fits[0] is None:
        return found
    reach = fits[0].reach * math.sqrt(values) * per_unit
    return Derived(found.value, found.value - reach, found.value + reach, SCATTER)


def tolerated(readings: Sequence[float], tolerance: float) -> tuple[float, float]:
    return min(readings) * (1 - tolerance), max(readings) * (1 + tolerance)


def values_of(case: CaseSummary, metric: str) -> list[float]:
    return list(case.by_round(metric).values())


def _runs(series: Iterable[Series]) -> list[RunResult]:
    return [run for line in series for case in line.cases for run in case.counted if run.metrics is not None]


def _is_data(claim: Mapping[str, Any]) -> bool:
    return bool(claim["quantity"] == METRIC_OF_COLUMN[TRANSFERRED])


def _is_time(claim: Mapping[str, Any]) -> bool:
    return bool(claim["column"] != TRANSFERRED)


def _time_note(claim: Mapping[str, Any]) -> str:
    return " (what the nominal link carries in that time)" if _is_time(claim) else ""


def readings_text(readings: Sequence[float]) -> str:
    low, high = min(readings), max(readings)
    return f"{low:.2f}" if low == high else f"{low:.2f} or {high:.2f}, by what its MB is"
