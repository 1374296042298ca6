"""Trends: by hand where the counts are small, against scipy where they are not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.stats.trend import drift, rank_correlation, smallest_trend_p


def test_rank_correlation_of_five_rising_values_is_exact_within_the_shuffles() -> None:
    """All 5! orders are as likely, two of them are monotone."""
    found = rank_correlation([1, 2, 3, 4, 5], [10, 11, 14, 15, 19])
    assert found is not None
    assert found.tau == pytest.approx(1.0)
    assert found.p == pytest.approx(2 / 120, abs=0.008)


def test_smallest_p_of_a_trend_counts_the_ways_to_deal_runs_to_loads() -> None:
    """Two loads of two runs: 4! / (2! 2!) = 6 ways, two of them extreme; one load has one way."""
    assert smallest_trend_p([2, 2]) == pytest.approx(2 / 6)
    assert smallest_trend_p([2, 2, 2]) == pytest.approx(2 / 90)
    assert smallest_trend_p([9]) == 1.0


def test_nothing_rises_with_a_constant() -> None:
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
    assert rank_correlation([1, 2, 3], [0, 0, 0]) is None


def test_rank_correlation_of_many_is_scipys() -> None:
    generator = np.random.default_rng(3)
    x = generator.normal(size=100)
    y = x + generator.normal(size=100)
    found, expected = rank_correlation(x.tolist(), y.tolist()), stats.kendalltau(x, y)
    assert found is not None
    assert (found.tau, found.p) == (
        pytest.approx(expected.statistic),
        pytest.approx(expected.pvalue, rel=0.1),
    )


def test_permutation_and_asymptotic_agree_with_ties() -> None:
    generator = np.random.default_rng(4)
    x = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], 10)
    y = x * 0.3 + generator.normal(size=50)
    found, expected = rank_correlation(x.tolist(), y.tolist()), stats.kendalltau(x, y, method="asymptotic")
    assert found is not None
    assert found.p == pytest.approx(float(expected.pvalue), abs=0.01)


def test_drift_of_one_group_is_kendalls_test_and_the_median_slope() -> None:
    """Values that double every 100 s, but for one exchange: S = 13 - 2 = 11 of 15 pairs."""
    values = [1.0, 2.0, 8.0, 4.0, 16.0, 32.0]
    found = drift([[(100.0 * index, value) for index, value in enumerate(values)]])
    assert found is not None
    expected = stats.kendalltau(range(6), values, method="exact")
    assert found.p == pytest.approx(float(expected.pvalue))
    assert found.slope_per_second == pytest.approx(math.log(2) / 100)


def test_five_cases_of_two_runs_are_too_few_six_are_not() -> None:
    """Each case has two orders: all of them the same way has p = 2 / 2^n."""
    case = [(0.0, 10.0), (60.0, 10.6)]
    few, enough = drift([case] * 5), drift([case] * 6)
    assert few is not None and enough is not None
    assert (few.p, few.smallest_p) == (None, pytest.approx(2 / 32))
    assert enough.p == pytest.approx(2 / 64)
    assert enough.slope_per_second == pytest.approx(math.log(1.06) / 60)


def test_cases_of_other_size_make_no_drift() -> None:
    """Heavy cases come last here, yet no case changes."""
    groups = [
        [(index * 1000.0 + step, size * (1 + 0.001 * wobble)) for step, wobble in enumerate((1, 3, 0, 2))]
        for index, size in enumerate((1.0, 10.0, 100.0))
    ]
    found = drift(groups)
    assert found is not None and found.p is not None
    assert found.p > 0.5


def test_interval_of_a_drift_covers_it_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    hits = significant = 0
    for _ in range(200):
        groups = []
        for case in range(8):
            times = [600.0 * step + 40 * case for step in range(5)]
            groups.append([(time, 10 * math.exp(1e-5 * time + generator.normal(0, 0.01))) for time in times])
        found = drift(groups)
        assert found is not None and found.bounds is not None and found.p is not None
        hits += found.bounds.low <= 1e-5 <= found.bounds.high
        significant += found.p <= 0.05
    assert 0.90 <= hits / 200 <= 0.99
    assert significant / 200 > 0.8


def test_thousands_of_runs_are_thinned_not_multiplied() -> None:
    generator = np.random.default_rng(6)
    group = [
        (float(index), 10 * math.exp(1e-5 * index + generator.normal(0, 0.01))) for index in range(20_000)
    ]
    found = drift([group])
    assert found is not None and found.p is not None
    assert (found.count, found.p < 0.001) == (300, True)
    assert found.slope_per_second == pytest.approx(1e-5, rel=0.1)


def test_nothing_to_drift() -> None:
    assert drift([]) is None
    assert drift([[(0.0, 1.0)], [(1.0, 2.0)]]) is None
