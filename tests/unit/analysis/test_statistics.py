"""Medians and straight lines: against textbook values and the article's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.reference.fits import published_fits
from analysis.reference.published import load_published
from analysis.stats.intervals import (
    LEVEL,
    MINIMUM_COUNT,
    MINIMUM_COUNT_OF_TWO,
    OF_MEDIANS,
    RANGE,
    derive,
    median_estimate,
    share_bounds,
)
from analysis.stats.regression import fit_line

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


def test_a_ratio_takes_seven_values_a_side() -> None:
    """Two ranges of 6 hold at once with 0.969^2 = 0.938, of 7 with 0.984^2 = 0.969."""
    assert MINIMUM_COUNT_OF_TWO == 7
    assert (1 - 2**-5) ** 2 < LEVEL <= (1 - 2**-6) ** 2


def test_no_values_no_median() -> None:
    assert median_estimate([]) is None
    assert median_estimate([float("nan")]) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=30))
def test_interval_lies_within_the_range_and_is_repeatable(values: list[float]) -> None:
    estimate = median_estimate(values)
    assert estimate is not None and estimate.low is not None and estimate.high is not None
    assert estimate.minimum <= estimate.low <= estimate.high <= estimate.maximum
    assert median_estimate(values) == estimate


def ratio(one: float, other: float) -> float:
    return other / one


def test_a_ratio_of_few_values_has_the_range_of_all_choices() -> None:
    derived = derive(ratio, [10.0, 12.0, 11.0], [22.0, 24.0])
    assert derived is not None
    assert derived.value == pytest.approx(23 / 11)
    assert (derived.low, derived.high) == (pytest.approx(22 / 12), pytest.approx(24 / 10))
    assert derived.kind == RANGE


def test_a_ratio_of_single_runs_has_no_bounds() -> None:
    derived = derive(ratio, [10.0], [22.0, 24.0])
    assert derived is not None
    assert (derived.value, derived.low, derived.high, derived.kind) == (pytest.approx(2.3), None, None, None)


def test_no_ratio_to_nothing() -> None:
    assert derive(ratio, [0.0, 0.0], [1.0]) is None
    assert derive(ratio, [], [1.0]) is None


DISTRIBUTIONS = {
    "normal": (lambda generator, shape: generator.normal(10, 1, shape), 10.0),
    "log-normal": (lambda generator, shape: generator.lognormal(0, 1, shape), 1.0),
    "exponential": (lambda generator, shape: generator.exponential(1, shape), np.log(2)),
    "Pareto": (lambda generator, shape: 1 + generator.pareto(1.5, shape), 2 ** (1 / 1.5)),
}


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("count", [6, 7, 10, 20])
def test_a_medians_interval_covers_it_as_often_as_it_says(distribution: str, count: int) -> None:
    """Whatever the distribution: exactly as often as a binomial number says, and 95 % at the least."""
    draw, median = DISTRIBUTIONS[distribution]
    samples = draw(np.random.default_rng(count), (2000, count))
    hits = 0
    for sample in samples:
        estimate = median_estimate(sample.tolist())
        assert estimate is not None and estimate.low is not None and estimate.high is not None
        hits += estimate.low <= median <= estimate.high
    rank = {6: 1, 7: 1, 10: 2, 20: 6}[count]
    exact = 1 - 2 * float(stats.binom.cdf(rank - 1, count, 0.5))
    assert exact >= LEVEL
    assert hits / 2000 == pytest.approx(exact, abs=0.012)


@pytest.mark.parametrize("distribution", ["normal", "log-normal", "exponential", "Pareto"])
@pytest.mark.parametrize("count", [7, 10, 20])
def test_a_ratios_interval_covers_it_at_least_as_often_as_it_says(distribution: str, count: int) -> None:
    draw, _ = DISTRIBUTIONS[distribution]
    generator = np.random.default_rng(count)
    samples = zip(draw(generator, (1000, count)), 1.5 * draw(generator, (1000, count + 3)), strict=True)
    hits = 0
    for first, second in samples:
        derived = derive(ratio, first.tolist(), second.tolist())
        assert derived is not None and derived.kind == OF_MEDIANS
        assert derived.low is not None and derived.high is not None
        hits += derived.low <= 1.5 <= derived.high
    assert hits / 1000 >= LEVEL


def test_a_ratio_of_six_values_a_side_has_a_range() -> None:
    derived = derive(ratio, [1.0, 1.1, 1.2, 1.3, 1.4, 1.5], [2.0, 2.1, 2.2, 2.3, 2.4, 2.5])
    assert derived is not None
    assert (derived.low, derived.high, derived.kind) == (2.0 / 1.5, 2.5, RANGE)


def test_the_bend_of_a_parabola_is_exact() -> None:
    """Over 1 to 3 the slope of x^2 goes from 2 to 6, 4 between: a bend of 1."""
    x = [1.0, 1.5, 2.0, 2.5, 3.0]
    fit = fit_line(x, [value**2 for value in x])
    assert fit is not None and fit.bend is not None
    assert (fit.bend.first_slope, fit.bend.last_slope) == (pytest.approx(2), pytest.approx(6))
    assert fit.bend.value == pytest.approx(1)
    assert fit.bend.bounds.high - fit.bend.bounds.low < 1e-6


def test_no_bend_without_a_point_left_over() -> None:
    fit = fit_line([1.0, 2.0, 3.0], [1.0, 2.0, 2.5])
    assert fit is not None and fit.bend is None


@pytest.mark.parametrize("curvature", [0.0, -0.03])
def test_a_bends_interval_covers_it_as_often_as_it_says(curvature: float) -> None:
    """y = 3 + x + c x^2 over 1 to 8: slopes of 1 + 2c and 1 + 16c, 1 + 9c between."""
    generator = np.random.default_rng(2)
    x = [float(step) for step in range(1, 9)] * 3
    truth = 14 * curvature / (1 + 9 * curvature)
    hits = 0
    for _ in range(600):
        fit = fit_line(x, [3 + value + curvature * value**2 + generator.normal(0, 0.3) for value in x])
        assert fit is not None and fit.bend is not None
        hits += fit.bend.bounds.low <= truth <= fit.bend.bounds.high
    assert 0.93 <= hits / 600 <= 0.97


@pytest.mark.parametrize(("hits", "count"), [(0, 1), (0, 48), (3, 7), (7, 7)])
def test_a_share_has_clopper_and_pearsons_interval(hits: int, count: int) -> None:
    bounds = share_bounds(hits, count)
    side = "two-sided" if 0 < hits < count else "less" if hits == 0 else "greater"
    exact = stats.binomtest(hits, count, alternative=side).proportion_ci(LEVEL, "exact")
    assert (bounds.low, bounds.high) == (pytest.approx(exact.low), pytest.approx(exact.high))


def test_nothing_seen_in_48_runs_is_at_most_one_in_sixteen() -> None:
    assert share_bounds(0, 48).high == pytest.approx(0.0605, abs=1e-4)
