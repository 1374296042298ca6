"""Two results directories against each other: what is beyond, what is not, and what cannot be judged."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.compare.labs import (
    ALL_CASES,
    COMPLETED,
    NO_RATIO,
    NOT_MEASURED,
    OUTAGE,
    Row,
    case_rows,
    compare_results,
    comparison_document,
    known_metrics,
)
from analysis.evidence.errors import InputError
from analysis.run.metrics import METRICS, Direction
from analysis.stats.tests import DIFFER, NO_DIFFERENCE, TOO_FEW
from analysis.study.cases import CaseSummary
from tests.unit.analysis.builder import Model, write_study
from tests.unit.analysis.cases import RECORDED, made_case, moved


def paces(*seconds: float, **more: float | None) -> list[dict[str, Any]]:
    return [{"migration_seconds": value, **more} for value in seconds]


STEADY = paces(10.0, 10.1, 9.9, 10.2, 9.8, 10.0, 10.1)


def times(factor: float, metrics: list[dict[str, float]] = STEADY) -> list[dict[str, float]]:
    return [{**item, "migration_seconds": item["migration_seconds"] * factor} for item in metrics]


def rows_of(
    one: list[CaseSummary], other: list[CaseSummary], metric: str = "migration_seconds"
) -> dict[tuple[str, str], Row]:
    pairs = [(first.case, first, second) for first, second in zip(one, other, strict=True)]
    return {(row.case, row.metric): row for row in case_rows(pairs, (metric,), 1.10)}


def only_row(one: CaseSummary, other: CaseSummary, metric: str = "migration_seconds") -> Row:
    (row,) = rows_of([one], [other], metric).values()
    return row


def test_a_quarter_slower_is_beyond_and_a_quarter_faster_is_not() -> None:
    slower = only_row(made_case(STEADY), made_case(times(1.25)))
    assert (slower.ratio, slower.verdict, slower.beyond) == (pytest.approx(1.25), DIFFER, True)
    assert slower.low is not None and 1.10 < slower.low <= 1.25
    assert slower.p == pytest.approx(2 / math.comb(14, 7))
    faster = only_row(made_case(STEADY), made_case(times(0.75)))
    assert (faster.verdict, faster.beyond) == (DIFFER, False)


def test_a_difference_within_the_threshold_is_shown_and_passes() -> None:
    row = only_row(made_case(STEADY), made_case(times(1.08)))
    assert (row.verdict, row.beyond) == (DIFFER, False)


def test_an_interval_that_reaches_over_the_threshold_passes() -> None:
    wide = paces(9.0, 10.0, 11.5, 14.0, 15.0, 16.0, 16.0)
    row = only_row(made_case(STEADY), made_case(wide))
    assert row.ratio is not None and row.ratio > 1.10
    assert row.low is not None and row.low < 1.10
    assert row.beyond is False


def test_of_the_links_use_less_is_worse() -> None:
    one, other = made_case(paces(*[10.0] * 7, link_use=0.95)), made_case(paces(*[10.0] * 7, link_use=0.6))
    assert only_row(one, other, "link_use").beyond is True
    assert only_row(other, one, "link_use").beyond is False


def test_every_metric_says_which_way_is_better() -> None:
    directions = {name: metric.direction for name, metric in METRICS.items()}
    assert {name for name, found in directions.items() if not isinstance(found, Direction)} == set()


@pytest.mark.parametrize("phase", ["precopy", "postcopy"])
def test_a_faster_guest_is_no_regression_and_a_slower_one_is(phase: str) -> None:
    metric = f"guest_speed_{phase}"
    slow, fast = (made_case(paces(*[10.0] * 7, **{metric: speed})) for speed in (0.3, 0.9))
    assert only_row(slow, fast, metric).beyond is False
    assert only_row(fast, slow, metric).beyond is True


def test_a_metric_of_which_neither_way_is_better_is_never_beyond() -> None:
    few, many = (made_case(paces(*[10.0] * 7, iterations=passes)) for passes in (2.0, 9.0))
    for one, other in ((few, many), (many, few)):
        row = only_row(one, other, "iterations")
        assert (row.direction, row.verdict, row.beyond) == (Direction.NEITHER, DIFFER, False)


def test_a_metric_that_was_zero_and_no_longer_is_lies_beyond() -> None:
    """Standstills of none, but for one of 0.1 s, against 5 s and more: fifty times and more."""
    none = made_case([{"guest_standstill_seconds": value} for value in (0.0, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0)])
    long = made_case([{"guest_standstill_seconds": 5.0 + step} for step in range(7)])
    row = only_row(none, long, "guest_standstill_seconds")
    assert (row.ratio, row.low, row.high) == (math.inf, pytest.approx(50), math.inf)
    assert (row.verdict, row.beyond) == (DIFFER, True)
    assert only_row(long, none, "guest_standstill_seconds").beyond is False
    neither = only_row(none, none, "guest_standstill_seconds")
    assert (neither.verdict, neither.beyond) == (NO_RATIO, None)


@pytest.mark.parametrize("unknown", ["second", "one run", "both"])
def test_a_metric_that_is_unknown_is_left_out_and_never_a_traceback(unknown: str) -> None:
    every, none = paces(*[10.0] * 7, link_use=0.9), paces(*[10.0] * 7, link_use=None)
    first = made_case(none if unknown == "both" else every)
    second = made_case([*every[:6], none[0]] if unknown == "one run" else none)
    row = only_row(first, second, "link_use")
    if unknown == "one run":
        assert (row.first_count, row.second_count, row.verdict, row.beyond) == (7, 6, NO_DIFFERENCE, None)
    else:
        assert (row.second, row.second_count, row.verdict, row.beyond) == (None, 0, NOT_MEASURED, None)


def test_every_metric_of_recorded_runs_can_be_compared() -> None:
    recorded = RECORDED / "quick" / "local"
    document = comparison_document(compare_results(recorded, recorded, known_metrics()))
    # Five cases, and all together but for the outage, which is an interval.
    assert len(document["rows"]) == 6 * len(known_metrics()) - 1
    assert json.dumps(document, allow_nan=False)


def test_an_outage_whose_runs_overlap_the_others_is_not_beyond() -> None:
    """The medians lie apart and the rank test says so, but one run of either side does not."""
    one, other = made_case(lost(1, 1, 1, 1, 1, 1, 9)), made_case(lost(9, 20, 20, 20, 20, 20, 20))
    row = only_row(one, other, OUTAGE)
    assert (row.verdict, row.beyond) == (DIFFER, False)


def test_three_runs_a_side_are_not_judged_however_far_apart() -> None:
    row = only_row(made_case(STEADY[:3]), made_case(times(3.0, STEADY[:3])))
    assert (row.verdict, row.beyond, row.p) == (TOO_FEW, None, None)
    assert row.smallest_p == pytest.approx(0.1)
    assert row.interval_kind == "range"


def test_six_runs_a_side_have_a_range_and_are_not_judged() -> None:
    """Two intervals of six values hold at once with less than 95 %."""
    row = only_row(made_case(STEADY[:6]), made_case(times(1.25, STEADY[:6])))
    assert (row.verdict, row.beyond, row.interval_kind) == (DIFFER, None, "range")


def test_six_cases_of_three_runs_are_judged_together() -> None:
    """Each case too few, but all six slower: p = 2 / 2^6."""
    one = [made_case(STEADY[:3], stressed_mib=256 * step) for step in range(1, 7)]
    other = [made_case(times(1.3, STEADY[:3]), stressed_mib=256 * step) for step in range(1, 7)]
    rows = rows_of(one, other)
    assert {row.beyond for key, row in rows.items() if key[0] != ALL_CASES} == {None}
    together = rows[ALL_CASES, "migration_seconds"]
    assert (together.beyond, together.verdict) == (True, DIFFER)
    assert (together.p, together.ratio) == (pytest.approx(1 / 32), pytest.approx(1.3))
    assert (together.first, together.second) == (None, None)


def test_runs_that_stop_completing_are_beyond_any_threshold() -> None:
    """7 of 7 against 0 of 7: Fisher's exact p is 2 / C(14, 7)."""
    one, other = made_case(STEADY), made_case(STEADY, outcome="failed")
    rows = rows_of([one], [other])
    completed = rows[one.case, COMPLETED]
    assert (completed.first, completed.second, completed.beyond) == (1.0, 0.0, True)
    assert completed.p == pytest.approx(2 / math.comb(14, 7))
    assert rows[one.case, "migration_seconds"].verdict == NOT_MEASURED
    back = rows_of([other], [one])[one.case, COMPLETED]
    assert (back.verdict, back.beyond) == (DIFFER, False)


