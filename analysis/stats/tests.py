"""Two groups of runs held against each other, and an honest word where that cannot tell anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy

from analysis.stats.intervals import LEVEL, Derived, Interval, derive, interval_median

TOO_FEW = "too few repetitions to compare"
DIFFER = "differ"
NO_DIFFERENCE = "no difference shown"
CANNOT_TELL = "cannot tell"

RANK_SUM = "rank sum"
SIGNED_RANK = "signed rank, paired by round"
# Up to this many ways to deal the values to two groups, the exact test counts them all.
_EXACT_LIMIT = 200_000
_EXACT_PAIRS = 200
_ALPHA = 1 - LEVEL


@dataclass(frozen=True)
class Comparison:
    """Second group against first. `p` is None when no outcome could have been significant.

    `ratio` is that of the medians, or of a paired comparison the median of the rounds' ratios.
    """

    first_count: int
    second_count: int
    ratio: Derived
    test: str
    smallest_p: float
    p: float | None

    @property
    def verdict(self) -> str:
        if self.p is None:
            return TOO_FEW
        return DIFFER if self.p <= _ALPHA else NO_DIFFERENCE


def smallest_p(first: int, second: int) -> float:
    """The least two-sided p that a rank test of two groups of these sizes can give: 2 / C(n1+n2, n1)."""
    return min(1.0, 2 / math.comb(first + second, first))


def smallest_paired_p(pairs: int) -> float:
    """The least two-sided p that a sign or signed-rank test of n pairs can give: 2^(1-n)."""
    return min(1.0, 2.0 ** (1 - pairs))


def compare(first: Sequence[float], second: Sequence[float]) -> Comparison | None:
    """Mann-Whitney's rank-sum test, exact (ties by midranks) if small, with the ratio of medians.

    The ratio to a median of zero is infinite. None if a group is empty or both medians are zero (no ratio).
    """
    ratio = derive(lambda one, other: other / one, first, second) or _ratio_to_zero(first, second)
    if ratio is None:
        return None
    least = smallest_p(len(first), len(second))
    p = None if least > _ALPHA else _rank_sum_p(first, second)
    return Comparison(len(first), len(second), ratio, RANK_SUM, least, p)


def _ratio_to_zero(first: Sequence[float], second: Sequence[float]) -> Derived | None:
    """From the ratio the other way round, which is zero: infinite, with its lower bound if that is known."""
    inverse = derive(lambda one, other: one / other, first, second)
    if inverse is None:
        return None
    low = None if inverse.high is None else _quotient(1, inverse.high)
    return Derived(math.inf, low, None if low is None else math.inf, inverse.kind)


def compare_pairs(pairs: Sequence[tuple[float, float]]) -> Comparison | None:
    """Wilcoxon's signed-rank test of the pairs' log ratios, exact with midranks.

    Pairs without a difference are dropped from the ranks. None without a pair, or if a value is not positive.
    """
    if not pairs or any(value <= 0 for pair in pairs for value in pair):
        return None
    ratios = [second / first for first, second in pairs]
    ratio = derive(lambda one: one, ratios)
    assert ratio is not None  # ratios of positive numbers
    least = smallest_paired_p(len(pairs))
    p = None if least > _ALPHA else _signed_rank_p(np.log(ratios).tolist())
    return Comparison(len(pairs), len(pairs), ratio, SIGNED_RANK, least, p)


def compare_rounds(first: Mapping[int, float], second: Mapping[int, float]) -> Comparison | None:
    """Compare two cases of one study; keys are the rounds (repetitions).

    A study runs round by round, each round every case once in a shuffled order: runs of one round met the
    same machine, so pairs by round are free of its drift. They are used where there are enough of them for
    the signed-rank test to show anything (six), else the rank-sum test; the choice looks at counts only.
    """
    rounds = sorted(first.keys() & second.keys())
    if smallest_paired_p(len(rounds)) <= _ALPHA:
        paired = compare_pairs([(first[number], second[number]) for number in rounds])
        if paired is not None:
            return paired
    return compare(list(first.values()), list(second.values()))


@dataclass(frozen=True)
class IntervalComparison:
    """Second group against first where each value is known only to lie in an interval (ping outages).

    `ratio` is the interval that the ratio of medians lies in, without end if the first may be zero. `least_p`
    and `greatest_p` are the p that the most and the least favourable values inside the intervals give.
    """

    first_count: int
    second_count: int
    first_median: Interval
    second_median: Interval
    ratio: Interval
    smallest_p: float
    least_p: float | None
    greatest_p: float | None
    verdict: str


def compare_intervals(first: Sequence[Interval], second: Sequence[Interval]) -> IntervalComparison | None:
    """Rank-sum test over everything that the true values may be; None if a group is empty.

    Where the two medians' intervals overlap nobody can tell which is longer. Else the rank sum, which is
    monotone in each value, is taken with the groups as near to and as far from each other as their intervals
    allow: they differ if even the nearest do, and no difference is shown if not even the farthest do.
    """
    middle, other = interval_median(first), interval_median(second)
    if middle is None or other is None:
        return None
    least = smallest_p(len(first), len(second))
    smaller, greater = (first, second) if middle.low < other.low else (second, first)
    near = [value.high for value in smaller], [value.low for value in greater]
    far = [value.low for value in smaller], [value.high for value in greater]
    ps = None if least > _ALPHA else (_rank_sum_p(*far), _rank_sum_p(*near))
    if middle.low <= other.high and other.low <= middle.high:
        verdict = CANNOT_TELL
    elif ps is None:
        verdict = TOO_FEW
    elif ps[1] <= _ALPHA:
        verdict = DIFFER
    else:
        verdict = NO_DIFFERENCE if ps[0] > _ALPHA else CANNOT_TELL
    return IntervalComparison(
        first_count=len(first),
        second_count=len(second),
        first_median=middle,
        second_median=other,
        ratio=Interval(_quotient(other.low, middle.high), _quotient(other.high, middle.low)),
        smallest_p=least,
        least_p=ps[0] if ps else None,
        greatest_p=ps[1] if ps else None,
        verdict=verdict,
    )


def _quotient(value: float, divisor: float) -> float:
    return value / divisor if divisor > 0 else math.inf


def _rank_sum_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p over all ways to deal the midranks to the groups.

    Not by scipy: its exact method ranks as if there were no ties, and its default is the normal approximation
    then. Of 1, 2, 2, 3, 3 against 2, 3, 3, 4, 4 they give 0.151 and 0.125, the exact p is 0.190.
    """
    ranks = scipy.stats.rankdata([*first, *second])
    size, total = len(first), len(ranks)
    if math.comb(total, size) > _EXACT_LIMIT:
        return float(
            scipy.stats.mannwhitneyu(first, second, alternative="two-sided", method="asymptotic").pvalue
        )
    expected = size * (total + 1) / 2
    seen = abs(float(ranks[:size].sum()) - expected)
    sums = np.fromiter((sum(chosen) for chosen in combinations(ranks.tolist(), size)), dtype=float)
    return float(np.mean(np.abs(sums - expected) >= seen - 1e-9))


def _signed_rank_p(differences: Sequence[float]) -> float:
    """Two-sided p of scipy's test; differences of zero say nothing.

    Exact without ties, and with ties up to 13 pairs (over all 2^n ways to give the midranks a sign); else the
    normal approximation.
    """
    kept = np.round(np.asarray(differences), 12)
    kept = kept[kept != 0]
    if not len(kept):
        return 1.0
    whole = len(np.unique(np.abs(kept))) == len(kept) <= _EXACT_PAIRS
    return float(scipy.stats.wilcoxon(kept, method="exact" if whole else "auto").pvalue)
