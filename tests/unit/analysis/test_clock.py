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

from analysis.clock import ClockModel, clock_model
from analysis.errors import EvidenceError
from analysis.parsers.clock import Exchanges, parse_clock
from analysis.parsers.records import LabRecord, RunRecord, read_lab, read_run
from tests.unit.analysis.builder import EPOCH, Model, write_lab, write_run


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


def test_a_clock_that_jumps_is_named_and_believed_less(run: RunRecord, lab: LabRecord) -> None:
    rows = [
        exchange(node, EPOCH + second, 0.25 if node == "compute2" and second >= 3 else 0.0)
        for second in range(-5, 30)
        for node in ("compute1", "compute2")
    ]
    clocks = clock_model(run, lab, parse(rows))
    (jump,) = clocks.jumps
    assert (jump.node, jump.line) == ("compute2", 18)
    assert jump.seconds == pytest.approx(0.25, abs=1e-6)
    assert clocks.uncertainty_seconds("compute1", "compute2") > 0.25


def test_a_node_that_never_answered_is_named_and_taken_from_lab_json(run: RunRecord, lab: LabRecord) -> None:
    clocks = model(run, lab, {"compute1": 0.0})
    assert clocks.silent == ("compute2",)
    assert clocks.on_prober("compute2", EPOCH) == pytest.approx(EPOCH + 0.4)
    assert clocks.on_prober("compute1", EPOCH) == pytest.approx(EPOCH, abs=1e-3)


def test_the_prober_may_be_a_compute(run: RunRecord, lab: LabRecord) -> None:
    clocks = model(replace(run, prober="compute1"), lab, {"compute2": 1.0})
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
