"""Tables 2 to 4, fitted lines, the bound and the modes: published and measured side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.comparison import compare_rounds
from analysis.published_data import Published, Stressed
from analysis.report.cells import Cell, Column, Table, case_anchor, estimate_cell, label, missing, outage_cell
from analysis.report.formats import EMPTY, as_printed, bit_rate, bounds_text, significant
from analysis.statistics import LineFit
from analysis.study import Analysis
from analysis.tables import CaseSummary, Series, published_fits
from analysis.units import GB, GIB, MB, MIB

_TIME = (Column("time, article", "s"), Column("time, measured", "s"))
_DATA = (
    Column("data, article", "MB"),
    Column("data, measured", "MB = 10⁶ B"),
    Column("the same", "MiB = 2²⁰ B"),
)
_OUTAGE = (Column("ping outage, measured", "s"), Column("downtime (hypervisor)", "ms"))


def table_2(analysis: Analysis) -> Table:
    """Unloaded guests by flavor."""
    published = {row.flavor: row for row in analysis.published.unloaded} if analysis.published else {}
    cases = [case for case in analysis.cases if case.spec.table == "table2"]
    rows = []
    for flavor in list(dict.fromkeys([*published, *(case.spec.flavor for case in cases)])):
        row = published.get(flavor)
        for case in _or_none([case for case in cases if case.spec.flavor == flavor]):
            time, data, outage, downtime = _measured(case)
            rows.append(
                [
                    Cell(flavor, _load_note(case)),
                    _article(row.migration_seconds if row else None),
                    time,
                    _article(row.transferred_mb if row else None),
                    *data,
                    _article(row.outage_seconds if row else None),
                    outage,
                    downtime,
                ]
            )
    return Table(
        "table-2",
        "Table 2: unloaded guests, hybrid",
        (label("flavor"), *_TIME, *_DATA, Column("outage, article", "s"), *_OUTAGE),
        rows,
        "The article's downtime is counted in lost pings: it stands beside the measured ping outage.",
    )


def stressed_table(analysis: Analysis, table: str) -> Table:
    """Table 3 or 4: guests with growing stressed memory."""
    published = {row.stressed_mb: row for row in _published_rows(analysis.published, table)}
    cases = [case for case in analysis.cases if case.spec.table == table]
    rows = []
    for step in sorted({*published, *(case.spec.stressed_bytes / MIB for case in cases)}):
        row = published.get(step)
        for case in _or_none([case for case in cases if case.spec.stressed_bytes / MIB == step]):
            time, data, outage, downtime = _measured(case)
            rows.append(
                [
                    Cell(f"{step:,.0f}", _load_note(case)),
                    _article(row.migration_seconds if row else None),
                    time,
                    _article(row.transferred_mb if row else None),
                    *data,
                    outage,
                    downtime,
                ]
            )
    number = table.removeprefix("table")
    return Table(
        f"table-{number}",
        f"Table {number}: stressed guests",
        (label("stressed memory", "MiB"), *_TIME, *_DATA, *_OUTAGE),
        rows,
        "The article measured flavor xl (16 GB). Its stressed MB are MiB (the stress tool counts so); its "
        "transferred MB may be 10⁶ or 2²⁰ bytes, so compare with both measured columns.",
    )


def fits_table(analysis: Analysis) -> Table:
    """Slope and intercept of time and data against stressed memory."""
    rows: list[list[Cell]] = []
    for table in ("table3", "table4"):
        if analysis.published:
            rows += _published_fit_rows(analysis.published, table)
        rows += [_series_row(series) for series in analysis.series if series.table == table]
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
            Column("R²", "time / data"),
            Column("runs"),
        ),
        rows,
        "Least squares; below each value its 95 % confidence interval (Student). The marginal rate is the "
        "slope of data over the slope of time: how fast each further byte moved. With the article's MB read "
        "as MiB on both sides its data slope is the ratio as printed; with transferred MB as 10⁶ bytes it "
        "is 4.6 % less.",
    )


def bound_table(analysis: Analysis) -> Table:
    """What was used of the bound 2 x RAM and 2 x RAM / throughput."""
    rows: list[list[Cell]] = []
    if analysis.published:
        rows += _published_bound_rows(analysis.published)
    for case in analysis.cases:
        runs = [run for run in (*case.counted, *case.not_converged) if run.figures is not None]
        figures = [run.figures for run in runs if run.figures is not None]
        if not figures:
            continue
        data, seconds = (
            max(item.forward_bytes for item in figures),
            max(item.migration_seconds for item in figures),
        )
        prefix = "" if case.counted else "> "
        rows.append(
            [
                Cell(case.case, href=case_anchor(case.case)),
                *_bound_cells(data, figures[0].bound_bytes, seconds, figures[0].bound_seconds, prefix),
            ]
        )
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
        ),
        rows,
        "A hybrid migration sends each page at most twice, so it transfers at most 2 x RAM and takes at most "
        "2 x RAM / throughput (measured link rate; for the article its nominal 1 Gbit/s). Pre-copy has no "
        "such bound: where it did not converge it was aborted at its limit.",
    )


def modes_table(analysis: Analysis) -> Table | None:
    """Cases that differ only in their mode, held against hybrid; None if there are none."""
    groups: dict[tuple[object, ...], list[CaseSummary]] = {}
    for case in analysis.cases:
        spec = case.spec
        load = (spec.flavor, spec.stressor, spec.stressed_bytes, spec.stress_threads, spec.link_rate)
        groups.setdefault(load, []).append(case)
    rows: list[list[Cell]] = []
    for members in groups.values():
        if len({case.spec.mode for case in members}) < 2:
            continue
        reference = next((case for case in members if case.spec.mode == "hybrid"), members[0])
        rows += [_mode_row(case, reference) for case in members]
    if not rows:
        return None
    return Table(
        "modes",
        "Modes compared",
        (
            label("case"),
            label("outcome"),
            Column("migration time", "s"),
            Column("data", "MB = 10⁶ B"),
            Column("downtime (hypervisor)", "ms"),
            Column("ping outage", "s"),
            label("time against hybrid"),
        ),
        rows,
        "Same guest, load and link. A comparison needs so many repetitions that its exact rank test could "
        "show a difference at all: with n and m runs the smallest p is 2 / C(n + m, n), with n pairs of runs "
        "of one round 2^(1 - n). Pairs are compared from six on: they are free of the machine's drift.",
    )


def _published_rows(published: Published | None, table: str) -> Sequence[Stressed]:
    return published.stressed[table] if published else ()


def _or_none(cases: Sequence[CaseSummary]) -> Sequence[CaseSummary | None]:
    """A published row without a measured case still has its line."""
    return cases or [None]


def _load_note(case: CaseSummary | None) -> str | None:
    if case is None:
        return None
    spec = case.spec
    if spec.stressor is None:
        return f"{spec.mode}, {spec.link_rate}"
    threads = f"{spec.stressor} {spec.stress_threads} x {spec.stress_thread_bytes / MIB:.0f} MiB"
    return f"{spec.mode}, flavor {spec.flavor}, {threads}, {spec.link_rate}"


def _article(value: float | None) -> Cell:
    return missing() if value is None else Cell(as_printed(value))


def _measured(case: CaseSummary | None) -> tuple[Cell, tuple[Cell, Cell], Cell, Cell]:
    """Migration time, data in both units, ping outage and downtime; each leads to the case's runs."""
    if case is None:
        return missing("not measured"), (missing(), missing()), missing(), missing()
    href = case_anchor(case.case)
    time = estimate_cell(case.estimate("migration_seconds"))
    if not case.counted:
        outcomes = ", ".join(f"{count} {words}" for words, count in case.outcomes.items())
        time = Cell(EMPTY, outcomes, tone="bad")
    data = case.estimate("forward_bytes")
    return (
        replace(time, href=href),
        (replace(estimate_cell(data, 1 / MB), href=href), replace(estimate_cell(data, 1 / MIB), href=href)),
        replace(outage_cell(case), href=href),
        replace(estimate_cell(case.estimate("downtime_seconds"), 1000), href=href),
    )


