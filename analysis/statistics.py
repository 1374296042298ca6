"""Medians, figures made of medians, straight lines: each with its interval, or the word that it has none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]

LEVEL = 0.95


@dataclass(frozen=True)
class MedianEstimate:
    """A median with its range and, with enough values, its interval at LEVEL."""

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


def minimum_count(groups: int = 1, level: float = LEVEL) -> int:
    """The least n for an interval of one median, or of a figure made of several groups' medians.

    The range of n values covers their median with probability 1 - 2^(1-n): each value is as likely below the
    median as above it, and all n lie on one side with probability 2^(1-n). No interval made from fewer values
    can cover it more often, whatever the method. All of several groups' must: level^(1/groups) each.
    """
    return math.ceil(1 - math.log2(1 - level ** (1 / groups)))


MINIMUM_COUNT = minimum_count()
# On each side, for a ratio of two medians.
MINIMUM_COUNT_OF_TWO = minimum_count(2)


def median_estimate(values: Sequence[float]) -> MedianEstimate | None:
    """Median with its interval from order statistics; None without a finite value."""
    data = np.sort(np.asarray([value for value in values if math.isfinite(value)], dtype=float))
    if len(data) == 0:
        return None
    low = high = None
    if len(data) >= MINIMUM_COUNT:
        low, high = _median_interval(data, LEVEL)
    return MedianEstimate(len(data), float(np.median(data)), float(data[0]), float(data[-1]), low, high)


def _median_interval(ordered: Values, level: float) -> tuple[float, float]:
    """From the k-th smallest to the k-th largest value: covers the median at least as often as `level` says.

    Holds for any distribution, however skewed: of n values a binomial number (n, 1/2) lies below the median.
    The inverse of the sign test (Conover, Practical Nonparametric Statistics, 3rd ed. 1999, section 3.2).
    """
    rank = _interval_rank(len(ordered), level)
    return float(ordered[rank - 1]), float(ordered[-rank])


@cache
def _interval_rank(count: int, level: float) -> int:
    """The largest k with P(fewer than k of n below the median) <= (1 - level) / 2."""
    return int(stats.binom.ppf((1 - level) / 2, count, 0.5))


@dataclass(frozen=True)
class Bounds:
    """A confidence interval at LEVEL."""

    low: float
    high: float


OF_MEDIANS = f"{LEVEL:.0%} interval of the medians"
RANGE = "range"


@dataclass(frozen=True)
class Derived:
    """A figure made of the medians of several groups, such as their ratio.

    `kind` says what `low` and `high` are: an interval at LEVEL; the range of what any choice of one run per
    group gives, where a group has too few values for the former; None where a group has a single value.
    """

    value: float
    low: float | None
    high: float | None
    kind: str | None


def derive(function: Callable[..., Any], *groups: Sequence[float]) -> Derived | None:
    """`function` of the groups' medians, with bounds. It must take arrays and be monotone in each argument.

    The interval is what the function makes of the medians' own intervals, each at LEVEL^(1/groups): all hold
    at once with LEVEL (the groups are independent), so it covers the truth at least as often.

    None if a group is empty or the result is not finite (a ratio to a median of zero).
    """
    data = [np.sort(np.asarray(group, dtype=float)) for group in groups]
    if any(len(group) == 0 for group in data):
        return None
    fewest = min(len(group) for group in data)
    if fewest >= minimum_count(len(data)):
        kind, bounds = OF_MEDIANS, [_median_interval(group, LEVEL ** (1 / len(data))) for group in data]
    else:
        kind, bounds = RANGE, [(float(group[0]), float(group[-1])) for group in data]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(function(*(np.median(group) for group in data)))
        corners = np.ravel(function(*np.meshgrid(*bounds)))
    if not math.isfinite(value):
        return None
    if fewest < 2 or not np.isfinite(corners).all():
        return Derived(value, None, None, None)
    return Derived(value, float(corners.min()), float(corners.max()), kind)


def share_bounds(hits: int, count: int) -> Bounds:
    """Clopper and Pearson's exact interval at LEVEL of a share, one-sided where it was seen never or always.

    Never in n runs: at most 1 - 5 %^(1/n) (about 3 / n, the rule of three). `count` is above 0.
    """
    tail = (1 - LEVEL) / (1 if hits in (0, count) else 2)
    low = float(stats.beta.ppf(tail, hits, count - hits + 1)) if hits else 0.0
    high = float(stats.beta.ppf(1 - tail, hits + 1, count - hits)) if hits < count else 1.0
    return Bounds(low, high)


def most_unseen(count: int) -> str:
    """How often what was not seen in so many runs comes at the most, in per cent, rounded up."""
    return f"{math.ceil(share_bounds(0, count).high * 1000) / 10:g}%"


@dataclass(frozen=True)
class Bend:
    """How far the slope of a parabola through the same points changes from the least to the greatest x.

    `value` is (last slope - first slope) / slope between: 0 of a straight line, -0.7 of x^0.6 from 1 to 8.
    """

    first_slope: float
    last_slope: float
    value: float
    bounds: Bounds


@dataclass(frozen=True)
class LineFit:
    """y = intercept + slope x, by least squares, with Student intervals at LEVEL.

    `bend` is None without a point left over for its error. `reach` is how far one observation may lie from
    the line at LEVEL, the line taken as known.
    """

    count: int
    distinct: int
    slope: float
    slope_bounds: Bounds
    intercept: float
    intercept_bounds: Bounds
    r_squared: float
    bend: Bend | None
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
        bend=_fit_bend(np.asarray(x, dtype=float), np.asarray(y, dtype=float)),
        reach=factor * math.sqrt(float(left @ left) / (count - 2)),
        minimum_x=min(x),
        maximum_x=max(x),
    )


def _fit_bend(x: Values, y: Values) -> Bend | None:
    """Quadratic regression over x from -1 to 1 (Draper and Smith, Applied Regression Analysis, 3rd ed. 1998).

    With y = a + b x + c x^2 the slopes at the ends are b - 2c and b + 2c, b the slope between them. The
    interval of 4c / b is Student's, by the delta method. None if nothing is left for the error, or b is 0.
    """
    count, middle, half = len(x), (x.max() + x.min()) / 2, (x.max() - x.min()) / 2
    placed = (x - middle) / half
    columns = np.column_stack([np.ones(count), placed, placed**2])
    inverse = np.linalg.pinv(columns.T @ columns)
    coefficients = inverse @ columns.T @ y
    _, b, c = coefficients.tolist()
    if count < 4 or b == 0:
        return None
    left = y - columns @ coefficients
    value = 4 * c / b
    gradient = np.array([0.0, -value / b, 4 / b])
    error = math.sqrt(float(left @ left) / (count - 3) * float(gradient @ inverse @ gradient))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, count - 3)) * error
    return Bend(
        first_slope=float((b - 2 * c) / half),
        last_slope=float((b + 2 * c) / half),
        value=float(value),
        bounds=Bounds(float(value) - reach, float(value) + reach),
    )
