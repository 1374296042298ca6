"""The article's lines fitted again, and all fitted lines as one tidy table."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.reference.published import Published
from analysis.stats.regression import LineFit, fit_line
from analysis.study.cases import STRESSED_TABLES, Series
from analysis.study.frames import Row


def published_fits(published: Published, table: str) -> tuple[LineFit | None, LineFit | None]:
    """Time (s) and data (MB) over stressed memory (MB) of table 3 or 4, fitted again; MB as printed."""
    rows = published.stressed[table]
    x = [row.stressed_mb for row in rows]
    return (
        fit_line(x, [row.migration_seconds for row in rows]),
        fit_line(x, [row.transferred_mb for row in rows]),
    )


def fits_rows(series: Sequence[Series], published: Published | None) -> list[Row]:
    """One row per fitted line. Measured: x in bytes, y in seconds or bytes; published: MB as printed."""
    lines: list[tuple[str, str, str, str, str, LineFit | None]] = []
    for line in series:
        lines.append((line.label, line.table, "migration_seconds", "s", "bytes", line.time_fit))
        lines.append((line.label, line.table, "forward_bytes", "bytes", "bytes", line.data_fit))
    for table in STRESSED_TABLES if published else ():
        time_fit, data_fit = published_fits(published, table) if published else (None, None)
        lines.append(("article", table, "migration_time_s", "s", "MB", time_fit))
        lines.append(("article", table, "transferred_mb", "MB", "MB", data_fit))
    return [
        {
            "series": label,
            "table": table,
            "metric": metric,
            "unit_y": unit_y,
            "unit_x": unit_x,
            "points": fit.count,
            "slope": fit.slope,
            "slope_low": fit.slope_bounds.low,
            "slope_high": fit.slope_bounds.high,
            "intercept": fit.intercept,
            "intercept_low": fit.intercept_bounds.low,
            "intercept_high": fit.intercept_bounds.high,
            "r_squared": fit.r_squared,
            "first_slope": fit.bend.first_slope if fit.bend else None,
            "last_slope": fit.bend.last_slope if fit.bend else None,
            "bend": fit.bend.value if fit.bend else None,
            "bend_low": fit.bend.bounds.low if fit.bend else None,
            "bend_high": fit.bend.bounds.high if fit.bend else None,
        }
        for label, table, metric, unit_y, unit_x, fit in lines
        if fit is not None
    ]
