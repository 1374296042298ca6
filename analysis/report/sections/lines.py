"""Slope, intercept, and the bound 2 x RAM / throughput."""

from __future__ import annotations

from functools import partial

from analysis import plots
from analysis.evidence.units import GB, MB, MIB
from analysis.plots.bound import published_bound
from analysis.reference.fits import published_fits
from analysis.reference.published import Published
from analysis.report.blocks import Block, Cell, Column, Section, Table, folded_if_long, label
from analysis.report.cells import RUNS_COLUMN, case_cell, measured_runs, missing
from analysis.report.context import Context
from analysis.report.formats import bounds_text
from analysis.report.words import words
from analysis.run.formatter import EMPTY, significant
from analysis.stats.regression import LineFit
from analysis.study.cases import Series


def section(context: Context) -> Section | None:
    """None if no run has metrics."""
    bound = bound_table(context)
    if not bound.rows:
        return None
    runs = [run for run in context.analysis.results.runs if run.metrics and run.excluded_because is None]
    picture = context.picture(
        "bound-picture",
        "Every run against the link",
        words("lines.picture"),
        partial(plots.bound_plot, context.analysis.published, runs),
        runs,
    )
    fits = fits_table(context)
    blocks: list[Block] = [fits] if fits.rows else []
    return Section(
        "lines",
        "Slope, intercept and the bound 2 x RAM / throughput",
        "Slope and bound",
        [*blocks, picture, folded_if_long(bound)],
    )


def fits_table(context: Context) -> Table:
    """Slope and intercept of time and data against stressed memory."""
    analysis = context.analysis
    rows: list[list[Cell]] = []
    for table in ("table3", "table4"):
        if analysis.published:
            rows += _published_rows(analysis.published, table)
        rows += [_series_row(context, series) for series in analysis.series if series.table == table]
    return Table(
        "fits",
        "Time and data as straight lines of the stressed memory",
        (
            label("series"),
            Column("time at 0", "s"),
            Column("time per stressed memory", "ms/MiB"),
            Column("data at 0", "MB = 10⁶ B"),
            Column("data per stressed memory", "bytes per byte"),
            Column("marginal rate", "Mbit/s"),
            Column("bend", "time / data"),
            Column("R²", "time / data"),
            Column("points"),
            RUNS_COLUMN,
        ),
        rows,
        words("lines.fits"),
    )


def bound_table(context: Context) -> Table:
    """What was used of the bound 2 x RAM and 2 x RAM / throughput."""
    analysis = context.analysis
    rows: list[list[Cell]] = []
    if analysis.published:
        rows += _published_bound_rows(analysis.published)
    for case in analysis.cases:
        runs = measured_runs(case)
        measured = [run.metrics for run in runs if run.metrics]
        if not measured:
            continue
        data = max(item.forward_bytes for item in measured)
        seconds = max(item.migration_seconds for item in measured)
        prefix = "" if case.counted else "> "
        cells = _bound_cells(data, measured[0].bound_bytes, seconds, measured[0].bound_seconds, prefix)
        rows.append([case_cell(case), *cells, context.runs_cell(runs)])
    return Table(
        "bound",
        "The bound: 2 x RAM, and 2 x RAM / throughput",
        (
            label("case"),
            Column("bound", "GB = 10⁹ B"),
            Column("most transferred", "GB"),
            Column("used of it"),
            Column("bound", "s"),
            Column("longest", "s"),
            Column("used of it"),
            RUNS_COLUMN,
        ),
        rows,
        words("lines.bound"),
    )


def _published_rows(published: Published, table: str) -> list[list[Cell]]:
    time_fit, data_fit = published_fits(published, table)
    if time_fit is None or data_fit is None:
        return []
    name = f"article, table {table.removeprefix('table')}"
    return [
        [*_fit_cells(Cell(name, reading), time_fit, data_fit, 1.0, unit_bytes), missing("published")]
        for reading, unit_bytes in (
            ("transferred MB read as MiB", MIB),
            ("transferred MB read as 10⁶ B", MB),
        )
    ]


def _series_row(context: Context, series: Series) -> list[Cell]:
    name = f"measured, table {series.table.removeprefix('table')}"
    runs = context.runs_cell(run for case in series.cases for run in case.counted)
    if series.time_fit is None or series.data_fit is None:
        reason = f"{series.label}: fewer than three steps with counted runs, no line can be fitted"
        return [Cell(name, reason), *(missing() for _ in range(8)), runs]
    return [*_fit_cells(Cell(name, series.label), series.time_fit, series.data_fit, 1 / MIB, 1.0), runs]


def _fit_cells(name: Cell, time: LineFit, data: LineFit, x_mib: float, y_bytes: float) -> list[Cell]:
    """`x_mib`: MiB per unit of x; `y_bytes`: bytes per unit of the data's y."""
    slope = y_bytes / (x_mib * MIB)
    marginal = data.slope * y_bytes * 8 / time.slope / 1e6 if time.slope else float("nan")
    return [
        name,
        Cell(significant(time.intercept), bounds_text(time.intercept_bounds)),
        Cell(significant(time.slope * 1000 / x_mib), bounds_text(time.slope_bounds, 1000 / x_mib)),
        Cell(significant(data.intercept * y_bytes / MB), bounds_text(data.intercept_bounds, y_bytes / MB)),
        Cell(significant(data.slope * slope), bounds_text(data.slope_bounds, slope)),
        Cell(significant(marginal)),
        Cell(_bend(time), _bend(data)),
        Cell(f"{time.r_squared:.4f}", f"{data.r_squared:.4f}"),
        Cell(str(time.count), f"{time.distinct} steps"),
    ]


def _bend(fit: LineFit) -> str:
    """With its interval, in percent."""
    if fit.bend is None:
        return EMPTY
    low, high = fit.bend.bounds.low, fit.bend.bounds.high
    return f"{fit.bend.value:+.0%} ({low:+.0%} to {high:+.0%})"


def _published_bound_rows(published: Published) -> list[list[Cell]]:
    bound_bytes, bound_seconds = published_bound(published, published.stressed_flavor)
    rows = []
    for table, steps in published.stressed.items():
        last = steps[-1]
        name = Cell(
            f"article, table {table.removeprefix('table')}",
            f"{last.stressed_mb:,.0f} MB stressed, MB = 2²⁰ B",
        )
        cells = _bound_cells(last.transferred_mb * MIB, bound_bytes, last.migration_seconds, bound_seconds)
        rows.append([name, *cells, missing("published")])
    return rows


def _bound_cells(
    data: float, bound: float, seconds: float, bound_seconds: float, prefix: str = ""
) -> list[Cell]:
    return [
        Cell(significant(bound / GB)),
        Cell(prefix + significant(data / GB)),
        Cell(f"{data / bound:.0%}", share=data / bound),
        Cell(significant(bound_seconds)),
        Cell(prefix + significant(seconds)),
        Cell(f"{seconds / bound_seconds:.0%}", share=seconds / bound_seconds),
    ]
