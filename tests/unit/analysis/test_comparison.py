"""Comparisons against scipy, against numbers checked by hand, and where nothing can be told."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.intervals import Interval
from analysis.stats.tests import (
    CANNOT_TELL,
    DIFFER,
    NO_DIFFERENCE,
    RANK_SUM,
    SIGNED_RANK,
    TOO_FEW,
    compare,
    compare_intervals,
    compare_pairs,
    compare_rounds,
    smallest_p,
    smallest_paired_p,
)


def test_smallest_p_says_when_a_comparison_is_hopeless() -> None:
    assert smallest_p(2, 2) == pytest.approx(1 / 3)
    assert smallest_p(3, 3) == pytest.approx(0.1)
    assert smallest_p(4, 4) == pytest.approx(2 / 70)


def test_too_few_repetitions_to_compare() -> None:
    comparison = compare([1.0, 1.1, 1.2], [5.0, 5.1, 5.2])
    assert comparison is not None
    assert comparison.p is None
    assert comparison.verdict == "too few repetitions to compare"


def test_rank_test_without_ties_is_the_exact_mann_whitney() -> None:
    first, second = [1.0, 2.0, 4.0, 7.0], [3.0, 5.0, 6.0, 8.0, 9.0]
    comparison = compare(first, second)
    assert comparison is not None
    expected = stats.mannwhitneyu(first, second, method="exact").pvalue
    assert comparison.p == pytest.approx(float(expected))


def test_ties_are_counted_exactly() -> None:
    comparison = compare([1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0])
    assert comparison is not None
    assert comparison.p == 1.0
    assert comparison.verdict == "no difference shown"


def test_separated_groups_of_four_differ() -> None:
    comparison = compare([1.0, 1.1, 1.2, 1.3], [2.0, 2.2, 2.4, 2.6])
    assert comparison is not None
    assert comparison.p == pytest.approx(2 / 70)
    assert comparison.verdict == "differ"
    assert comparison.ratio.value == pytest.approx(2.0)


def test_smallest_p_of_pairs_is_that_of_all_signs_alike() -> None:
    assert [smallest_paired_p(count) for count in (1, 2, 5, 6)] == [1.0, 0.5, 0.0625, 0.03125]


def test_five_pairs_are_too_few_six_are_not() -> None:
    pairs = [(1.0, 2.0 + step / 10) for step in range(6)]
    few, enough = compare_pairs(pairs[:5]), compare_pairs(pairs)
    assert few is not None and enough is not None
    assert (few.verdict, few.p) == (TOO_FEW, None)
    assert enough.p == pytest.approx(2 / 2**6)
    assert enough.verdict == DIFFER
    assert enough.ratio.value == pytest.approx(2.25)


def test_signed_rank_by_hand() -> None:
    """Ranks 1 to 6, of which 2 is negative: 3 of 64 ways are as far to that side (none, 1 or 2 negative)."""
    steps = [0.1, -0.2, 0.3, 0.4, 0.5, 0.6]
    comparison = compare_pairs([(1.0, 2.718281828459045**step) for step in steps])
    assert comparison is not None
    assert comparison.p == pytest.approx(2 * 3 / 64)
    assert comparison.verdict == NO_DIFFERENCE


@given(st.lists(st.integers(-40, 40).filter(bool), min_size=6, max_size=12, unique_by=abs))
def test_signed_rank_without_ties_is_scipys(steps: list[int]) -> None:
    comparison = compare_pairs([(1.0, 1.1**step) for step in steps])
    assert comparison is not None and comparison.p is not None
    expected = stats.wilcoxon([float(step) for step in steps], method="exact").pvalue
    assert comparison.p == pytest.approx(float(expected), abs=1e-9)


def test_signed_rank_with_ties_counts_midranks() -> None:
    """Five alike up and one alike down: each rank is 3.5, p is that of the sign test, 2 (1 + 6) / 64."""
    comparison = compare_pairs([(1.0, 2.0)] * 5 + [(2.0, 1.0)])
    assert comparison is not None
    assert comparison.p == pytest.approx(14 / 64)


def test_many_pairs_take_the_normal_approximation() -> None:
    steps = [(-1) ** number * number / 1000 + 0.02 for number in range(1, 202)]
    comparison = compare_pairs([(1.0, 2.718281828459045**step) for step in steps])
    assert comparison is not None and comparison.p is not None
    assert comparison.p == pytest.approx(float(stats.wilcoxon(steps, method="exact").pvalue), rel=0.02)


def test_pairs_without_any_difference() -> None:
    comparison = compare_pairs([(3.0, 3.0)] * 7)
    assert comparison is not None
    assert (comparison.p, comparison.verdict) == (1.0, NO_DIFFERENCE)


def test_pairs_see_through_a_drift_that_hides_the_difference_from_groups() -> None:
    """Each round is slower than the last; within each round the second case takes 2 % more."""
    first = {number: 10.0 + number for number in range(1, 9)}
    second = {number: value * 1.02 for number, value in first.items()}
    paired, groups = compare_rounds(first, second), compare(list(first.values()), list(second.values()))
    assert paired is not None and groups is not None
    assert (paired.test, paired.verdict) == (SIGNED_RANK, DIFFER)
    assert paired.ratio.value == pytest.approx(1.02)
    assert groups.verdict == NO_DIFFERENCE


def test_a_round_that_one_case_lacks_is_no_pair() -> None:
    first = {number: 1.0 + number / 100 for number in range(1, 8)}
    second = {number: 2.0 + number / 100 for number in range(3, 10)}
    comparison = compare_rounds(first, second)
    assert comparison is not None
    assert (comparison.test, comparison.first_count, comparison.verdict) == (RANK_SUM, 7, DIFFER)


def outages(*lost: int) -> list[Interval]:
    return [Interval(count * 0.1, (count + 1) * 0.1) for count in lost]


def test_overlapping_outages_cannot_be_told_apart() -> None:
    """3 and 4 pings lost: 0.3 to 0.4 s and 0.4 to 0.5 s may be the same 0.4 s."""
    comparison = compare_intervals(outages(3, 3, 3, 3), outages(4, 4, 4, 4))
    assert comparison is not None
    assert comparison.verdict == CANNOT_TELL
    assert compare_intervals(outages(3), outages(4)).verdict == CANNOT_TELL  # type: ignore[union-attr]


def test_outages_that_lie_apart_differ_whatever_they_really_were() -> None:
    comparison = compare_intervals(outages(1, 2, 3, 2), outages(9, 8, 7, 9))
    assert comparison is not None
    assert comparison.verdict == DIFFER
    assert comparison.least_p == comparison.greatest_p == pytest.approx(2 / 70)
    assert comparison.first_median == Interval(pytest.approx(0.2), pytest.approx(0.3))
    assert (comparison.ratio.low, comparison.ratio.high) == (
        pytest.approx(8.5 * 0.1 / 0.3),
        pytest.approx(4.75),
    )


def test_outages_apart_but_too_few() -> None:
    comparison = compare_intervals(outages(1, 2, 1), outages(9, 8, 7))
    assert comparison is not None
    assert (comparison.verdict, comparison.least_p) == (TOO_FEW, None)


def test_no_difference_shown_even_at_the_farthest() -> None:
    """The second group's median is longer, but its values lie on both sides of the first's."""
    comparison = compare_intervals(outages(0, 3, 3, 20), outages(0, 0, 7, 7, 30))
    assert comparison is not None
    assert comparison.verdict == NO_DIFFERENCE
    assert comparison.least_p is not None and comparison.least_p > 0.05


def test_the_ratio_to_an_outage_that_may_be_none_has_no_end() -> None:
    comparison = compare_intervals(outages(0, 0, 0, 0), outages(9, 9, 9, 9))
    assert comparison is not None
    assert (comparison.ratio.low, comparison.ratio.high) == (pytest.approx(9), math.inf)
    assert comparison.verdict == DIFFER
