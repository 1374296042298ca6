"""Two results directories (labs, releases, settings) held against each other, case by case."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from analysis.evidence.errors import InputError
from analysis.run.formatter import YES_NO
from analysis.run.metrics import METRICS, Direction, Metric
from analysis.stats.intervals import LEVEL, OF_MEDIANS, Interval, derive
from analysis.stats.tests import (
    CANNOT_TELL,
    DIFFER,
    NO_DIFFERENCE,
    TOO_FEW,
    Comparison,
    compare,
    compare_intervals,
    compare_pairs,
)
from analysis.study.cases import CaseSummary, summarise_cases
from analysis.study.results import Results, load_results
from contract.records import Spec

DEFAULT_METRICS = ("migration_seconds", "forward_bytes")
DEFAULT_THRESHOLD = 1.10
# Interval-valued: both bounds of a run's ping outage.
OUTAGE = "ping_outage_seconds"
COMPLETED = "completed runs"
ALL_CASES = "all cases"
NOT_MEASURED = "not measured"
NO_RATIO = "no ratio to zero"
# What cases may be matched by, with how each setting is read off a case.
SETTINGS: Mapping[str, Callable[[CaseSummary], str]] = {
    "case": lambda case: case.case,
    "mode": lambda case: case.spec.mode,
    "flavor": lambda case: case.spec.flavor,
    "stressor": lambda case: case.spec.stressor or "unloaded",
    "stressed": lambda case: f"{case.spec.stressed_bytes >> 20}mib",
    "threads": lambda case: str(case.spec.stress_threads),
    "rate": lambda case: case.spec.link_rate,
    "downtime": lambda case: str(case.spec.max_downtime_ms),
    "backend": lambda case: case.spec.backend,
    "table": lambda case: case.spec.table or "-",
    "network": lambda case: case.spec.network,
    "probes": lambda case: case.spec.probes,
    "switchover": lambda case: case.spec.switchover_by or "-",
}
SCHEMA = 2


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric of one pair of cases; `first` and `second` are medians, of an outage an interval each.

    `direction`: which way of the metric is better. `interval_kind` says what low and high are. `beyond`:
    whether the whole interval of the ratio lies past the threshold on the worse side (never, where neither
    way is better); None where there is no such interval to judge by.
    """

    case: str
    metric: str
    direction: Direction
    first: float | Interval | None = None
    second: float | Interval | None = None
    first_count: int
    second_count: int
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    interval_kind: str | None = None
    smallest_p: float | None = None
    p: float | None = None
    verdict: str
    beyond: bool | None = None


@dataclass(frozen=True)
class LabComparison:
    """What `compare` found; `only_first` and `only_second` are cases without a counterpart."""

    first: Results
    second: Results
    threshold: float
    metrics: tuple[str, ...]
    match: tuple[str, ...]
    rows: tuple[Row, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]

    @property
    def beyond(self) -> tuple[Row, ...]:
        """The rows past the threshold."""
        return tuple(row for row in self.rows if row.beyond)

    @property
    def undecided(self) -> tuple[Row, ...]:
        """The rows that had no interval to be judged by."""
        return tuple(row for row in self.rows if row.beyond is None)


def known_metrics() -> tuple[str, ...]:
    """Metrics that can be compared: those that are numbers, and the ping outage as an interval.

    The usual ones first, so that a message that is cut has them.
    """
    kept = [name for name, metric in METRICS.items() if metric.compared and metric.unit is not YES_NO]
    usual = (*DEFAULT_METRICS, "downtime_seconds", OUTAGE)
    return (*usual, *(name for name in kept if name not in usual))


def metric_of(metric: str) -> Metric[Any]:
    """The registry's entry for a row's metric; of the two that are no metric themselves the nearest."""
    return METRICS[{COMPLETED: "converged", OUTAGE: "ping_outage_low_seconds"}.get(metric, metric)]