def _published_fit_rows(published: Published, table: str) -> list[list[Cell]]:
    time_fit, data_fit = published_fits(published, table)
    if time_fit is None or data_fit is None:
        return []
    name = f"article, table {table.removeprefix('table')}"
    return [
        _fit_row(Cell(name, reading), time_fit, data_fit, 1.0, unit_bytes)
        for reading, unit_bytes in (
            ("transferred MB read as MiB", MIB),
            ("transferred MB read as 10⁶ B", MB),
        )
    ]


def _fit_row(name: Cell, time: LineFit, data: LineFit, x_mib: float, y_bytes: float) -> list[Cell]:
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
        Cell(f"{time.r_squared:.4f}", f"{data.r_squared:.4f}"),
        Cell(str(time.count), f"{time.distinct} steps"),
    ]


def _series_row(series: Series) -> list[Cell]:
    name = f"measured, table {series.table.removeprefix('table')}"
    if series.time_fit is None or series.data_fit is None:
        reason = f"{series.label}: fewer than three steps with counted runs, no line can be fitted"
        return [Cell(name, reason), *(missing() for _ in range(7))]
    return _fit_row(Cell(name, series.label), series.time_fit, series.data_fit, 1 / MIB, 1.0)


def _published_bound_rows(published: Published) -> list[list[Cell]]:
    # The article's GB of RAM are GiB: OpenStack flavors count so.
    ram = published.ram_gb[published.stressed_flavor] * GIB
    seconds = 2 * ram * 8 / published.link_rate_bits_per_second
    rows = []
    for table, steps in published.stressed.items():
        last = steps[-1]
        name = Cell(
            f"article, table {table.removeprefix('table')}",
            f"{last.stressed_mb:,.0f} MB stressed, MB = 2²⁰ B",
        )
        rows.append(
            [name, *_bound_cells(last.transferred_mb * MIB, 2 * ram, last.migration_seconds, seconds)]
        )
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


