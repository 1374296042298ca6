"""How much slower the guest itself got on while it was migrated: its own work per second, by phase.

As QEMU's guestperf does, what is watched is memory being written inside the guest: the pattern's writer notes
ten times a second how many bytes it has written (at most 8 MiB/s) and what processor time the stressor has
had. Each phase's rate is held against the rate of the same guest before its migration.

The times are the guest's own. Nothing ties its clock to the hosts' exactly, so a phase that is much shorter
than the clocks may differ is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.parsers.progress import ProgressLog
from analysis.timeline import Timeline

# Shorter stretches are not judged: the guest's clock may be off by some tenths of a second.
LEAST_SECONDS = 1.0


@dataclass(frozen=True)
class GuestPace:
    """Work per second of each phase over that before the migration (1: not slowed), by the phase's name.

    `writes`: memory written; `stressor`: its processor time, empty without a stressor. `standstill_seconds`:
    the longest time in which the guest's own program noted nothing during the migration; a program that runs
    notes something every 0.1 s.
    """

    writes: Mapping[str, float]
    stressor: Mapping[str, float]
    standstill_seconds: float


def guest_pace(progress: ProgressLog, timeline: Timeline) -> GuestPace | None:
    """None where the guest was watched for less than LEAST_SECONDS before its migration was asked for."""
    time = guest_times(progress)
    if len(time) < 2 or timeline.requested - time[0] < LEAST_SECONDS:
        return None
    return GuestPace(
        writes=_by_phase(time, progress.pattern_bytes_written, timeline),
        stressor=_by_phase(time, progress.stressor_cpu_seconds, timeline),
        standstill_seconds=_longest_gap(time, timeline),
    )


def guest_times(progress: ProgressLog) -> NDArray[np.float64]:
    """Epoch seconds by the guest's clocks, never going back: its monotonic clock, shifted to its epoch."""
    monotonic = progress.guest_monotonic_seconds
    if len(monotonic) == 0:
        return monotonic
    return monotonic + float(np.median(progress.guest_epoch_seconds - monotonic))


def _by_phase(
    time: NDArray[np.float64], work: NDArray[np.float64], timeline: Timeline
) -> Mapping[str, float]:
    before = _rate(time, work, float(time[0]), timeline.requested)
    if before <= 0:
        return {}
    return {
        phase.name: _rate(time, work, phase.start, phase.end) / before
        for phase in timeline.phases
        if phase.seconds >= LEAST_SECONDS and phase.end <= time[-1]
    }


def _rate(time: NDArray[np.float64], work: NDArray[np.float64], start: float, end: float) -> float:
    """Work per second between two moments."""
    done = np.interp([start, end], time, work)
    return float(done[1] - done[0]) / (end - start)


def _longest_gap(time: NDArray[np.float64], timeline: Timeline) -> float:
    during = (time[1:] > timeline.requested) & (time[:-1] < timeline.completed)
    return float(np.diff(time)[during].max(initial=0.0))
