"""Medians, straight lines, comparisons: against textbook values and the article's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.published_data import load_published
from analysis.statistics import MINIMUM_COUNT, compare, fit_line, median_estimate, smallest_p
from analysis.tables import published_fits

PUBLISHED = load_published("icclab-2014")


def test_table_3_as_published() -> None:
    """11.9 s + 17.9 ms per MB, 690 MB + 1.95 MB per MB."""
    time, data = published_fits(PUBLISHED, "table3")
    assert time is not None and data is not None
    assert time.intercept == pytest.approx(11.9, abs=0.05)
    assert time.slope * 1000 == pytest.approx(17.9, abs=0.05)
    assert data.intercept == pytest.approx(690, abs=1)
    assert data.slope == pytest.approx(1.95, abs=0.005)
    assert time.slope_bounds.low < time.slope < time.slope_bounds.high
    assert data.slope / time.slope == pytest.approx(108.5, abs=1)


def test_table_4_as_published() -> None:
    """13.8 s + 17.4 ms per MB, 909 MB + 1.89 MB per MB."""
    time, data = published_fits(PUBLISHED, "table4")
    assert time is not None and data is not None
    assert time.intercept == pytest.approx(13.8, abs=0.05)
    assert time.slope * 1000 == pytest.approx(17.4, abs=0.06)
    assert data.intercept == pytest.approx(909, abs=1)
    assert data.slope == pytest.approx(1.89, abs=0.005)


def test_published_numbers_have_identifiers() -> None:
    assert PUBLISHED.numbers["table2.xl.migration_time_s"] == 11.3
    assert PUBLISHED.numbers["table3.1024.transferred_mb"] == 2649
    assert len(PUBLISHED.numbers) == 4 * 2 + 4 * 3 + 8 * 2 + 8 * 2


def test_line_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    x = [256.0, 512.0, 1024.0] * 2
    hits = 0
    for _ in range(400):
        fit = fit_line(x, [3 + 0.02 * value + generator.normal(0, 0.3) for value in x])
        assert fit is not None
        hits += fit.slope_bounds.low <= 0.02 <= fit.slope_bounds.high
    assert 0.92 <= hits / 400 <= 0.98


def test_no_line_through_two_steps() -> None:
    assert fit_line([1, 1, 2, 2], [1, 2, 3, 4]) is None


def test_median_of_few_has_a_range_and_no_interval() -> None:
    estimate = median_estimate([3.0, 1.0, 2.0])
    assert estimate is not None
    assert (estimate.median, estimate.minimum, estimate.maximum) == (2.0, 1.0, 3.0)
    assert estimate.low is None
    assert estimate.note == "n = 3: too few for an interval, 6 needed"


def test_six_values_are_the_least_for_95_percent() -> None:
    assert MINIMUM_COUNT == 6


def test_no_values_no_median() -> None:
    assert median_estimate([]) is None
    assert median_estimate([float("nan")]) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=30))
def test_bootstrap_interval_lies_within_the_range_and_is_repeatable(values: list[float]) -> None:
    estimate = median_estimate(values)
    assert estimate is not None and estimate.low is not None and estimate.high is not None
    assert estimate.minimum <= estimate.low <= estimate.high <= estimate.maximum
    assert median_estimate(values) == estimate


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
    assert comparison.ratio_of_medians == pytest.approx(2.0)
