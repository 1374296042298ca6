"""Medians, figures made of medians, straight lines: each with its interval, or the word that it has none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]

LEVEL = 0.95
_RESAMPLES = 9999
_SEED = 2014


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
        low, high = _percentiles(_resampled_medians(data, np.random.default_rng(_SEED)))
    return MedianEstimate(len(data), float(np.median(data)), float(data.min()), float(data.max()), low, high)


@dataclass(frozen=True)
class Bounds:
    """A confidence interval at LEVEL."""

    low: float
    high: float


BOOTSTRAP = f"{LEVEL:.0%} bootstrap interval"
RANGE = "range"


@dataclass(frozen=True)
class Derived:
    """A figure made of the medians of several groups, such as their ratio.

    `kind` says what `low` and `high` are: the bootstrap interval; the range of what any choice of one run per
    group gives, where a group has too few values for the former; None where a group has a single value.
    """

    value: float
    low: float | None
    high: float | None
    kind: str | None


def derive(function: Callable[..., Any], *groups: Sequence[float]) -> Derived | None:
    """`function` of the groups' medians, with bounds. It must take arrays and be monotone in each argument.

    None if a group is empty or the result is not finite (a ratio to a median of zero).
    """
    data = [np.asarray(group, dtype=float) for group in groups]
    if any(len(group) == 0 for group in data):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(function(*(np.median(group) for group in data)))
        if not math.isfinite(value):
            return None
        fewest = min(len(group) for group in data)
        if fewest < 2:
            return Derived(value, None, None, None)
        if fewest < MINIMUM_COUNT:
            corners = np.meshgrid(*([group.min(), group.max()] for group in data))
            kind, made = RANGE, np.ravel(function(*corners))
            low, high = float(made.min()), float(made.max())
        else:
            generator = np.random.default_rng(_SEED)
            kind, made = BOOTSTRAP, function(*(_resampled_medians(group, generator) for group in data))
            low, high = _percentiles(made)
    finite = math.isfinite(low) and math.isfinite(high)
    return Derived(value, low, high, kind) if finite else Derived(value, None, None, None)


def _resampled_medians(data: Values, generator: np.random.Generator) -> Values:
    """Medians of _RESAMPLES samples drawn from the data with replacement.

    Drawn without the samples: value floor(U n) of the sorted data, U uniform, is one draw; so a sample's k-th
    smallest is value floor(V n), where V is the k-th smallest of n uniform numbers, which is distributed as
    Beta(k, n - k + 1). Thousands of runs take no longer, and no more memory, than six.
    """
    ordered, count = np.sort(data), len(data)
    below = (count - 1) // 2  # how many lie below the (lower) middle one
    lower = generator.beta(below + 1, count - below, size=_RESAMPLES)
    medians: Values = ordered[_index(lower, count)]
    if count % 2:
        return medians
    # The upper middle one is the least of those above the lower, which are uniform between it and 1.
    upper = lower + (1 - lower) * generator.beta(1, count - below - 1, size=_RESAMPLES)
    return (medians + ordered[_index(upper, count)]) / 2


def _index(place: Values, count: int) -> NDArray[np.int64]:
    return np.minimum((place * count).astype(np.int64), count - 1)


def _percentiles(medians: Values) -> tuple[float, float]:
    low, high = np.quantile(medians, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class LineFit:
    """y = intercept + slope x, by least squares, with Student intervals at LEVEL.

    `reach` is how far one observation may lie from the line at LEVEL, the line taken as known.
    """

    count: int
    distinct: int
    slope: float
    slope_bounds: Bounds
    intercept: float
    intercept_bounds: Bounds
    r_squared: float
    reach: float
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
    left = np.asarray(y, dtype=float) - (intercept + slope * np.asarray(x, dtype=float))
    slope_error, intercept_error = float(fit.stderr), float(fit.intercept_stderr)
    return LineFit(
        count=count,
        distinct=distinct,
        slope=slope,
        slope_bounds=Bounds(slope - factor * slope_error, slope + factor * slope_error),
        intercept=intercept,
        intercept_bounds=Bounds(intercept - factor * intercept_error, intercept + factor * intercept_error),
        r_squared=float(fit.rvalue) ** 2,
        reach=factor * math.sqrt(float(left @ left) / (count - 2)),
        minimum_x=min(x),
        maximum_x=max(x),
    )
