"""Medians with intervals, straight lines with intervals, and an honest word when there is too little data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

LEVEL = 0.95
_RESAMPLES = 9999
_SEED = 2014
# Up to this many ways to deal the values to two groups, the exact test counts them all.
_EXACT_LIMIT = 200_000


@dataclass(frozen=True)
class MedianEstimate:
    """A median with its range and, with enough values, a bootstrap interval at LEVEL."""

    count: int
    median: float
    minimum: float
    maximum: float
    low: float | None
    high: float | None

    @property
    def note(self) -> str | None:
        """Why there is no interval, None if there is one."""
        return (
            None
            if self.low is not None
            else f"n = {self.count}: too few for an interval, {MINIMUM_COUNT} needed"
        )


def minimum_count(level: float = LEVEL) -> int:
    """The least n whose range covers the median with this confidence: 1 - 2^(1-n) >= level.

    No interval made from fewer values can, whatever the method: each value is as likely below the median as
    above it, and all n lie on one side with probability 2^(1-n).
    """
    return math.ceil(1 - math.log2(1 - level))


MINIMUM_COUNT = minimum_count()


def median_estimate(values: Sequence[float]) -> MedianEstimate | None:
    """Median with its percentile bootstrap interval (seeded: the same data give the same interval)."""
    data = np.asarray([value for value in values if math.isfinite(value)], dtype=float)
    if len(data) == 0:
        return None
    low = high = None
    if len(data) >= MINIMUM_COUNT:
        chosen = np.random.default_rng(_SEED).integers(0, len(data), size=(_RESAMPLES, len(data)))
        medians = np.median(data[chosen], axis=1)
        low, high = (float(value) for value in np.quantile(medians, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    return MedianEstimate(len(data), float(np.median(data)), float(data.min()), float(data.max()), low, high)


@dataclass(frozen=True)
class Bounds:
    """A confidence interval at LEVEL."""

    low: float
    high: float


@dataclass(frozen=True)
class LineFit:
    """y = intercept + slope x, by least squares, with Student intervals at LEVEL."""

    count: int
    distinct: int
    slope: float
    slope_bounds: Bounds
    intercept: float
    intercept_bounds: Bounds
    r_squared: float
    minimum_x: float
    maximum_x: float

    def at(self, x: float) -> float:
        return self.intercept + self.slope * x


def fit_line(x: Sequence[float], y: Sequence[float]) -> LineFit | None:
    """Fit a straight line; None with fewer than three different x (any two points lie on a line)."""
    distinct = len(set(x))
    if distinct < 3:
        return None
    count = len(x)
    fit = stats.linregress(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    factor = float(stats.t.ppf((1 + LEVEL) / 2, count - 2))
    slope, intercept = float(fit.slope), float(fit.intercept)
    slope_error, intercept_error = float(fit.stderr), float(fit.intercept_stderr)
    return LineFit(
        count=count,
        distinct=distinct,
        slope=slope,
        slope_bounds=Bounds(slope - factor * slope_error, slope + factor * slope_error),
        intercept=intercept,
        intercept_bounds=Bounds(intercept - factor * intercept_error, intercept + factor * intercept_error),
        r_squared=float(fit.rvalue) ** 2,
        minimum_x=min(x),
        maximum_x=max(x),
    )


@dataclass(frozen=True)
class Comparison:
    """Two groups held against each other; `p` is None when no outcome could have been significant."""

    ratio_of_medians: float
    smallest_p: float
    p: float | None

    @property
    def verdict(self) -> str:
        if self.p is None:
            return "too few repetitions to compare"
        return "differ" if self.p <= 1 - LEVEL else "no difference shown"


def smallest_p(first: int, second: int) -> float:
    """The least two-sided p that a rank test of two groups of these sizes can give: 2 / C(n1+n2, n1)."""
    return min(1.0, 2 / math.comb(first + second, first))


def compare(first: Sequence[float], second: Sequence[float]) -> Comparison | None:
    """Second against first: ratio of medians and the rank-sum test, exact (ties by midranks) if small.

    None if a group is empty or the first median is zero (no ratio).
    """
    if not first or not second or np.median(first) == 0:
        return None
    least = smallest_p(len(first), len(second))
    ratio = float(np.median(second) / np.median(first))
    return Comparison(ratio, least, None if least > 1 - LEVEL else _rank_sum_p(first, second))


def _rank_sum_p(first: Sequence[float], second: Sequence[float]) -> float:
    ranks = stats.rankdata([*first, *second])
    size, total = len(first), len(ranks)
    if math.comb(total, size) > _EXACT_LIMIT:
        return float(stats.mannwhitneyu(first, second, alternative="two-sided", method="asymptotic").pvalue)
    expected = size * (total + 1) / 2
    seen = abs(float(ranks[:size].sum()) - expected)
    sums = np.fromiter((sum(chosen) for chosen in combinations(ranks.tolist(), size)), dtype=float)
    return float(np.mean(np.abs(sums - expected) >= seen - 1e-9))
