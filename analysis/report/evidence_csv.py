"""CSV with a row per lost ping, per second of a guest, per clock: read again run by run, never kept."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from analysis.evidence.pool import map_in_order
from analysis.report.analysis import Analysis
from analysis.report.formats import csv_text
from analysis.run.attribution import COARSE, FINE
from analysis.run.measure import Measured
from analysis.study.results import RunResult, load_measured
from contract.records import LabRecord

Row = Mapping[str, Any]

_ATTRIBUTION = (
    "run",
    "case",
    "repetition",
    "mode",
    "network",
    "ping",
    "sequence",
    "sent_at",
    "since_request_seconds",
    "since_resume_seconds",
    "period_seconds",
    "phase",
    "answered_after_end",
    "cause",
    "reason",
    "evidence",
)
_SLOWDOWN = (
    "run",
    "case",
    "since_request_seconds",
    "phase",
    "seconds_per_mib",
    "relative_to_before",
    "stressor_cpu_seconds",
    "guest_clock_low_seconds",
    "guest_clock_high_seconds",
)
_CLOCK = (
    "run",
    "node",
    "against",
    "span",
    "at",
    "offset_seconds",
    "uncertainty_seconds",
    "drift_ppm",
    "exchanges",
    "jumps",
    "largest_jump_seconds",
    "line",
)


def write_evidence_tables(analysis: Analysis, directory: Path) -> Iterator[Path]:
    """Write attribution.csv, slowdown.csv and clock.csv into the directory; yields the files.

    A table without rows is written with its head, so that whoever reads it need not ask whether it is there.
    """
    yield _write(directory / "clock.csv", _CLOCK, _clock_rows(analysis.results.runs))
    runs = [run.path for run in analysis.results.runs if _has_more(run)]
    read = partial(_rows_of, analysis.results.directory, analysis.results.labs)
    attribution, slowdown = directory / "attribution.csv", directory / "slowdown.csv"
    with (
        attribution.open("w", newline="", encoding="utf-8") as pings,
        slowdown.open("w", newline="", encoding="utf-8") as seconds,
    ):
        writers = csv.DictWriter(pings, _ATTRIBUTION), csv.DictWriter(seconds, _SLOWDOWN)
        for writer in writers:
            writer.writeheader()
        for rows in map_in_order(read, runs):
            for writer, found in zip(writers, rows, strict=True):
                writer.writerows(map(_safe, found))
    yield from (attribution, slowdown)


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as target:
        writer = csv.DictWriter(target, columns)
        writer.writeheader()
        writer.writerows(map(_safe, rows))
    return path


def _safe(row: Row) -> Row:
    return {name: csv_text(value) for name, value in row.items()}


def _has_more(run: RunResult) -> bool:
    findings = run.findings
    return findings is not None and (findings.attribution is not None or findings.slowdown is not None)


def _rows_of(directory: Path, labs: Sequence[LabRecord], path: str) -> tuple[list[Row], list[Row]]:
    measured = load_measured(directory, path, labs)
    return list(_ping_rows(path, measured)), list(_second_rows(path, measured))


def _ping_rows(path: str, measured: Measured) -> Iterator[Row]:
    found, timeline, spec = measured.attribution, measured.timeline, measured.spec
    if found is None:
        return
    _, case, repetition = path.rsplit("/", 2)
    resumed = timeline.destination_resumed
    for name, stream in ((COARSE, found.coarse), (FINE, found.fine)):
        if stream is None:
            continue
        for late, pings in ((False, stream.lost), (True, stream.answered_after_end)):
            for ping in pings:
                yield {
                    "run": path,
                    "case": case,
                    "repetition": int(repetition),
                    "mode": spec.mode,
                    "network": spec.network,
                    "ping": name,
                    "sequence": ping.sequence,
                    "sent_at": f"{ping.sent_at:.6f}",
                    "since_request_seconds": f"{ping.sent_at - timeline.requested:.6f}",
                    "since_resume_seconds": f"{ping.sent_at - resumed:.6f}" if resumed is not None else "",
                    "period_seconds": f"{stream.period_seconds:.6f}",
                    "phase": ping.phase,
                    "answered_after_end": late,
                    "cause": ping.cause,
                    "reason": ping.reason,
                    "evidence": ping.evidence,
                }


def _second_rows(path: str, measured: Measured) -> Iterator[Row]:
    slowdown = measured.slowdown
    if slowdown is None:
        return
    for second in slowdown.seconds:
        yield {
            "run": path,
            "case": path.rsplit("/", 2)[1],
            "since_request_seconds": second.since,
            "phase": second.phase or "",
            "seconds_per_mib": f"{second.seconds_per_mib:.4f}",
            "relative_to_before": "" if second.relative is None else f"{second.relative:.3f}",
            "stressor_cpu_seconds": f"{second.stressor_cpu:.3f}",
            "guest_clock_low_seconds": f"{slowdown.clock.low:.3f}",
            "guest_clock_high_seconds": f"{slowdown.clock.high:.3f}",
        }


def _clock_rows(runs: Iterable[RunResult]) -> Iterator[Row]:
    for run in runs:
        clocks = run.findings.clocks if run.findings else None
        for clock in clocks.nodes.values() if clocks else ():
            largest = max(clock.jumps, key=lambda jump: abs(jump.seconds), default=None)
            for anchor in clock.anchors:
                yield {
                    "run": run.path,
                    "node": clock.node,
                    "against": run.record.prober or "",
                    "span": anchor.span,
                    "at": f"{anchor.time:.6f}" if anchor.time else "",
                    "offset_seconds": f"{anchor.offset_seconds:.9f}",
                    "uncertainty_seconds": f"{anchor.uncertainty_seconds:.9f}",
                    "line": anchor.line,
                    "drift_ppm": "" if clock.drift_ppm is None else f"{clock.drift_ppm:.3f}",
                    "exchanges": clock.exchanges,
                    "jumps": len(clock.jumps),
                    "largest_jump_seconds": largest.seconds if largest else "",
                }
