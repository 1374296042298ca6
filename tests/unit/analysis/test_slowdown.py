"""The guest's slowdown: made progress with a known truth, its clock placed on the prober's, standstills."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.evidence.logs import read_evidence
from analysis.evidence.progress import ProgressLog
from analysis.evidence.records import read_lab, read_run
from analysis.run.clock import clock_model
from analysis.run.slowdown import Slowdown, guest_clock, measure_slowdown
from analysis.run.timeline import Timeline, build_timeline
from analysis.run.traffic import wire_of
from analysis.stats.intervals import Interval
from tests.unit.analysis.builder import EPOCH, MIB, Model, write_lab, write_run

MODEL = Model(threads=4, thread_mib=512, base_bytes=600e6)
PACE = 8 * MIB


class Guest:
    """A run and what its guest wrote, in seconds since the request."""

    def __init__(self, root: Path) -> None:
        write_lab(root)
        run_dir = write_run(root, MODEL)
        self.run = read_run(run_dir / "run.json")
        lab = read_lab(root / "lab.json")
        evidence = read_evidence(run_dir)
        self.clocks = clock_model(self.run, lab, None)
        self.timeline: Timeline = build_timeline(
            self.run, evidence, wire_of(self.run, evidence, self.clocks, lab), self.clocks
        )

    def progress(
        self, ahead: float = 0.0, slow: float = 1.0, pause: tuple[float, float] = (0.0, 0.0)
    ) -> ProgressLog:
        """Samples each 0.1 s from 5 s before the request; written `slow` times slower in post-copy.

        `ahead`: the guest's clock before the prober's; `pause`: (begin, length) without samples.
        """
        resumed, completed = MODEL.stopped + MODEL.switchover, MODEL.completed
        time = np.arange(-2.4, completed + 1.0, 0.1)
        time = time[(time <= pause[0]) | (time > pause[0] + pause[1])]
        inside = np.clip(time, resumed, completed) - resumed
        written = ((time - time[0]) - inside * (1 - 1 / slow)) * PACE
        # Verified at the end: nothing is written any more.
        written = np.concatenate((written, [written[-1]] * 5))
        time = np.concatenate((time, time[-1] + 0.1 * np.arange(1, 6)))
        return ProgressLog(EPOCH + time + ahead, 100 + time, written, 0.5 * (time - time[0]))

    def measure(self, log: ProgressLog) -> Slowdown:
        found = measure_slowdown(self.run, log, self.clocks, self.timeline)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    return Guest(tmp_path_factory.mktemp("guest"))


def test_an_undisturbed_guest_is_as_fast_as_before(guest: Guest) -> None:
    found = guest.measure(guest.progress())
    for phase in ("precopy", "postcopy"):
        assert found.phases[phase].relative == pytest.approx(1.0, abs=0.15)
        assert found.speed(phase) == pytest.approx(1.0, abs=0.15)
    assert found.phases["before"].seconds_per_mib == pytest.approx(1 / 8, abs=0.015)
    assert found.standstills == ()


def test_a_guest_that_waits_for_pages_is_slower_in_postcopy(guest: Guest) -> None:
    found = guest.measure(guest.progress(slow=4.0))
    assert found.phases["postcopy"].relative == pytest.approx(4.0, abs=0.6)
    assert found.phases["precopy"].relative == pytest.approx(1.0, abs=0.15)


def test_missing_samples_are_a_standstill_with_its_length(guest: Guest) -> None:
    begin = MODEL.stopped + 3.0
    found = guest.measure(guest.progress(pause=(begin, 4.0)))
    (pause,) = found.standstills
    assert pause.phase == "postcopy"
    assert pause.seconds == pytest.approx(4.1, abs=0.11)
    assert pause.since == pytest.approx(begin, abs=0.7)
    assert found.standing_seconds("postcopy") == pause.seconds
    silent = [second for second in found.seconds if math.isinf(second.seconds_per_mib)]
    assert len(silent) in (3, 4)


def test_the_guests_clock_is_placed_by_what_the_run_shows(guest: Guest) -> None:
    """Half a second and the run's own order of events are all that is known: it must contain the truth."""
    for ahead in (-0.45, 0.0, 0.3):
        log = guest.progress(ahead=ahead)
        shift = guest_clock(guest.run, log, len(log.guest_epoch_seconds) - 6, guest.clocks, guest.timeline)
        assert shift.low <= -ahead + 1e-6 <= shift.high + 1e-6
        assert shift.high - shift.low <= 1.1


def test_a_guest_whose_clock_was_never_set_is_placed_by_its_run(guest: Guest) -> None:
    log = guest.progress(ahead=-3600.0)
    shift = guest_clock(guest.run, log, len(log.guest_epoch_seconds) - 6, guest.clocks, guest.timeline)
    assert shift.low <= 3600 <= shift.high
    assert isinstance(shift, Interval)


def test_less_than_a_second_before_the_request_must_do(guest: Guest) -> None:
    log = guest.progress()
    late = ProgressLog(*(values[11:] for values in vars(log).values()))
    found = guest.measure(late)
    assert "before" not in found.phases
    assert found.seconds_per_mib_before == pytest.approx(1 / 8, abs=0.015)
    assert found.phases["postcopy"].relative == pytest.approx(1.0, abs=0.15)


def test_nothing_to_be_held_against_is_no_slowdown(guest: Guest) -> None:
    log = guest.progress()
    late = ProgressLog(*(values[60:] for values in vars(log).values()))
    assert measure_slowdown(guest.run, None, guest.clocks, guest.timeline) is None
    assert measure_slowdown(guest.run, late, guest.clocks, guest.timeline) is None
    still = replace(log, pattern_bytes_written=np.zeros(len(log.guest_epoch_seconds)))
    assert measure_slowdown(guest.run, still, guest.clocks, guest.timeline) is None
