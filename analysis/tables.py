"""Tidy tables: one row per run, one summary per case, one straight line per series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from analysis.comparison import interval_median
from analysis.measure import readings
from analysis.outage import Interval
from analysis.parsers.records import Spec, lab_of
from analysis.published_data import STRESSED_TABLES, Published
from analysis.results import Results, RunResult
from analysis.statistics import LineFit, MedianEstimate, fit_line, median_estimate


@dataclass(frozen=True)
class CaseSummary:
    """All runs of one case; estimates are over the counted runs only."""

    case: str
    spec: Spec
    planned: int
    runs: tuple[RunResult, ...]
    counted: tuple[RunResult, ...]
    not_converged: tuple[RunResult, ...]

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How the runs ended, in words: completed, not converged, or the cause of the failure."""
        return Counter(outcome_words(run) for run in self.runs)

    def estimate(self, figure: str) -> MedianEstimate | None:
        """Median of a field of RunFigures over the counted runs."""
        return self._estimate(self.counted, figure)

    def by_round(self, figure: str) -> Mapping[int, float]:
        """A field of RunFigures of the counted runs by their round (repetition)."""
        values = {
            run.record.repetition: getattr(run.figures, figure)
            for run in self.counted
            if run.figures is not None
        }
        return {number: float(value) for number, value in values.items() if value is not None}

    def not_converged_estimate(self, figure: str) -> MedianEstimate | None:
        """The same over the valid runs that were aborted at the limit."""
        return self._estimate(self.not_converged, figure)

    @property
    def outages(self) -> tuple[Interval, ...]:
        """Ping outage of each counted run."""
        figures = [run.figures for run in self.counted if run.figures is not None]
        return tuple(
            Interval(item.ping_outage_low_seconds, item.ping_outage_high_seconds) for item in figures
        )

    def outage(self) -> Interval | None:
        """Median ping outage of the counted runs."""
        return interval_median(self.outages)

    def fine_outage(self) -> Interval | None:
        """The same by the finer ping."""
        figures = [run.figures for run in self.counted if run.figures is not None]
        return interval_median(
            [
                Interval(item.fine_outage_low_seconds, item.fine_outage_high_seconds)
                for item in figures
                if item.fine_outage_low_seconds is not None and item.fine_outage_high_seconds is not None
            ]
        )

    @staticmethod
    def _estimate(runs: Sequence[RunResult], figure: str) -> MedianEstimate | None:
        values = [getattr(run.figures, figure) for run in runs if run.figures is not None]
        return median_estimate([value for value in values if value is not None])


@dataclass(frozen=True)
class Series:
    """One line of figures 3 to 6: time and data over stressed memory, all else equal."""

    label: str
    table: str
    mode: str | None
    flavor: str
    link_rate: str
    cases: tuple[CaseSummary, ...]
    time_fit: LineFit | None
    data_fit: LineFit | None

    @property
    def is_published(self) -> bool:
        return self.mode is None


def outcome_words(run: RunResult) -> str:
    """One or two words for how a run ended."""
    record = run.record
    if record.outcome == "completed":
        return "completed" if run.counted else "excluded"
    if record.outcome == "not_converged":
        return "not converged"
    return (record.cause or record.outcome).replace("_", " ")


def summarise_cases(results: Results) -> tuple[CaseSummary, ...]:
    """One summary per case, in the study's order of cases; cases without any run are left out."""
    planned = Counter(case for case, _ in results.study.order)
    by_case: dict[str, list[RunResult]] = {case: [] for case in results.study.specs}
    for run in results.runs:
        by_case[run.record.case].append(run)
    return tuple(
        CaseSummary(
            case=case,
            spec=runs[0].record.spec,
            planned=planned[case],
            runs=tuple(runs),
            counted=tuple(run for run in runs if run.counted),
            not_converged=tuple(
                run for run in runs if run.record.outcome == "not_converged" and run.excluded_because is None
            ),
        )
        for case, runs in by_case.items()
        if runs
    )


