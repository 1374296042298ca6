"""What the report shows of single runs: a row per lost ping, per second of a guest, per clock; pictures."""

from __future__ import annotations

import csv
import pickle
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from io import SEEK_END, StringIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Self

from analysis.plots import TimelineData, timeline_data
from analysis.report.csv_files import csv_text
from analysis.run.attribution import COARSE, FINE, Attribution
from analysis.run.measure import Measured
from analysis.study.results import RunResult

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


@dataclass(frozen=True)
class RunExtract:
    """What the report shows of one run beyond its metrics: rows of CSV, and its pictures' data, pickled."""

    path: str
    pings: str
    seconds: str
    pictures: bytes


@dataclass(frozen=True)
class RunPictures:
    """What the pictures of one run show."""

    timeline: TimelineData
    attribution: Attribution | None


class Extracts(AbstractContextManager["Extracts"]):
    """The extracts of all runs, inside `with`: a few kB of each, on disk, since there may be many.

    A `Harvest` of load_results.
    """

    def __enter__(self) -> Self:
        self._files = ExitStack()
        self._pings = self._files.enter_context(TemporaryFile())
        self._seconds = self._files.enter_context(TemporaryFile())
        self._pictures = self._files.enter_context(TemporaryFile())
        self._places: dict[str, tuple[int, int]] = {}
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    @staticmethod
    def take(path: str, measured: Measured) -> RunExtract:
        pictures = RunPictures(timeline_data(measured), measured.attribution)
        return RunExtract(
            path=path,
            pings=_csv_text(_ATTRIBUTION, _ping_rows(path, measured)),
            seconds=_csv_text(_SLOWDOWN, _second_rows(path, measured)),
            pictures=pickle.dumps(pictures),
        )

    def keep(self, taken: RunExtract) -> None:
        self._pings.write(taken.pings.encode())
        self._seconds.write(taken.seconds.encode())
        self._places[taken.path] = self._pictures.tell(), len(taken.pictures)
        self._pictures.write(taken.pictures)

    def pictures(self, path: str) -> RunPictures:
        """Of the measured run at this path, as in RunResult."""
        start, length = self._places[path]
        self._pictures.seek(start)
        found: RunPictures = pickle.loads(self._pictures.read(length))
        self._pictures.seek(0, SEEK_END)
        return found

    def write_tables(self, runs: Iterable[RunResult], directory: Path) -> Iterator[Path]:
        """Write clock.csv, attribution.csv and slowdown.csv into the directory; yields the files.

        A table without rows is written with its head, so that whoever reads it need not ask whether it is
        there.
        """
        clock = directory / "clock.csv"
        clock.write_bytes((_head(_CLOCK) + _csv_text(_CLOCK, _clock_rows(runs))).encode())
        yield clock
        tables = (("attribution.csv", _ATTRIBUTION, self._pings), ("slowdown.csv", _SLOWDOWN, self._seconds))
        for name, columns, rows in tables:
            with (directory / name).open("wb") as target:
                target.write(_head(columns).encode())
                rows.seek(0)
                shutil.copyfileobj(rows, target)
            yield directory / name


def _head(columns: Sequence[str]) -> str:
    return _csv_text(columns, [dict(zip(columns, columns, strict=True))])


def _csv_text(columns: Sequence[str], rows: Iterable[Row]) -> str:
    text = StringIO(newline="")
    csv.DictWriter(text, columns).writerows(
        {name: csv_text(value) for name, value in row.items()} for row in rows
    )
    return text.getvalue()


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
