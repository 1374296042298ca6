"""Medians, and figures made of medians: each with its interval, or the word that it has none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

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
    return int(scipy.stats.binom.ppf((1 - level) / 2, count, 0.5))


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
    low = float(scipy.stats.beta.ppf(tail, hits, count - hits + 1)) if hits else 0.0
    high = float(scipy.stats.beta.ppf(1 - tail, hits + 1, count - hits)) if hits < count else 1.0
    return Bounds(low, high)


def most_unseen(count: int) -> str:
    """How often what was not seen in so many runs comes at the most, in per cent, rounded up."""
    return f"{math.ceil(share_bounds(0, count).high * 1000) / 10:g}%"


@dataclass(frozen=True)
class Interval:
    """A length of time known only to lie between two bounds, in seconds."""

    low: float
    high: float


def interval_median(values: Sequence[Interval]) -> Interval | None:
    """Where the median of interval-valued data lies: between the median of lower and that of upper bounds."""
    if not values:
        return None
    return Interval(
        float(np.median([value.low for value in values])), float(np.median([value.high for value in values]))
    )