def test_two_runs_that_stop_completing_are_too_few_to_say() -> None:
    one, other = made_case(STEADY[:2]), made_case(STEADY[:2], outcome="failed")
    completed = rows_of([one], [other])[one.case, COMPLETED]
    assert (completed.verdict, completed.beyond) == (TOO_FEW, None)


def lost(*pings: int) -> list[dict[str, float]]:
    return [
        {"ping_outage_low_seconds": 0.1 * count, "ping_outage_high_seconds": 0.1 * (count + 1)}
        for count in pings
    ]


def test_outages_are_compared_as_intervals() -> None:
    longer = only_row(made_case(lost(1, 2, 1, 2)), made_case(lost(20, 21, 20, 22)), OUTAGE)
    assert (longer.verdict, longer.beyond) == (DIFFER, True)
    assert (longer.low, longer.high) == (pytest.approx(2.05 / 0.25), pytest.approx(2.15 / 0.15))
    same = only_row(made_case(lost(1, 1, 1, 1)), made_case(lost(2, 2, 2, 2)), OUTAGE)
    assert (same.verdict, same.beyond) == ("cannot tell", None)


def test_no_difference_is_no_failure() -> None:
    row = only_row(made_case(STEADY), made_case([STEADY[6], *STEADY[:6]]))
    assert (row.verdict, row.beyond, row.ratio) == (NO_DIFFERENCE, False, pytest.approx(1.0))


