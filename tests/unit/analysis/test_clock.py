"""Offsets between nodes: from exchanges with a known truth, and what becomes of clocks that jump."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.evidence.clock import Exchanges, parse_clock
from analysis.evidence.errors import EvidenceError
from analysis.evidence.records import read_lab, read_run
from analysis.run.clock import ClockModel, clock_model
from analysis.run.metrics import RunMetrics
from analysis.study.results import Notice, RunResult, load_results
from contract.records import LabRecord, RunRecord
from tests.unit.analysis.builder import EPOCH, Model, write_lab, write_run, write_study, write_sums


def exchange(
    node: str, at: float, offset: float, there: float = 0.0002, back: float = 0.0002
) -> dict[str, Any]:
    """One exchange of a node whose clock is ahead by `offset`; ways of these lengths, 50 us at the node."""
    received = at + there
    return {
        "t": at + there + 50e-6 + back,
        "node": node,
        "sent_at": at,
        "received_at": received + offset,
        "answered_at": received + 50e-6 + offset,
        "returned_at": received + 50e-6 + back,
    }


def parse(rows: Iterable[Mapping[str, Any]]) -> Mapping[str, Exchanges]:
    return parse_clock([json.dumps(row).encode() + b"\n" for row in rows], "prober/clock.jsonl")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clock")
    write_lab(root, {"controller": 0.3, "compute1": 0.5, "compute2": -0.1}, uncertainty=0.002)
    write_run(root, Model())
    return root


@pytest.fixture
def run(written: Path) -> RunRecord:
    return read_run(next(written.glob("runs/*/01/run.json")))


@pytest.fixture
def lab(written: Path) -> LabRecord:
    return read_lab(written / "lab.json")


def model(run: RunRecord, lab: LabRecord, ahead: Mapping[str, float], drift: float = 0.0) -> ClockModel:
    times = np.arange(-10, 30)
    return clock_model(
        run,
        lab,
        parse(
            exchange(node, EPOCH + second, offset + drift * second)
            for second in times.tolist()
            for node, offset in ahead.items()
        ),
    )


@given(
    offset=st.floats(-100, 100), there=st.floats(0, 0.2), back=st.floats(0, 0.2), at=st.floats(1.7e9, 1.8e9)
)
def test_the_true_offset_is_within_the_error(offset: float, there: float, back: float, at: float) -> None:
    exchanges = parse([exchange("compute1", at, offset, there, back)])["compute1"]
    assert exchanges.offset_seconds[0] == pytest.approx(offset, abs=float(exchanges.error_seconds[0]) + 2e-6)
    assert exchanges.error_seconds[0] == pytest.approx((there + back) / 2, abs=2e-6)


def test_the_quickest_exchange_of_each_span_counts(run: RunRecord, lab: LabRecord) -> None:
    rows = [
        exchange(node, EPOCH + second, 0.25, 0.001, 0.09)
        for node in ("compute1", "compute2")
        for second in (-5, 2, 28)
    ]
    rows += [exchange("compute1", EPOCH - 3, 0.25), exchange("compute2", EPOCH - 3, 0.25)]
    clock = clock_model(run, lab, parse(sorted(rows, key=lambda row: row["t"]))).nodes["compute1"]
    assert [anchor.span for anchor in clock.anchors] == ["before", "during", "after"]
    assert clock.anchors[0].uncertainty_seconds == pytest.approx(0.0002, abs=1e-6)
    assert clock.uncertainty_seconds == pytest.approx(0.0455, abs=1e-4), "the worst anchor's"
    assert clock.anchors[0].line == 3


def test_moments_come_onto_the_probers_clock_with_drift(run: RunRecord, lab: LabRecord) -> None:
    clocks = model(run, lab, {"compute1": 0.5, "compute2": -2.0}, drift=100e-6)
    assert clocks.exchanged
    assert clocks.nodes["compute1"].drift_ppm == pytest.approx(100, abs=5)
    for second in (-8.0, 0.0, 20.0):
        own = EPOCH + second + 0.5 + 100e-6 * second
        assert clocks.on_prober("compute1", own) == pytest.approx(EPOCH + second, abs=3e-4)
    times = clocks.on_prober("compute2", np.array([EPOCH - 2.0]))
    assert times[0] == pytest.approx(EPOCH, abs=3e-4)
    assert clocks.on_prober("controller", EPOCH) == EPOCH


def test_two_nodes_are_less_sure_than_one(run: RunRecord, lab: LabRecord) -> None:
    clocks = model(run, lab, {"compute1": 0.5, "compute2": -2.0})
    assert clocks.uncertainty_seconds("compute1", "compute2") == pytest.approx(0.0004, abs=1e-5)
    assert clocks.uncertainty_seconds("compute1", "controller") == pytest.approx(0.0002, abs=1e-5)
    assert clocks.uncertainty_seconds("compute1", "compute1") == 0
    assert clocks.jumps == ()


def test_without_exchanges_lab_json_is_taken(run: RunRecord, lab: LabRecord) -> None:
    clocks = clock_model(run, lab, None)
    assert not clocks.exchanged
    assert clocks.on_prober("compute1", EPOCH) == pytest.approx(EPOCH - 0.2)
    assert clocks.on_prober("compute2", EPOCH) == pytest.approx(EPOCH + 0.4)
    assert clocks.uncertainty_seconds("compute1", "controller") == pytest.approx(0.004)


@pytest.mark.parametrize("ahead", [0.03, -0.03])
def test_a_clock_that_jumps_a_little_is_named_and_believed_less(
    run: RunRecord, lab: LabRecord, ahead: float
) -> None:
    rows = [
        exchange(node, EPOCH + second, ahead if node == "compute2" and second >= 3 else 0.0)
        for second in range(-5, 30)
        for node in ("compute1", "compute2")
    ]
    clocks = clock_model(run, lab, parse(rows))
    (jump,) = clocks.jumps
    assert (jump.node, jump.line, jump.during, jump.large) == ("compute2", 18, True, False)
    assert jump.seconds == pytest.approx(ahead, abs=1e-6)
    assert clocks.uncertainty_seconds("compute1", "compute2") > 0.03
    assert clocks.known("compute1", "compute2")


def test_a_node_that_never_answered_is_named_and_taken_from_lab_json(run: RunRecord, lab: LabRecord) -> None:
    clocks = model(run, lab, {"compute1": 0.0})
    assert clocks.silent == ("compute2",)
    assert clocks.on_prober("compute2", EPOCH) == pytest.approx(EPOCH + 0.4)
    assert clocks.on_prober("compute1", EPOCH) == pytest.approx(EPOCH, abs=1e-3)


def test_the_prober_may_be_a_compute(run: RunRecord, lab: LabRecord) -> None:
    clocks = model(replace(run, nodes=replace(run.nodes, prober="compute1")), lab, {"compute2": 1.0})
    assert clocks.on_prober("compute1", EPOCH) == EPOCH


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"node": 3}, '"node" is not a name'),
        ({"sent_at": None}, '"sent_at" is not a time'),
        ({"returned_at": EPOCH - 1}, "the prober's clock went back"),
        ({"answered_at": EPOCH - 1}, "compute1's clock went back"),
        ({"t": EPOCH - 5}, "clock went back by"),
    ],
)
def test_bad_exchanges_name_their_line(change: Mapping[str, Any], message: str) -> None:
    good = exchange("compute1", EPOCH, 0.0)
    with pytest.raises(EvidenceError, match=message) as caught:
        parse([good, {**good, **change}])
    assert caught.value.line == 2


@given(
    st.lists(
        st.sampled_from([b'{"t": 5', b'"node"', b"{}\n", b"\xff", b"\n", b'{"t":5,"node":"a"}\n']), max_size=5
    )
)
def test_pieces_of_lines_are_named_never_a_crash(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    try:
        found = parse_clock(content.splitlines(keepends=True), "prober/clock.jsonl")
    except EvidenceError:
        return
    assert found == {}


AHEAD = {"compute1": 12.0, "compute2": -3.0}
DRIFT = 200e-6


def stepped(
    root: Path, steps: Mapping[str, tuple[float, float]]
) -> tuple[RunMetrics | None, list[Notice], RunResult]:
    """A made run on machines whose clocks differ, drift by 200 ppm and are set: {node: (when, by how much)}.

    Each file is on its own node's clock, clock.jsonl says what the prober saw.
    """

    def on(node: str, time: float) -> float:
        at, by = steps.get(node, (1e9, 0.0))
        own = AHEAD.get(node, 0.0) + (DRIFT if node in AHEAD else 0.0) * (time - EPOCH)
        return time + own + (by if time >= EPOCH + at else 0.0)

    results = write_study(root, [(Model(), 1)])
    path = results / "lab.json"
    lab = json.loads(path.read_text())
    for name in ("compute1", "compute2"):
        lab["clock_offsets_seconds"][name] = {"offset_seconds": None, "uncertainty_seconds": None}
    path.write_text(json.dumps(lab))
    (run_dir,) = results.glob("runs/*/*")
    for role, node in (("source", "compute1"), ("destination", "compute2")):
        for file in sorted((run_dir / role).glob("*.jsonl")):
            rows = [json.loads(line) for line in file.read_text().splitlines()]
            file.write_text("".join(json.dumps({**row, "t": on(node, row["t"])}) + "\n" for row in rows))
    exchanges = []
    for second in np.arange(-0.9, 12.0, 0.5).tolist():
        for node in AHEAD:
            at = on("controller", EPOCH + second)
            true = exchange(node, EPOCH + second, 0.0)
            times = {
                name: on(node if name in ("received_at", "answered_at") else "controller", true[name])
                for name in ("sent_at", "received_at", "answered_at", "returned_at")
            }
            exchanges.append({"t": at + 0.0005, "node": node, **times})
    (run_dir / "prober/clock.jsonl").write_text("".join(json.dumps(row) + "\n" for row in exchanges))
    record = json.loads((run_dir / "run.json").read_text())
    for key, time in record["driver"].items():
        record["driver"][key] = time and on("compute1", time)
    # The guest is started by the source and answers the prober.
    answered = record["started_at"] + record["guest"]["boot_seconds"]
    record["started_at"] = on("compute1", record["started_at"])
    record["guest"]["boot_seconds"] = answered - record["started_at"]
    (run_dir / "run.json").write_text(json.dumps(record))
    write_sums(run_dir)
    loaded = load_results(results, workers=1)
    (result,) = loaded.runs
    notices = [notice for notice in loaded.notices if notice.file.endswith(("clock.jsonl", "events.jsonl"))]
    return result.metrics, notices, result


ACROSS = (
    "downtime_seconds",
    "switchover_seconds",
    "postcopy_seconds",
    "border_by_events_seconds",
    "border_by_traffic_seconds",
)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> RunMetrics:
    results = write_study(tmp_path_factory.mktemp("steady"), [(Model(), 1)])
    metrics = load_results(results, workers=1).runs[0].metrics
    assert metrics is not None
    return metrics


@pytest.mark.parametrize(
    "steps",
    [
        {},
        {"compute1": (-0.5, 5.0)},
        {"compute2": (-0.5, 5.0)},
        {"compute2": (11.2, 5.0)},
        {"compute1": (-0.5, 5.0), "compute2": (11.2, 5.0)},
    ],
    ids=["drift", "source before", "destination before", "destination after", "both"],
)
def test_machines_that_drift_and_are_set_outside_of_the_migration_keep_their_figures(
    tmp_path: Path, steady: RunMetrics, steps: dict[str, tuple[float, float]]
) -> None:
    metrics, notices, result = stepped(tmp_path, steps)
    assert metrics is not None, notices
    assert result.record.driver is not None and result.record.driver.requested_at > EPOCH + 11
    if "compute1" not in steps:
        assert result.record.guest.boot_seconds == pytest.approx(3.5 - AHEAD["compute1"], abs=0.01)
        assert result.boot_seconds == pytest.approx(3.5, abs=0.003)
    for name in (*ACROSS, "migration_seconds", "first_pass_seconds", "setup_seconds"):
        tolerance = (
            0.12 if name == "border_by_traffic_seconds" else 0.055 if name == "setup_seconds" else 0.003
        )
        assert getattr(metrics, name) == pytest.approx(getattr(steady, name), abs=tolerance), name
    for name in ("ping_lost_precopy", "ping_lost_switchover", "ping_lost_postcopy", "ping_lost_after"):
        assert getattr(metrics, name) == getattr(steady, name), name
    assert metrics.forward_bytes_received == pytest.approx(steady.forward_bytes_received, rel=0.001)
    assert metrics.clock_uncertainty_seconds is not None and metrics.clock_uncertainty_seconds < 0.001
    jumped = [notice.message for notice in notices if "jumped" in notice.message]
    assert len(jumped) == len(steps)
    assert all(
        message.endswith("s against the prober's: not during the migration, so its moments stay")
        for message in jumped
    )


def test_a_destination_set_during_the_migration_leaves_out_what_needs_its_clock(
    tmp_path: Path, steady: RunMetrics
) -> None:
    metrics, notices, _ = stepped(tmp_path, {"compute2": (3.0, 5.0)})
    assert metrics is not None, notices
    assert [getattr(metrics, name) for name in ACROSS] == [None] * len(ACROSS)
    assert metrics.clock_uncertainty_seconds is None
    for name in ("migration_seconds", "forward_bytes", "ping_lost"):
        assert getattr(metrics, name) == pytest.approx(getattr(steady, name), abs=0.003, rel=1e-6), name
    assert metrics.forward_bytes_received == pytest.approx(steady.forward_bytes, rel=0.001)
    (message,) = [notice.message for notice in notices if "clock" in notice.message]
    assert message == (
        "compute2's clock jumped by +5.000 s against the prober's: what two clocks would have to say "
        "together is left out"
    )


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ({"compute1": (3.0, 5.0)}, "compute1's clock jumped by +5.000 s against the prober's during the"),
        ({"controller": (3.0, 5.0)}, "the clock of controller jumped by +5.000 s against all others during"),
    ],
)
def test_a_source_or_prober_set_during_the_migration_excludes_the_run_by_name(
    tmp_path: Path, steps: dict[str, tuple[float, float]], message: str
) -> None:
    metrics, notices, _ = stepped(tmp_path, steps)
    assert metrics is None
    (notice,) = notices
    assert notice.file.endswith("prober/clock.jsonl")
    assert notice.message.startswith(message)
