"""Tidy tables: one row per run, per reading and per case and metric; units are in the columns' names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from analysis.evidence.records import lab_of
from analysis.run.metrics import readings
from analysis.study.cases import CaseSummary
from analysis.study.results import Results

# Columns by their names; None is an empty field.
Row = Mapping[str, object]
READINGS_COLUMNS = ("run", "case", "quantity", "source", "value", "unit")
CASES_COLUMNS = ("case", "planned", "metric", "count", "median", "minimum", "maximum", "low", "high")


def runs_rows(results: Results) -> list[Row]:
    """One row per run: its directory, spec, outcome and every metric (units are in the columns' names)."""
    rows: list[Row] = []
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
                "ended_in": record.ended_in,
                "counted": run.counted,
                "excluded_because": run.excluded_because,
                "started_at": record.started_at,
                "session": record.session,
                "kit_commit": lab_of(record, results.labs).kit_commit,
                "qemu_version": record.qemu_version,
                "libvirt_version": record.libvirt_version,
                "accelerator": record.accelerator,
                "resident_bytes": record.guest.resident_bytes_before_migration,
                "switchover_ratio": record.switchover_check.ratio if record.switchover_check else None,
                **(run.metrics.by_name() if run.metrics else {}),
            }
        )
    return rows


def readings_rows(results: Results) -> list[Row]:
    """One row per run, quantity and source, to hold the sources against each other."""
    return [
        {
            "run": run.path,
            "case": run.record.case,
            "quantity": reading.quantity,
            "source": reading.source,
            "value": reading.value,
            "unit": reading.unit.name,
        }
        for run in results.runs
        if run.metrics is not None
        for reading in readings(run.metrics)
    ]


_CASE_METRICS = (
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


def cases_rows(cases: Sequence[CaseSummary]) -> list[Row]:
    """One row per case and metric over its counted runs; no interval (low, high) with too few of them."""
    rows: list[Row] = []
    for case in cases:
        for metric in _CASE_METRICS:
            estimate = case.estimate(metric)
            if estimate is not None:
                rows.append(
                    {"case": case.case, "planned": case.planned, "metric": metric, **asdict(estimate)}
                )
    return rows
