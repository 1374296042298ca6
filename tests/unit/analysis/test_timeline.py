"""Moments, phases, outages and sources of hand-made migrations whose truth is known."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from analysis.evidence.errors import EvidenceError
from analysis.evidence.logs import read_evidence
from analysis.evidence.records import read_lab, read_run
from analysis.run.measure import Measured, measure_run
from analysis.run.metrics import readings
from contract.modes import Mode
from contract.outcomes import EndedIn
from tests.conftest import PROJECT
from tests.unit.analysis.builder import MIB, RATE, Model, write_lab, write_run, write_sums


def measure(
    directory: Path, model: Model, offsets: dict[str, float] | None = None, uncertainty: float = 0.0
) -> Measured:
    write_lab(directory, offsets, uncertainty)
    run_dir = write_run(directory, model)
    return measure_run(
        read_run(run_dir / "run.json"), read_evidence(run_dir), read_lab(directory / "lab.json")
    )


def test_hybrid_phases_follow_each_other(tmp_path: Path) -> None:
    model = Model()
    measured = measure(tmp_path, model)
    phases = measured.timeline.phases
    assert [phase.name for phase in phases] == ["setup", "precopy", "switchover", "postcopy"]
    assert all(before.end == after.start for before, after in pairwise(phases))
    metrics = measured.metrics
    assert metrics.setup_seconds == pytest.approx(model.setup, abs=0.06)
    assert metrics.precopy_seconds == pytest.approx(model.stopped - model.setup, abs=0.06)
    assert metrics.downtime_seconds == pytest.approx(model.switchover, abs=1e-3)
    assert metrics.postcopy_seconds == pytest.approx(model.stressed * 8 / RATE, abs=1e-3)


def test_every_source_of_the_time_and_the_bytes(tmp_path: Path) -> None:
    model = Model()
    metrics = measure(tmp_path, model).metrics
    assert metrics.migration_seconds == pytest.approx(model.completed + 0.1, abs=1e-3)
    assert metrics.migration_seconds_libvirt == pytest.approx(model.completed, abs=1e-3)
    assert metrics.migration_seconds_events == pytest.approx(model.completed + 0.02, abs=1e-3)
    assert metrics.migration_seconds_wire == pytest.approx(model.completed - model.setup, abs=0.1)
    assert metrics.forward_bytes == pytest.approx(model.sent(100), rel=1e-3)
    assert metrics.forward_bytes_received == pytest.approx(metrics.forward_bytes, rel=1e-3)
    assert metrics.page_requests == 170
    # The link carries RATE as payload of a TCP stream, the model sends as much with its headers.
    assert metrics.link_use == pytest.approx(0.99 * 1448 / 1514, abs=0.02)
    assert metrics.bound_bytes == 2 * 2048 * MIB
    assert len({reading.quantity for reading in readings(metrics)}) == 8


def test_border_by_reverse_traffic_agrees_with_the_events(tmp_path: Path) -> None:
    measured = measure(tmp_path, Model())
    assert measured.timeline.borders_agree is True
    assert measured.timeline.border_disagreement_seconds == pytest.approx(0, abs=0.2)


def test_no_border_without_page_requests(tmp_path: Path) -> None:
    assert measure(tmp_path, Model(mode="precopy", threads=0)).timeline.border_by_traffic is None


def test_converged_precopy_has_no_postcopy(tmp_path: Path) -> None:
    measured = measure(tmp_path, Model(mode="precopy", threads=0))
    assert [phase.name for phase in measured.timeline.phases] == ["setup", "precopy", "switchover"]
    assert measured.metrics.postcopy_seconds is None
    assert measured.metrics.downtime_seconds == pytest.approx(0.08, abs=1e-3)


def test_a_hybrid_that_ended_in_precopy_has_no_postcopy(tmp_path: Path) -> None:
    measured = measure(tmp_path, Model(threads=0, ended_early=True))
    names = [phase.name for phase in measured.timeline.phases]
    assert names == ["setup", "precopy", "switchover"]
    metrics = measured.metrics
    assert (metrics.postcopy_seconds, metrics.border_by_events_seconds, metrics.borders_agree) == (None,) * 3
    assert metrics.downtime_seconds == pytest.approx(0.08, abs=1e-3)
    assert (metrics.ping_lost_postcopy, metrics.ping_lost) == (0, 3)
    assert measured.doubts == ()


def test_a_real_precopy_read_as_a_hybrid_that_ended_in_precopy_has_the_same_phases(tmp_path: Path) -> None:
    """A recorded idle migration whose run.json says that it had been asked for as hybrid."""
    example = PROJECT / "examples/icclab-2014/local"
    directory = example / "runs/precopy-s-unloaded-1gbit/01"
    record, evidence = read_run(directory / "run.json"), read_evidence(directory)
    lab = read_lab(example / "lab.json")
    truth = measure_run(record, evidence, lab)
    assert [phase.name for phase in truth.timeline.phases] == ["setup", "precopy", "switchover", "completion"]
    hybrid = replace(record, spec=replace(record.spec, mode=Mode.HYBRID, max_downtime_ms=None))
    found = measure_run(replace(hybrid, ended_in=EndedIn.PRECOPY), evidence, lab)
    assert found.timeline == truth.timeline
    assert found.doubts == truth.doubts
    assert found.metrics.by_name() == truth.metrics.by_name()
    # Without that word there would be a post-copy.
    assert measure_run(hybrid, evidence, lab).metrics.postcopy_seconds is not None


def test_not_converged_stays_in_precopy(tmp_path: Path) -> None:
    model = Model(mode="precopy", outcome="not_converged")
    measured = measure(tmp_path, model)
    assert [phase.name for phase in measured.timeline.phases] == ["setup", "precopy"]
    assert measured.metrics.downtime_seconds is None
    assert measured.metrics.migration_seconds == pytest.approx(model.limit + 0.1, abs=1e-3)


def test_clocks_that_differ_are_brought_onto_one(tmp_path: Path) -> None:
    model = Model(destination_clock_ahead=0.5, prober_clock_ahead=-0.3)
    offsets = {"compute1": 0.0, "compute2": 0.5, "controller": -0.3}
    measured = measure(tmp_path, model, offsets, uncertainty=0.002)
    straight = measure(tmp_path / "straight", Model())
    assert measured.metrics.downtime_seconds == pytest.approx(model.switchover, abs=1e-3)
    assert measured.metrics.ping_lost_switchover == straight.metrics.ping_lost_switchover
    assert measured.metrics.ping_lost_postcopy == straight.metrics.ping_lost_postcopy
    assert measured.metrics.clock_uncertainty_seconds == pytest.approx(0.004)


def test_outage_is_an_interval_split_by_phase(tmp_path: Path) -> None:
    measured = measure(tmp_path, Model(lost_after_switchover=5))
    metrics = measured.metrics
    assert metrics.ping_lost == 5
    assert metrics.ping_outage_low_seconds == pytest.approx(0.4, abs=1e-6)
    assert metrics.ping_outage_high_seconds == pytest.approx(0.6, abs=1e-6)
    assert metrics.ping_lost_precopy == 0
    assert metrics.ping_lost_switchover + metrics.ping_lost_postcopy == 5
    assert metrics.fine_outage_high_seconds == pytest.approx(0.06, abs=0.001)


def test_no_lost_ping_is_an_outage_shorter_than_a_period(tmp_path: Path) -> None:
    metrics = measure(tmp_path, Model(lost_after_switchover=0)).metrics
    assert metrics.ping_lost == 0
    assert metrics.ping_outage_low_seconds == metrics.ping_longest_low_seconds == 0
    assert metrics.ping_outage_high_seconds == pytest.approx(0.1, abs=1e-6)
    assert metrics.ping_longest_high_seconds == pytest.approx(0.1, abs=1e-6)


def test_two_gaps_add_up(tmp_path: Path) -> None:
    metrics = measure(tmp_path, Model(lost_after_switchover=3, lost_in_precopy=2)).metrics
    assert metrics.ping_lost == 5
    assert metrics.ping_lost_precopy == 2
    assert metrics.ping_outage_low_seconds == pytest.approx(0.3, abs=1e-6)
    assert metrics.ping_outage_high_seconds == pytest.approx(0.7, abs=1e-6)
    assert metrics.ping_longest_high_seconds == pytest.approx(0.4, abs=1e-6)


@pytest.mark.parametrize(("file", "keep"), [("prober/ping.log", 40), ("source/nic.jsonl", 60)])
def test_a_probe_that_died_is_named(tmp_path: Path, file: str, keep: int) -> None:
    write_lab(tmp_path)
    run_dir = write_run(tmp_path, Model())
    path = run_dir / file
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:keep]))
    write_sums(run_dir)
    with pytest.raises(EvidenceError, match=f"{file}: ends .* before the migration: cut off"):
        measure_run(read_run(run_dir / "run.json"), read_evidence(run_dir), read_lab(tmp_path / "lab.json"))


@pytest.mark.parametrize("keep", [10, 200])
def test_a_finer_ping_that_died_leaves_its_outage_unknown(tmp_path: Path, keep: int) -> None:
    """Before the migration was asked for (at line 100), and while it went on."""
    write_lab(tmp_path)
    run_dir = write_run(tmp_path, Model())
    path = run_dir / "prober/ping_fine.log"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:keep]))
    write_sums(run_dir)
    record, lab = read_run(run_dir / "run.json"), read_lab(tmp_path / "lab.json")
    measured = measure_run(record, read_evidence(run_dir), lab)
    assert measured.metrics.fine_outage_high_seconds is None
    assert measured.metrics.fine_period_seconds is None
    assert measured.metrics.ping_lost == 3
    (doubt,) = [text for file, text in measured.doubts if file == "prober/ping_fine.log"]
    assert re.fullmatch(
        r"ends \d+\.\d s before the migration: cut off, the outage that it shows is not known", doubt
    )


def test_a_probe_that_began_late_is_named(tmp_path: Path) -> None:
    write_lab(tmp_path)
    run_dir = write_run(tmp_path, Model())
    path = run_dir / "destination/nic.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[60:]))
    write_sums(run_dir)
    with pytest.raises(EvidenceError, match=r"begins 2\.0 s after the migration"):
        measure_run(read_run(run_dir / "run.json"), read_evidence(run_dir), read_lab(tmp_path / "lab.json"))


def test_events_decide_even_if_the_driver_lagged(tmp_path: Path) -> None:
    """The driver may return late; phases end where libvirt's job ended."""
    write_lab(tmp_path)
    run_dir = write_run(tmp_path, replace(Model(), quiet=5.0))
    record = json.loads((run_dir / "run.json").read_text())
    record["driver"]["finished_at"] += 1.0
    (run_dir / "run.json").write_text(json.dumps(record))
    measured = measure_run(
        read_run(run_dir / "run.json"), read_evidence(run_dir), read_lab(tmp_path / "lab.json")
    )
    assert measured.timeline.completed == pytest.approx(Model().requested_at + Model().completed)
    assert measured.metrics.migration_seconds == pytest.approx(Model().completed + 1.1, abs=1e-3)
