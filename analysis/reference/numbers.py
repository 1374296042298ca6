"""Every number of tables 2 to 4, held against the measurement as a shape.

A time or an amount of data of another machine cannot be reproduced. What can: how a number stands to a
reference row of the article, against how the measured row stands to the same reference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from analysis.reference.lines import (
    METRIC_OF_COLUMN,
    readings_text,
    rows_of,
    tolerated,
    unloaded_case,
    values_of,
    with_scatter,
)
from analysis.reference.published import MIGRATION_TIME, OUTAGE, PING_PERIOD_SECONDS, TRANSFERRED, Row
from analysis.reference.verdicts import (
    NOT_TESTABLE,
    Measurements,
    Outcome,
    bounded_verdict,
    none_measured,
    of_interval,
    paths,
    why_not_told,
)
from analysis.run.formatter import counted
from analysis.stats.intervals import RANGE, Derived, derive, interval_median
from analysis.study.results import RunResult

_COLUMNS = {
    MIGRATION_TIME: ("migration time", "s"),
    TRANSFERRED: ("transferred data", "MB"),
    OUTAGE: ("downtime", "s"),
}


def expand(
    number_claims: tuple[Mapping[str, Any], ...], measurements: Measurements
) -> Iterator[dict[str, Any]]:
    """One claim per number of the tables: the entry of claims.yml with its row, identifier and statement."""
    for entry in number_claims:
        words, unit = _COLUMNS[entry["column"]]
        table = entry["table"]
        for row in measurements.published.rows(table):
            subject = f"flavor {row.key}" if table == "table2" else f"{row.key} MB stressed"
            yield {
                **entry,
                "id": f"{table}.{row.key}.{entry['column']}",
                "where": f"Table {table.removeprefix('table')}",
                "statement": f"{subject}: {words} {row.numbers[entry['column']]:,.10g} {unit}",
                "row": row,
            }


def ratio_to_row(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """The row's ratio to the reference row is the article's, within the stated tolerance."""
    row, reference, column = claim["row"], claim["reference_row"], claim["column"]
    if row.key == reference:
        return Outcome(
            NOT_TESTABLE,
            "-",
            "reference row: the others are held against it; the absolute figure of another machine "
            "cannot be reproduced",
        )
    found = _counted_rows(claim, measurements, row.key, reference)
    if isinstance(found, Outcome):
        return found
    measured, base = found
    published = row.numbers[column] / measurements.published.numbers[f"{claim['table']}.{reference}.{column}"]
    metric = METRIC_OF_COLUMN[column]
    ratio = derive(lambda one, other: one / other, values_of(measured, metric), values_of(base, metric))
    if ratio is None:
        return none_measured(f"{metric} of row {reference}")
    runs = [*measured.counted, *base.counted]
    return _judged(claim, ratio, (published,), f"times row {reference}", runs)


def growth_over_unloaded(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """What the row has more than the unloaded guest of its flavor, per stressed byte, is the article's.

    In bytes; for a time the bytes that the nominal link carries in it. Within the stated tolerance.
    """
    row, column = claim["row"], claim["column"]
    found = _counted_rows(claim, measurements, row.key)
    if isinstance(found, Outcome):
        return found
    (loaded,) = found
    unloaded = unloaded_case(measurements, loaded)
    if unloaded is None:
        return none_measured(f"unloaded guest of flavor {loaded.spec.flavor} to hold it against")
    published = measurements.published
    base = published.unloaded_number(published.stressed_flavor, column)
    readings = published.growth_readings(column, (row.numbers[column] - base) / float(row.key))
    spec, metric = loaded.spec, METRIC_OF_COLUMN[column]
    factor = 1.0 if column == TRANSFERRED else spec.link_rate_bits_per_second / 8
    growth = derive(
        lambda one, other: (one - other) * factor / spec.stressed_bytes,
        values_of(loaded, metric),
        values_of(unloaded, metric),
    )
    if growth is None:
        return none_measured(f"{metric} of row {row.key}")
    growth = with_scatter(growth, measurements, loaded, metric, factor / spec.stressed_bytes, values=2)
    runs = [*loaded.counted, *unloaded.counted]
    unit = "bytes per stressed byte more than unloaded"
    if column != TRANSFERRED:
        unit += " (what the nominal link carries in that time)"
    return _judged(claim, growth, readings, unit, runs)


def outage_at_most(claim: Mapping[str, Any], measurements: Measurements) -> Outcome:
    """The median ping outage is not longer than the row's, both as intervals of n - 1 to n + 1 periods.

    With the interval of the median, or the range of few runs: at its longest, or even at its shortest.
    """
    row: Row = claim["row"]
    found = _counted_rows(claim, measurements, row.key)
    if isinstance(found, Outcome):
        return found
    (case,) = found
    median = interval_median(case.outages)
    assert median is not None  # a case with counted runs
    published = row.numbers[claim["column"]]
    least, limit = max(0.0, published - PING_PERIOD_SECONDS), published + PING_PERIOD_SECONDS
    shortest = derive(lambda seconds: seconds, [outage.low for outage in case.outages])
    longest = derive(lambda seconds: seconds, [outage.high for outage in case.outages])
    assert shortest is not None and longest is not None  # as many values as runs
    bounds = Derived(longest.value, shortest.low, longest.high, longest.kind)
    verdict = bounded_verdict(bounds, -math.inf, limit + 1e-9)
    kind = "range of the runs" if longest.kind == RANGE else "interval"
    why = why_not_told(bounds, -math.inf, limit, kind)
    return Outcome(
        verdict,
        f"ping outage of {median.low:.2f} to {median.high:.2f} s "
        f"(median of {counted(len(case.outages), 'run')})"
        + ("" if bounds.low is None else f", {bounds.low:.2f} to {bounds.high:.2f} s by the {kind}"),
        f"article: {least:.1f} to {limit:.1f} s as an interval; rule: not longer"
        + (f"; {why}" if verdict == NOT_TESTABLE else ""),
        low=median.low,
        high=median.high,
        interval_kind="censored by the ping's period",
        unit="s",
        published=published,
        runs=paths(case.counted),
    )


NUMBER_RULES: Mapping[str, Callable[[Mapping[str, Any], Measurements], Outcome]] = {
    rule.__name__: rule for rule in (ratio_to_row, growth_over_unloaded, outage_at_most)
}


def _counted_rows(claim: Mapping[str, Any], measurements: Measurements, *keys: str) -> Any:
    """The cases of these rows, or the outcome that says which was not measured."""
    rows = rows_of(claim["table"], measurements)
    missing = [key for key in keys if key not in rows]
    if missing:
        return none_measured(f"completed hybrid run of {claim['table']}, row {missing[0]}")
    return [rows[key] for key in keys]


def _judged(
    claim: Mapping[str, Any],
    found: Derived,
    readings: tuple[float, ...],
    unit: str,
    runs: list[RunResult],
) -> Outcome:
    low, high = tolerated(readings, claim["tolerance"])
    rule = f"article: {readings_text(readings)}; rule: between {low:.2f} and {high:.2f}"
    return of_interval(found, (low, high), unit, rule, unit=unit, published=max(readings), runs=runs)