def compare_results(
    first: Path,
    second: Path,
    metrics: Sequence[str] = DEFAULT_METRICS,
    threshold: float = DEFAULT_THRESHOLD,
    match: Sequence[str] = ("case",),
) -> LabComparison:
    """Second results directory against first: ratios of medians, with intervals and the rank test's verdict.

    Cases with the same `match` settings belong together. Raises InputError for a directory that cannot be
    analysed, an unknown metric or setting, a threshold below 1, settings that leave two cases of one
    directory alike, and directories without any case in common.
    """
    _check(metrics, known_metrics(), "metric")
    _check(match, tuple(SETTINGS), "match")
    if not 1 <= threshold < math.inf:
        raise InputError(f"threshold {threshold:g} is not allowed (allowed: 1 or more, for example 1.10)")
    loaded = load_results(first), load_results(second)
    one, other = (_by_settings(results, match) for results in loaded)
    common = [key for key in one if key in other]
    if not common:
        alike = ", ".join(match)
        raise InputError(
            f"{first} and {second}: no case in common by {alike}; for example {_example(one)} and "
            f"{_example(other)} (choose other settings with --match: {', '.join(SETTINGS)})"
        )
    pairs = [(key, one[key], other[key]) for key in common]
    rows = list(case_rows(pairs, metrics, threshold))
    return LabComparison(
        first=loaded[0],
        second=loaded[1],
        threshold=threshold,
        metrics=tuple(metrics),
        match=tuple(match),
        rows=tuple(rows),
        only_first=tuple(key for key in one if key not in other),
        only_second=tuple(key for key in other if key not in one),
    )


def _check(given: Sequence[str], allowed: Sequence[str], what: str) -> None:
    for name in given:
        if name not in allowed:
            raise InputError(f"{what} '{name}' is not allowed (allowed: {', '.join(allowed)})")
    if not given:
        raise InputError(f"no {what} given (allowed: {', '.join(allowed)})")


def _by_settings(results: Results, match: Sequence[str]) -> dict[str, CaseSummary]:
    """The cases by what they are matched by; InputError if that leaves two alike."""
    found: dict[str, CaseSummary] = {}
    for case in summarise_cases(results):
        key = " ".join(SETTINGS[name](case) for name in match)
        if key in found:
            raise InputError(
                f"{results.directory}: cases {found[key].case} and {case.case} are alike by "
                f"{', '.join(match)}; match by {_telling(found[key].spec, case)} too"
            )
        found[key] = case
    return found


def _telling(spec: Spec, case: CaseSummary) -> str:
    """A setting in which two cases differ."""
    other = CaseSummary("", spec, 0, (), (), ())
    telling = (name for name, value in SETTINGS.items() if name != "case" and value(other) != value(case))
    return next(telling, "case")


def _example(cases: Mapping[str, CaseSummary]) -> str:
    return f"'{next(iter(cases))}'" if cases else "no case at all"


def case_rows(
    pairs: Sequence[tuple[str, CaseSummary, CaseSummary]], metrics: Sequence[str], threshold: float
) -> Iterator[Row]:
    for key, one, other in pairs:
        completion = _completion_row(key, one, other)
        if completion is not None:
            yield completion
        for metric in metrics:
            if metric == OUTAGE:
                yield _outage_row(key, one, other, threshold)
            else:
                first, second = (list(case.by_round(metric).values()) for case in (one, other))
                yield _row(key, metric, first, second, compare(first, second), threshold)
    for metric in metrics:
        if metric != OUTAGE and len(pairs) > 1:
            yield _overall_row(pairs, metric, threshold)


def _completion_row(key: str, one: CaseSummary, other: CaseSummary) -> Row | None:
    """Shares of runs that completed with an intact guest, None if they are the same.

    Fisher's exact test; a significant fall is beyond any threshold.
    """
    good = [len(case.counted) for case in (one, other)]
    total = [len(case.runs) for case in (one, other)]
    shares = [count / number for count, number in zip(good, total, strict=True)]
    if shares[0] == shares[1]:
        return None
    least = float(scipy.stats.fisher_exact(np.array([[total[0], 0], [0, total[1]]])).pvalue)
    bad = [total[0] - good[0], total[1] - good[1]]
    p = float(scipy.stats.fisher_exact(np.array([good, bad])).pvalue)
    decided = least <= 1 - LEVEL
    differ = p <= 1 - LEVEL
    return Row(
        case=key,
        metric=COMPLETED,
        direction=_direction(COMPLETED),
        first=shares[0],
        second=shares[1],
        first_count=total[0],
        second_count=total[1],
        ratio=shares[1] / shares[0] if shares[0] else None,
        smallest_p=least,
        p=p if decided else None,
        verdict=(DIFFER if differ else NO_DIFFERENCE) if decided else TOO_FEW,
        beyond=(differ and shares[1] < shares[0]) if decided else None,
    )


