"""The runs of one case in one summary, the cases of one series in one straight line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.stats.intervals import Interval, MedianEstimate, interval_median, median_estimate
from analysis.stats.regression import LineFit, fit_line
from analysis.study.results import Results, RunResult
from contract.choices import SwitchoverBy
from contract.downtimes import NATIVE
from contract.outcomes import RunOutcome
from contract.records import Spec

# The tables whose cases form lines over stressed memory.
STRESSED_TABLES = ("table3", "table4")


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

    def estimate(self, metric: str) -> MedianEstimate | None:
        """Median of a field of RunMetrics over the counted runs."""
        return self._estimate(self.counted, metric)

    @property
    def converged(self) -> bool:
        """Whether its metrics are those of completed runs; else they are what was reached at the limit."""
        return bool(self.counted) or not self.not_converged

    def reached(self, metric: str) -> MedianEstimate | None:
        """The estimate over the counted runs, without any over those that were aborted at the limit."""
        return self._estimate(self.counted if self.converged else self.not_converged, metric)

    def by_round(self, metric: str) -> Mapping[int, float]:
        """A field of RunMetrics of the counted runs by their round (repetition)."""
        values = {
            run.record.repetition: getattr(run.metrics, metric)
            for run in self.counted
            if run.metrics is not None
        }
        return {number: float(value) for number, value in values.items() if value is not None}

    @property
    def ended_early(self) -> int:
        """How many of its counted runs ended in pre-copy, though their mode changes to post-copy."""
        return sum(run.record.ended_early for run in self.counted)

    @property
    def outages(self) -> tuple[Interval, ...]:
        """Ping outage of each counted run."""
        metrics = [run.metrics for run in self.counted if run.metrics is not None]
        return tuple(
            Interval(item.ping_outage_low_seconds, item.ping_outage_high_seconds) for item in metrics
        )

    def outage(self) -> Interval | None:
        """Median ping outage of the counted runs."""
        return interval_median(self.outages)

    def fine_outage(self) -> Interval | None:
        """The same by the finer ping."""
        metrics = [run.metrics for run in self.counted if run.metrics is not None]
        return interval_median(
            [
                Interval(item.fine_outage_low_seconds, item.fine_outage_high_seconds)
                for item in metrics
                if item.fine_outage_low_seconds is not None and item.fine_outage_high_seconds is not None
            ]
        )

    @staticmethod
    def _estimate(runs: Sequence[RunResult], metric: str) -> MedianEstimate | None:
        values = [getattr(run.metrics, metric) for run in runs if run.metrics is not None]
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


def downtime_words(spec: Spec) -> str:
    """The allowed downtime in words; "" where it is the usual one."""
    if spec.usual_downtime:
        return ""
    allowed = spec.max_downtime_ms
    return f"{allowed} downtime" if allowed == NATIVE else f"{allowed} ms downtime"


def condition_words(spec: Spec) -> str:
    """What is not as usual in how the case was migrated; "" where all is."""
    asked = "switched over by nova" if spec.switchover_by == SwitchoverBy.NOVA else ""
    return ", ".join(filter(None, (downtime_words(spec), asked)))


def outcome_words(run: RunResult) -> str:
    """One or two words for how a run ended."""
    record = run.record
    if record.outcome == RunOutcome.COMPLETED:
        return "completed" if run.counted else "excluded"
    if record.outcome == RunOutcome.NOT_CONVERGED:
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
                run
                for run in runs
                if run.record.outcome == RunOutcome.NOT_CONVERGED and run.excluded_because is None
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
            key = (spec.table, spec.mode, spec.flavor, spec.stressor, spec.link_rate, condition_words(spec))
            groups.setdefault(key, []).append(case)
    series = []
    for (table, mode, flavor, stressor, link_rate, conditions), members in groups.items():
        runs = [run for case in members for run in case.counted]
        x = [float(run.record.spec.stressed_bytes) for run in runs]
        series.append(
            Series(
                label=", ".join(filter(None, (mode, f"flavor {flavor}", stressor, link_rate, conditions))),
                table=table,
                mode=mode,
                flavor=flavor,
                link_rate=link_rate,
                cases=tuple(sorted(members, key=lambda case: case.spec.stressed_bytes)),
                time_fit=fit_line(x, [run.metrics.migration_seconds for run in runs if run.metrics]),
                data_fit=fit_line(x, [run.metrics.forward_bytes for run in runs if run.metrics]),
            )
        )
    return tuple(series)
