"""How much the migration slowed the guest: time to write memory per second of the run, against before it.

The measure is guestperf's (QEMU, tests/migration/guestperf: what matters to the guest is how long it takes to
write a piece of its memory); here one program writes its pattern at a fixed pace as far as the guest lets it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from analysis.evidence.progress import ProgressLog
from analysis.evidence.units import MIB
from analysis.run.clock import ClockModel
from analysis.run.timeline import UNKNOWN_PHASE, Timeline
from analysis.stats.intervals import Interval
from contract.records import RunRecord

# The guest writes and samples every 0.1 s: five samples missing in a row are a standstill.
STANDSTILL_SECONDS = 0.5
# Linux sets its clock from the whole seconds of its RTC and adds half of one (drivers/rtc/class.c, hctosys).
_RTC_SECONDS = 0.5
_SECOND = 1.0


@dataclass(frozen=True)
class Second:
    """One second of a run. `since`: seconds from the request to its begin, by the guest's clock as placed.

    `phase`: None where the guest's clock is not known well enough to say. `seconds_per_mib`: infinite while
    nothing was written. `stressor_cpu`: CPU seconds that the stressor got in it.
    """

    since: float
    phase: str | None
    seconds_per_mib: float
    relative: float | None
    stressor_cpu: float


@dataclass(frozen=True)
class Standstill:
    """A time in which the guest wrote no sample, seconds; `since` the request."""

    since: float
    phase: str | None
    seconds: float


@dataclass(frozen=True)
class PhaseSpeed:
    """Medians over the seconds of one phase; `relative` to the time before the migration (1: as fast)."""

    seconds: int
    seconds_per_mib: float
    relative: float


@dataclass(frozen=True)
class Slowdown:
    """The guest's own progress over one run. `clock`: what has to be added to the guest's clock, seconds."""

    clock: Interval
    seconds_per_mib_before: float
    seconds: tuple[Second, ...]
    standstills: tuple[Standstill, ...]
    phases: Mapping[str, PhaseSpeed]

    def speed(self, phase: str) -> float | None:
        """How fast it wrote in a phase against before, in the middle: 1 as fast, 0 mostly standing still."""
        found = self.phases.get(phase)
        return None if found is None or not found.relative else 1 / found.relative

    def standing_seconds(self, *phases: str) -> float:
        """Time in standstills that are known to lie in these phases."""
        return sum(pause.seconds for pause in self.standstills if pause.phase in phases)


def measure_slowdown(
    run: RunRecord, progress: ProgressLog | None, clocks: ClockModel, timeline: Timeline
) -> Slowdown | None:
    """None for a guest that wrote no pattern, or none before its migration (nothing to be held against)."""
    if progress is None or len(progress.guest_epoch_seconds) < 2:
        return None
    written = progress.pattern_bytes_written
    # The pattern rests once it is verified: what follows says nothing about the guest.
    last = int(np.searchsorted(written, written[-1])) + 1
    shift = guest_clock(run, progress, last - 1, clocks, timeline)
    # The monotonic clock paces the samples; the wall clock only says where it began.
    time = progress.guest_monotonic_seconds[:last]
    time = (
        time - time[0] + progress.guest_epoch_seconds[0] + (shift.low + shift.high) / 2 - timeline.requested
    )
    unsure = (shift.high - shift.low) / 2
    seconds = list(_seconds(time, written[:last], progress.stressor_cpu_seconds[:last], timeline, unsure))
    before = _median([second for second in seconds if second.phase == "before"])
    if before is None:
        # An idle guest is asked to move at once: less than a second must do.
        before = _start(time, written[:last], -unsure)
    if before is None:
        return None
    seconds = [
        Second(
            second.since,
            second.phase,
            second.seconds_per_mib,
            second.seconds_per_mib / before,
            second.stressor_cpu,
        )
        for second in seconds
    ]
    return Slowdown(
        clock=shift,
        seconds_per_mib_before=before,
        seconds=tuple(seconds),
        standstills=tuple(_standstills(time, timeline, unsure)),
        phases=dict(_phases(seconds, before)),
    )


def guest_clock(
    run: RunRecord, progress: ProgressLog, halt: int, clocks: ClockModel, timeline: Timeline
) -> Interval:
    """What has to be added to the guest's wall clock to have the prober's, as far as the run shows it.

    The first sample was taken after the agent's first answer and before the guest was full, the last one of
    a growing pattern (`halt`) not before the migration was over; and the guest's own clock was set from an
    RTC that is right, to half a second. A guest's clock stands while it is stopped: that much it may lose.
    """
    epoch = progress.guest_epoch_seconds
    lows, highs = [-math.inf], [math.inf]
    if run.guest.boot_seconds is not None:
        ready = run.started_at + run.guest.boot_seconds
        lows.append(ready - float(epoch[0]))
        # Only a log that begins with the pattern (nothing written yet) has its first sample then.
        if run.guest.fill_seconds is not None and progress.pattern_bytes_written[0] == 0:
            highs.append(ready + run.guest.fill_seconds - float(epoch[0]))
    lows.append(timeline.completed - float(epoch[halt]))
    stopped = sum(phase.seconds for phase in timeline.phases if phase.name in ("switchover", UNKNOWN_PHASE))
    rtc = Interval(-_RTC_SECONDS, _RTC_SECONDS + stopped)
    low, high = max(*lows, rtc.low), min(*highs, rtc.high)
    if low <= high:
        return Interval(low, high)
    # A guest without a right RTC: what the run itself shows must do.
    low, high = max(lows), min(highs)
    return Interval(low, high if low <= high < math.inf else low + _SECOND)


def _seconds(
    time: NDArray[np.float64],
    written: NDArray[np.float64],
    stressor_cpu: NDArray[np.float64],
    timeline: Timeline,
    unsure: float,
) -> Iterator[Second]:
    """Seconds counted from the request, both ways, as far as the samples reach."""
    edges = np.arange(math.ceil(time[0]), math.floor(time[-1]) + 1, _SECOND)
    # A sample tells what was written up to it: nothing is spread over the time before.
    at = np.searchsorted(time, edges, side="right") - 1
    grown = np.diff(written[at])
    worked = np.diff(np.interp(edges, time, stressor_cpu))
    for start, octets, cpu in zip(edges[:-1].tolist(), grown.tolist(), worked.tolist(), strict=True):
        pace = _SECOND * MIB / octets if octets > 0 else math.inf
        phase = _phase(timeline, start, start + _SECOND, unsure)
        yield Second(start, phase, pace, None, cpu)


def _standstills(time: NDArray[np.float64], timeline: Timeline, unsure: float) -> Iterator[Standstill]:
    lengths = np.diff(time)
    for index in np.flatnonzero(lengths > STANDSTILL_SECONDS).tolist():
        start, seconds = float(time[index]), float(lengths[index])
        yield Standstill(start, _phase(timeline, start, start + seconds, unsure), seconds)


def _phase(timeline: Timeline, start: float, end: float, unsure: float) -> str | None:
    """The phase of the middle of a span (seconds since the request), None if the clock leaves it open."""
    middle = timeline.requested + (start + end) / 2
    names = {timeline.phase_at(middle - unsure), timeline.phase_at(middle + unsure)}
    return names.pop() if len(names) == 1 else None


def _median(seconds: list[Second]) -> float | None:
    """Seconds per MiB in the middle; None without a second in which it wrote."""
    if not seconds:
        return None
    pace = median(second.seconds_per_mib for second in seconds)
    return None if math.isinf(pace) else pace


def _start(time: NDArray[np.float64], written: NDArray[np.float64], until: float) -> float | None:
    """The same as `_median` for all of the time until a moment, None if it is too short to say."""
    end = int(np.searchsorted(time, until, side="right")) - 1
    span = float(time[end] - time[0]) if end > 0 else 0.0
    grown = float(written[end] - written[0])
    if span < STANDSTILL_SECONDS or grown <= 0:
        return None
    return span * MIB / grown


def _phases(seconds: list[Second], before: float) -> Iterator[tuple[str, PhaseSpeed]]:
    for phase in dict.fromkeys(second.phase for second in seconds if second.phase is not None):
        members = [second for second in seconds if second.phase == phase]
        pace = median(second.seconds_per_mib for second in members)
        yield phase, PhaseSpeed(len(members), pace, pace / before)
