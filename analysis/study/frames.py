"""Tidy tables: one row per run, per reading and per case and metric; units are in the columns' names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from analysis.evidence.records import lab_of
from analysis.run.metrics import readings
from analysis.study.cases import CaseSummary
from analysis.study.results import Results


def runs_frame(results: Results) -> pd.DataFrame:
    """One row per run: its directory, spec, outcome and every metric (units are in the columns' names)."""
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
                "resident_bytes": record.guest.resident_bytes_before_migration,
                "switch_ratio": record.switch_check.ratio if record.switch_check else None,
                **(run.figures.by_name() if run.figures else {}),
            }
        )
    return pd.DataFrame(rows)


def readings_frame(results: Results) -> pd.DataFrame:
    """One row per run, quantity and source, to hold the sources against each other."""
    rows = [
        (run.path, run.record.case, reading.quantity, reading.source, reading.value, reading.unit.name)
        for run in results.runs
        if run.figures is not None
        for reading in readings(run.figures)
    ]
    return pd.DataFrame(rows, columns=["run", "case", "quantity", "source", "value", "unit"])


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