def _mode_row(case: CaseSummary, reference: CaseSummary) -> list[Cell]:
    converged = bool(case.counted)
    estimate = case.estimate if converged else case.not_converged_estimate
    prefix = "" if converged else "> "
    return [
        Cell(case.case, href=case_anchor(case.case)),
        Cell(", ".join(f"{count} {words}" for words, count in case.outcomes.items())),
        estimate_cell(estimate("migration_seconds"), 1, prefix),
        estimate_cell(estimate("forward_bytes"), 1 / MB, prefix),
        estimate_cell(case.estimate("downtime_seconds"), 1000),
        outage_cell(case),
        Cell("reference") if case is reference else _against(reference, case),
    ]


def _against(reference: CaseSummary, case: CaseSummary) -> Cell:
    if not case.counted:
        return Cell("no completed run", "never converged" if case.not_converged else None, tone="muted")
    comparison = compare_rounds(reference.by_round("migration_seconds"), case.by_round("migration_seconds"))
    if comparison is None:
        return missing("nothing to compare with")
    counts = f"{comparison.first_count} and {comparison.second_count} runs"
    if comparison.p is None:
        least = f"smallest possible p = {comparison.smallest_p:.2f}"
        return Cell(comparison.verdict, f"{counts}, {least}", tone="muted")
    ratio = comparison.ratio
    bounds = "" if ratio.low is None or ratio.high is None else f" ({ratio.low:.2f} to {ratio.high:.2f})"
    return Cell(
        f"x {ratio.value:.2f}{bounds}",
        f"{comparison.verdict}, p = {comparison.p:.3f}; {comparison.test}, {counts}",
    )


def link_text(analysis: Analysis) -> str:
    """The measured link in words, for the summary."""
    rates = [link.measured_bits_per_second for link in analysis.results.lab.links]
    if not rates:
        return "not measured"
    low, high = bit_rate(min(rates)), bit_rate(max(rates))
    return low if low == high else f"{low.split()[0]} to {high}"