def _overall_row(pairs: Sequence[tuple[str, CaseSummary, CaseSummary]], metric: str, threshold: float) -> Row:
    """All cases at once, each a pair of medians: what the cases share shows where each has few runs."""
    medians = [
        (one_estimate.median, other_estimate.median)
        for _, one, other in pairs
        if (one_estimate := one.estimate(metric)) and (other_estimate := other.estimate(metric))
    ]
    first, second = [pair[0] for pair in medians], [pair[1] for pair in medians]
    row = _row(ALL_CASES, metric, first, second, compare_pairs(medians), threshold)
    # Medians over different cases say nothing by themselves.
    return replace(row, first=None, second=None)


def _row(
    key: str,
    metric: str,
    first: Sequence[float],
    second: Sequence[float],
    found: Comparison | None,
    threshold: float,
) -> Row:
    row = Row(
        case=key,
        metric=metric,
        direction=_direction(metric),
        first=_median(first),
        second=_median(second),
        first_count=len(first),
        second_count=len(second),
        verdict=NO_RATIO if first and second else NOT_MEASURED,
    )
    if found is None:
        return row
    ratio = found.ratio
    return replace(
        row,
        ratio=ratio.value,
        low=ratio.low,
        high=ratio.high,
        interval_kind=ratio.kind,
        smallest_p=found.smallest_p,
        p=found.p,
        verdict=found.verdict,
        beyond=_beyond(metric, ratio.low, ratio.high, threshold) if ratio.kind == OF_MEDIANS else None,
    )


def _outage_row(key: str, one: CaseSummary, other: CaseSummary, threshold: float) -> Row:
    """Ratio and verdict as intervals; beyond only if no outage inside its interval could be within.

    Nor any median inside its own interval, or inside the range of too few runs for one.
    """
    row = Row(
        case=key,
        metric=OUTAGE,
        direction=_direction(OUTAGE),
        first_count=len(one.outages),
        second_count=len(other.outages),
        verdict=NOT_MEASURED,
    )
    found = compare_intervals(one.outages, other.outages)
    if found is None:
        return row
    least = derive(
        lambda first, second: second / first,
        [outage.high for outage in one.outages],
        [outage.low for outage in other.outages],
    )
    past = found.verdict == DIFFER and least is not None and (least.low or 0) > threshold
    return replace(
        row,
        first=found.first_median,
        second=found.second_median,
        low=found.ratio.low,
        high=found.ratio.high,
        interval_kind="censored by the ping's period",
        smallest_p=found.smallest_p,
        p=found.greatest_p,
        verdict=found.verdict,
        beyond=None if found.verdict in (TOO_FEW, CANNOT_TELL) else past,
    )


def _direction(metric: str) -> Direction:
    return metric_of(metric).direction


def _beyond(metric: str, low: float | None, high: float | None, threshold: float) -> bool:
    direction = _direction(metric)
    if direction is Direction.LOWER:
        return low is not None and low > threshold
    return direction is Direction.HIGHER and high is not None and high < 1 / threshold


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def comparison_document(found: LabComparison) -> dict[str, Any]:
    """What `--format json` prints."""
    return {
        "schema": SCHEMA,
        "first": _side(found.first),
        "second": _side(found.second),
        "threshold": found.threshold,
        "match": list(found.match),
        "only_first": list(found.only_first),
        "only_second": list(found.only_second),
        "rows": [{name: plain(value) for name, value in vars(row).items()} for row in found.rows],
        "beyond": len(found.beyond),
        "undecided": len(found.undecided),
    }


def _side(results: Results) -> dict[str, Any]:
    lab = results.lab
    return {
        "results": str(results.directory),
        "study": results.study.name,
        "lab": lab.lab,
        "release": lab.release,
        "backend": lab.backend,
        "guest_network": lab.guest_network,
        "migration_stream_tls": lab.migration_stream_tls,
        "kit_commit": lab.kit_commit,
        "sessions": [one.session for one in results.labs],
        "mixed": [f"{notice.file}: {notice.message}" for notice in results.mixed],
    }


def plain(value: Any) -> Any:
    """A value for JSON, which has no intervals and no infinity."""
    if isinstance(value, Interval):
        return [value.low, value.high]
    return None if isinstance(value, float) and not math.isfinite(value) else value
