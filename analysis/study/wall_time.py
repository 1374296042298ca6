"""How long a study took against its physical floor: bytes over the link's rate, plus boot and fill.

While one run is recorded and cleaned up the next one's guest already boots, so a run is charged for the time
from its own start to the next one's start on the same pair of hosts. A study that was interrupted leaves a
gap: one that is longer than all steps of the run before it is not charged to anybody, but told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.study.results import RunResult


@dataclass(frozen=True)
class RunTime:
    """One run: what it was charged with, its floor (None without metrics or boot time), the gap after it.

    All in seconds; `left_out_seconds` is the part of the gap to the next run that nobody is charged with.
    """

    run: RunResult
    charged_seconds: float
    floor_seconds: float | None
    left_out_seconds: float


@dataclass(frozen=True)
class WallTime:
    """Some runs together, in seconds."""

    runs: tuple[RunResult, ...]
    charged_seconds: float
    floor_seconds: float

    @property
    def ratio(self) -> float:
        """Wall time over floor; 1 is what no kit can beat."""
        return self.charged_seconds / self.floor_seconds


def run_times(runs: Sequence[RunResult]) -> tuple[RunTime, ...]:
    """Every run's charge, pair by pair in the order of their starts."""
    pairs: dict[frozenset[str | None], list[RunResult]] = {}
    for run in sorted(runs, key=lambda run: run.record.started_at):
        pairs.setdefault(frozenset((run.record.source, run.record.destination)), []).append(run)
    return tuple(time for members in pairs.values() for time in _of_pair(members))


def wall_time(times: Iterable[RunTime]) -> WallTime | None:
    """The counted runs among them, together; None if there are none with a floor."""
    counted = [time for time in times if time.run.counted and time.floor_seconds]
    if not counted:
        return None
    return WallTime(
        runs=tuple(time.run for time in counted),
        charged_seconds=sum(time.charged_seconds for time in counted),
        floor_seconds=sum(time.floor_seconds or 0.0 for time in counted),
    )


def floor_seconds(run: RunResult) -> float | None:
    """What the run costs whatever the kit does: its bytes at the link's rate, boot and fill."""
    metrics, record = run.metrics, run.record
    if metrics is None or run.boot_seconds is None:
        return None
    moved = metrics.forward_bytes * 8 / metrics.link_wire_rate_bits_per_second
    return moved + run.boot_seconds + (record.guest.fill_seconds or 0.0)


def _of_pair(members: Sequence[RunResult]) -> Iterable[RunTime]:
    for run, following in zip(members, [*members[1:], None], strict=True):
        record = run.record
        charged, left_out = record.finished_at - record.started_at, 0.0
        if following is not None:
            gap = following.record.started_at - record.finished_at
            if gap > sum(record.steps_seconds.values()):
                left_out = gap
            else:
                charged += gap
        yield RunTime(run, charged, floor_seconds(run), left_out)
