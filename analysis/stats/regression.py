"""Least squares: straight lines with Student's intervals, and fits whose errors are a share of the value."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from analysis.stats.intervals import LEVEL, Bounds, Values


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
    maximum_x: float

    def at(self, x: float) -> float:
        return self.intercept + self.slope * x


def fit_line(x: Sequence[float], y: Sequence[float]) -> LineFit | None:
    """Fit a straight line; None with fewer than three different x (any two points lie on a line)."""
    distinct = len(set(x))
    if distinct < 3:
        return None
    count = len(x)
    fit = scipy.stats.linregress(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    factor = float(scipy.stats.t.ppf((1 + LEVEL) / 2, count - 2))
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
    reach = float(scipy.stats.t.ppf((1 + LEVEL) / 2, count - 3)) * error
    return Bend(
        first_slope=float((b - 2 * c) / half),
        last_slope=float((b + 2 * c) / half),
        value=float(value),
        bounds=Bounds(float(value) - reach, float(value) + reach),
    )


_MOST_TURNS = 100


# A line that falls below 0 has no relative error: this share of the least value stands for it.
_LEAST_SHARE = 1e-3


Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class LeastSquares:
    """y = coefficients . x, with what a prediction's error needs.

    `residual` is a share of the fitted value, `spread` the coefficients' covariance over residual^2,
    `freedom` the loads less the coefficients.
    """

    coefficients: Numbers
    spread: Numbers
    residual: float
    freedom: int

    def at(self, x: Sequence[float]) -> float:
        """The fitted value at x."""
        return float(np.asarray(x, dtype=float) @ self.coefficients)

    def reach(self, x: Sequence[float], observations: int = 1) -> float:
        """How far one further observation at x may lie from the fitted value, at LEVEL; 0: the line."""
        row = np.asarray(x, dtype=float)
        variance = observations * self.at(x) ** 2 + float(row @ self.spread @ row)
        return float(scipy.stats.t.ppf((1 + LEVEL) / 2, self.freedom)) * self.residual * math.sqrt(variance)


def least_squares(x: Numbers, y: Numbers, loads: Sequence[Hashable]) -> LeastSquares | None:
    """Fit with errors that are a share of the fitted value; None if loads are too few or columns alike.

    The equations of a constant coefficient of variation, solved by weights of 1 / fitted^2 in turns
    (McCullagh and Nelder, Generalized Linear Models, 2nd ed. 1989, chapter 8). `loads` names each row's load:
    its rows share one weight, and their mean squared error counts as one observation's, since they err alike.

    Raises:
        ValueError: a y that is not above 0.
    """
    if not (y > 0).all():
        raise ValueError("values above 0 expected")
    width, count = x.shape[1], len(set(loads))
    # Columns are bytes beside ones: of like size, so that the rank is told by what they say.
    scale = np.abs(x).max(axis=0)
    if count <= width or bool(np.any(scale == 0)) or np.linalg.matrix_rank(x / scale) < width:
        return None
    scaled = x / scale
    runs = Counter(loads)
    shares = np.array([1 / runs[load] for load in loads])
    fitted = y
    for _ in range(_MOST_TURNS):
        weights = shares / fitted**2
        inverse = np.linalg.inv(scaled.T @ (scaled * weights[:, None]))
        coefficients = inverse @ scaled.T @ (weights * y)
        before, fitted = fitted, np.maximum(scaled @ coefficients, y.min() * _LEAST_SHARE)
        if np.allclose(fitted, before, rtol=1e-9, atol=0):
            break
    left = (y - scaled @ coefficients) / fitted
    return LeastSquares(
        coefficients=coefficients / scale,
        spread=inverse / np.outer(scale, scale),
        residual=math.sqrt(float(shares @ left**2) / (count - width)),
        freedom=count - width,
    )