def test_metrics_are_those_of_a_run() -> None:
    assert {"migration_seconds", "forward_bytes", "downtime_seconds", OUTAGE} <= set(known_metrics())
    assert not {"converged", "borders_agree", "ping_outage_low_seconds"} & set(known_metrics())


def test_recorded_results_against_themselves() -> None:
    found = compare_results(RECORDED / "quick" / "local", RECORDED / "quick" / "local")
    assert {row.ratio for row in found.rows if row.ratio is not None} == {1.0}
    assert found.beyond == ()
    assert len(found.undecided) == len(found.rows)
    document = json.loads(json.dumps(comparison_document(found), allow_nan=False))
    assert (document["schema"], document["first"]["lab"], document["beyond"]) == (2, "local", 0)


def test_settings_match_cases_of_other_names(tmp_path: Path) -> None:
    for name, mib in (("one", 256), ("other", 512)):
        write_study(tmp_path / name, [(Model(threads=1, thread_mib=mib), 1)])
    with pytest.raises(InputError, match=r"no case in common by case; .*choose other settings with --match"):
        compare_results(tmp_path / "one", tmp_path / "other")
    found = compare_results(tmp_path / "one", tmp_path / "other", match=("mode", "flavor"))
    assert [row.case for row in found.rows] == ["hybrid s", "hybrid s"]


def test_cases_that_settings_leave_alike_are_named(tmp_path: Path) -> None:
    model = Model(threads=1)
    write_study(tmp_path, [(model, 1), (replace(model, threads=2), 1)])
    with pytest.raises(InputError, match="are alike by mode, flavor; match by stressed too"):
        compare_results(tmp_path, tmp_path, match=("mode", "flavor"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ("speed",)}, r"metric 'speed' is not allowed \(allowed: migration_seconds, "),
        ({"match": ("colour",)}, r"match 'colour' is not allowed \(allowed: case, mode, "),
        ({"match": ()}, "no match given"),
        ({"threshold": 0.9}, r"threshold 0\.9 is not allowed \(allowed: 1 or more"),
        ({"threshold": math.nan}, "threshold nan is not allowed"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    recorded = RECORDED / "quick" / "local"
    with pytest.raises(InputError, match=message):
        compare_results(recorded, recorded, **options)  # type: ignore[arg-type]


def test_data_half_as_much_again_are_beyond() -> None:
    row = only_row(made_case(moved(5, 100, 7)), made_case(moved(5, 150, 7)), "forward_bytes")
    assert (row.beyond, row.ratio) == (True, pytest.approx(1.5))
