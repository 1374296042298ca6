"""Does a figure rise or fall with something else? Kendall's rank statistics, exact where they are small."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from analysis.stats.intervals import LEVEL, Bounds

_SEED = 2014
_PERMUTATIONS = 1999
# Above these the normal approximation is as good and much faster.
_PERMUTED_LIMIT = 60
_EXACT_PAIRS = 5000
_MOST_PER_GROUP = 300


@dataclass(frozen=True)
class RankCorrelation:
    """Kendall's tau-b of two quantities, with its two-sided p."""

    count: int
    tau: float
    p: float


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> RankCorrelation | None:
    """Kendall's tau-b; p by permutation (seeded) up to 60 points, else by the normal approximation.

    None where either quantity has one value only: then nothing can rise with anything.
    """
    if len(set(x)) < 2 or len(set(y)) < 2:
        return None
    found = scipy.stats.kendalltau(x, y, method="asymptotic")
    tau, p = float(found.statistic), float(found.pvalue)
    if len(x) <= _PERMUTED_LIMIT:
        p = _permuted_p(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    return RankCorrelation(len(x), tau, p)


def smallest_trend_p(groups: Sequence[int]) -> float:
    """The least two-sided p of a trend over groups of these sizes, each at one x: 2 n1! n2! ... / N!"""
    ways = math.lgamma(sum(groups) + 1) - sum(math.lgamma(size + 1) for size in groups)
    return min(1.0, 2 * math.exp(-ways))


def _permuted_p(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Share of shuffles of y (the data as they are among them) whose concordance is as far from none."""
    first, second = np.triu_indices(len(x), 1)
    signs = np.sign(x[second] - x[first])
    generator = np.random.default_rng(_SEED)
    seen = abs(float(signs @ np.sign(y[second] - y[first])))
    as_far = 1
    for _ in range(_PERMUTATIONS):
        shuffled = generator.permutation(y)
        as_far += abs(float(signs @ np.sign(shuffled[second] - shuffled[first]))) >= seen - 1e-9
    return as_far / (1 + _PERMUTATIONS)


@dataclass(frozen=True)
class Drift:
    """A figure's change over time with the case as the season: relative change per second, and its p.

    `p` is None where no order of the runs could have been significant. `bounds` is the slope's interval.
    """

    count: int
    slope_per_second: float
    bounds: Bounds | None
    smallest_p: float
    p: float | None


def drift(groups: Sequence[Sequence[tuple[float, float]]]) -> Drift | None:
    """Seasonal Kendall test and slope of groups of (time, positive value); a group is one case.

    Only runs of one case are held against each other, so cases may differ and come in any order. The test
    sums each group's concordance (Hirsch, Slack, Smith 1982); the slope is the median of log(ratio) / time
    over all pairs within groups, its interval from the same variance (Sen 1968). None without any pair.
    """
    slopes: list[NDArray[np.float64]] = []
    sizes, concordance = [], 0.0
    for group in groups:
        usable = _thinned(sorted((time, value) for time, value in group if value > 0))
        if len(usable) < 2:
            continue
        time = np.asarray([item[0] for item in usable])
        value = np.log([item[1] for item in usable])
        first, second = np.triu_indices(len(usable), 1)
        spans = time[second] - time[first]
        steps = value[second] - value[first]
        sizes.append(len(usable))
        concordance += float(np.sign(steps).sum())
        slopes.append(steps[spans > 0] / spans[spans > 0])
    made = np.sort(np.concatenate(slopes)) if slopes else np.empty(0)
    if len(made) == 0:
        return None
    least = min(1.0, 2 * math.prod(1 / math.factorial(size) for size in sizes))
    deviation = math.sqrt(sum(size * (size - 1) * (2 * size + 5) for size in sizes) / 18)
    reach = float(scipy.stats.norm.ppf((1 + LEVEL) / 2)) * deviation
    low, high = math.floor((len(made) - reach) / 2) - 1, math.ceil((len(made) + reach) / 2)
    return Drift(
        count=sum(sizes),
        slope_per_second=float(np.median(made)),
        bounds=Bounds(float(made[low]), float(made[high])) if low >= 0 and high < len(made) else None,
        smallest_p=least,
        p=None if least > 1 - LEVEL else _concordance_p(sizes, concordance, deviation),
    )


def _thinned(group: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most _MOST_PER_GROUP of them, evenly spread: pairs grow with the square of the runs."""
    if len(group) <= _MOST_PER_GROUP:
        return group
    chosen = np.linspace(0, len(group) - 1, _MOST_PER_GROUP).astype(int)
    return [group[index] for index in chosen.tolist()]


def _concordance_p(sizes: Sequence[int], concordance: float, deviation: float) -> float:
    """Two-sided p of the summed concordance; ties only make it smaller, so they err to the safe side."""
    pairs = sum(size * (size - 1) // 2 for size in sizes)
    if pairs > _EXACT_PAIRS:
        return float(2 * scipy.stats.norm.sf(max(0.0, abs(concordance) - 1) / deviation))
    # Discordant pairs of n values in random order: a sum of uniform 0..0, 0..1, ... 0..n-1.
    chances = np.ones(1)
    for size in sizes:
        for choices in range(2, size + 1):
            chances = np.convolve(chances, np.full(choices, 1 / choices))
    sums = pairs - 2 * np.arange(len(chances))
    return float(min(1.0, chances[np.abs(sums) >= abs(concordance) - 1e-9].sum()))