def measured_series(cases: Sequence[CaseSummary]) -> tuple[Series, ...]:
    """Cases of tables 3 and 4 grouped to lines; stressed bytes on x, seconds and wire bytes on y."""
    groups: dict[tuple[str, ...], list[CaseSummary]] = {}
    for case in cases:
        spec = case.spec
        if spec.table in STRESSED_TABLES and spec.stressor is not None:
            key = (spec.table, spec.mode, spec.flavor, spec.stressor, spec.link_rate)
            groups.setdefault(key, []).append(case)
    series = []
    for (table, mode, flavor, stressor, link_rate), members in groups.items():
        runs = [run for case in members for run in case.counted]
        x = [float(run.record.spec.stressed_bytes) for run in runs]
        series.append(
            Series(
                label=f"{mode}, flavor {flavor}, {stressor}, {link_rate}",
                table=table,
                mode=mode,
                flavor=flavor,
                link_rate=link_rate,
                cases=tuple(sorted(members, key=lambda case: case.spec.stressed_bytes)),
                time_fit=fit_line(x, [run.figures.migration_seconds for run in runs if run.figures]),
                data_fit=fit_line(x, [run.figures.forward_bytes for run in runs if run.figures]),
            )
        )
    return tuple(series)


def published_fits(published: Published, table: str) -> tuple[LineFit | None, LineFit | None]:
    """Time (s) and data (MB) over stressed memory (MB) of table 3 or 4, fitted again; MB as printed."""
    rows = published.stressed[table]
    x = [row.stressed_mb for row in rows]
    return (
        fit_line(x, [row.migration_seconds for row in rows]),
        fit_line(x, [row.transferred_mb for row in rows]),
    )


def runs_frame(results: Results) -> pd.DataFrame:
    """One row per run: its directory, spec, outcome and every figure (units are in the columns' names)."""
    rows = []
    for run in results.runs:
        record = run.record
        rows.append(
            {
                "run": run.path,
                "case": record.case,
                "repetition": record.repetition,
                **asdict(record.spec),
                "outcome": record.outcome,
                "cause": record.cause,
                "counted": run.counted,
                "excluded_because": run.excluded_because,
                "started_at": record.started_at,
                "session": record.session,
                "kit_commit": lab_of(record, results.labs).kit_commit,
                "qemu_version": record.qemu_version,
                "libvirt_version": record.libvirt_version,
                "accelerator": record.accelerator,
                "resident_bytes": record.resident_bytes,
                "switch_ratio": record.switch_check.ratio if record.switch_check else None,
                **(asdict(run.figures) if run.figures else {}),
            }
        )
    return pd.DataFrame(rows)


def readings_frame(results: Results) -> pd.DataFrame:
    """One row per run, quantity and source, to hold the sources against each other."""
    rows = [
        (run.path, run.record.case, reading.quantity, reading.source, reading.value, reading.unit)
        for run in results.runs
        if run.figures is not None
        for reading in readings(run.figures)
    ]
    return pd.DataFrame(rows, columns=["run", "case", "quantity", "source", "value", "unit"])


def fits_frame(series: Sequence[Series], published: Published | None) -> pd.DataFrame:
    """One row per fitted line. Measured: x in bytes, y in seconds or bytes; published: MB as printed."""
    lines: list[tuple[str, str, str, str, str, LineFit | None]] = []
    for line in series:
        lines.append((line.label, line.table, "migration_seconds", "s", "bytes", line.time_fit))
        lines.append((line.label, line.table, "forward_bytes", "bytes", "bytes", line.data_fit))
    for table in STRESSED_TABLES if published else ():
        time_fit, data_fit = published_fits(published, table) if published else (None, None)
        lines.append(("article", table, "migration_time_s", "s", "MB", time_fit))
        lines.append(("article", table, "transferred_mb", "MB", "MB", data_fit))
    rows = [
        {
            "series": label,
            "table": table,
            "figure": figure,
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
        for label, table, figure, unit_y, unit_x, fit in lines
        if fit is not None
    ]
    return pd.DataFrame(rows)


_CASE_FIGURES = (
    "migration_seconds",
    "forward_bytes",
    "backward_bytes",
    "downtime_seconds",
    "ping_outage_low_seconds",
    "ping_outage_high_seconds",
    "iterations",
    "page_requests",
    "rate_bits_per_second",
    "link_use",
)


def cases_frame(cases: Sequence[CaseSummary]) -> pd.DataFrame:
    """One row per case and figure over its counted runs; no interval (low, high) with too few of them."""
    rows = []
    for case in cases:
        for figure in _CASE_FIGURES:
            estimate = case.estimate(figure)
            if estimate is not None:
                rows.append(
                    {"case": case.case, "planned": case.planned, "figure": figure, **asdict(estimate)}
                )
    columns = ["case", "planned", "figure", "count", "median", "minimum", "maximum", "low", "high"]
    return pd.DataFrame(rows, columns=columns)
