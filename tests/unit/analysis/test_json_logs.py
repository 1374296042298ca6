"""The JSON-lines parsers: what they keep, and what they refuse with file and line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.evidence.errors import EvidenceError
from analysis.evidence.events import parse_events
from analysis.evidence.job import parse_job
from analysis.evidence.nic import parse_nic
from analysis.evidence.progress import parse_progress

Parser = Callable[[Iterable[bytes], str], Any]
NIC = {"t": 100.0, "interface": "migration0", "rx_bytes": 1, "tx_bytes": 2, "rx_packets": 3, "tx_packets": 4}


def lines(*rows: object) -> list[bytes]:
    return [json.dumps(row).encode() + b"\n" for row in rows]


def test_nic_counters() -> None:
    log = parse_nic(lines(NIC, {**NIC, "t": 100.05, "tx_bytes": 1002}), "nic.jsonl")
    assert log.interface == "migration0"
    assert log.time.tolist() == [100.0, 100.05]
    assert log.tx_bytes.tolist() == [2, 1002]


def test_the_busiest_interface_is_the_migrations() -> None:
    guest = {**NIC, "interface": "guest0"}
    rows = [NIC, guest, {**NIC, "rx_bytes": 10**6}, {**guest, "rx_bytes": 10**5}]
    assert parse_nic(lines(*rows), "nic.jsonl").interface == "migration0"


def test_another_interface_may_come_go_and_be_reset() -> None:
    """A guest's or the management's interface is no evidence of the migration."""
    guest = {**NIC, "interface": "guest0", "rx_bytes": 500}
    late = {**NIC, "interface": "tap7"}
    rows = [NIC, guest, {**NIC, "rx_bytes": 10**6}, {**guest, "rx_bytes": 0}, late]
    log = parse_nic(lines(*rows), "nic.jsonl")
    assert (log.interface, log.rx_bytes.tolist()) == ("migration0", [1, 10**6])


def test_counters_of_32_bits_go_on_after_their_turn() -> None:
    rows = [
        {**NIC, "tx_bytes": count, "tx_packets": 10 + row}
        for row, count in enumerate((2**32 - 700, 300, 5000))
    ]
    assert np.diff(parse_nic(lines(*rows), "nic.jsonl").tx_bytes).tolist() == [1000, 4700]


def test_a_counter_of_64_bits_that_falls_was_reset() -> None:
    rows = [{**NIC, "tx_bytes": 2**33}, {**NIC, "tx_bytes": 2**33 + 9000}, {**NIC, "tx_bytes": 40}]
    with pytest.raises(EvidenceError, match='"tx_bytes" of migration0 went back: the interface was reset'):
        parse_nic(lines(*rows), "nic.jsonl")


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({**NIC, "t": 99.0}, "clock went back by 1.000 s"),
        ({**NIC, "tx_bytes": 1}, '"tx_bytes" of migration0 went back'),
        ({**NIC, "tx_bytes": None}, '"tx_bytes" is not a counter'),
        ({**NIC, "tx_bytes": True}, '"tx_bytes" is not a counter'),
        ({**NIC, "interface": None}, '"interface" is not a name'),
        ({**NIC, "t": "now"}, '"t" is not a time'),
        ({**NIC, "t": 1.7e12}, '"t" is not a time'),
        ([1], "not a JSON object"),
    ],
)
def test_bad_nic_sample_names_its_line(second: object, message: str) -> None:
    with pytest.raises(EvidenceError, match=message) as caught:
        parse_nic(lines(NIC, second), "source/nic.jsonl")
    assert str(caught.value).startswith("source/nic.jsonl:2: ")


def test_truncated_last_line() -> None:
    with pytest.raises(EvidenceError, match=r"nic.jsonl:2: truncated"):
        parse_nic([*lines(NIC), b'{"t": 100.1, "interf'], "nic.jsonl")


def test_job_statistics_keep_the_last_with_memory() -> None:
    first = {"t": 1.0, "job": {"memory_processed": 10, "memory_iteration": 1}}
    second = {"t": 2.0, "job": {"memory_processed": 30, "memory_iteration": 2, "memory_dirty_rate": 5}}
    log = parse_job(lines(first, second, {"t": 3.0, "job": {"type": 0}}), "job.jsonl")
    assert log.memory_processed_bytes.tolist()[:2] == [10, 30]
    assert log.last["memory_iteration"] == 2


def test_job_may_be_empty() -> None:
    assert len(parse_job([], "job.jsonl").time) == 0


def test_events_in_order_with_their_keys() -> None:
    events = parse_events(
        lines(
            {"t": 1.0, "event": "migration-iteration", "iteration": 2},
            {"t": 2.0, "event": "lifecycle", "name": "SUSPENDED", "detail": "POSTCOPY"},
            {"t": 3.0, "event": "job-completed", "job": {"downtime": 12}},
        ),
        "events.jsonl",
    )
    assert [event.kind for event in events] == ["migration-iteration", "lifecycle", "job-completed"]
    assert events[0].iteration == 2
    assert events[1].detail == "POSTCOPY"
    assert events[2].job == {"downtime": 12}


def test_events_of_two_writers_are_put_in_order() -> None:
    rows = [{"t": time, "event": "driver"} for time in (10.0, 9.8, 10.2)]
    events = parse_events(lines(*rows), "events.jsonl")
    assert [event.time for event in events] == [9.8, 10.0, 10.2]
    assert [event.line for event in events] == [2, 1, 3]


def test_event_without_its_kind() -> None:
    with pytest.raises(EvidenceError, match=r'events.jsonl:1: garbled: "event"'):
        parse_events(lines({"t": 1.0}), "events.jsonl")


def test_progress() -> None:
    sample = {
        "guest_monotonic_seconds": 10.0,
        "guest_epoch_seconds": 1.7e9,
        "pattern_bytes_written": 4096,
        "stressor_cpu_seconds": 0.5,
    }
    log = parse_progress(lines(sample, {**sample, "guest_monotonic_seconds": 10.1}), "progress.jsonl")
    assert log.guest_monotonic_seconds.tolist() == [10.0, 10.1]
    with pytest.raises(EvidenceError, match="monotonic clock went back"):
        parse_progress(lines(sample, {**sample, "guest_monotonic_seconds": 9.0}), "progress.jsonl")


@pytest.mark.parametrize("parser", [parse_nic, parse_job, parse_events, parse_progress])
@given(content=st.binary(min_size=1, max_size=200))
def test_garbage_is_named_never_a_crash(parser: Parser, content: bytes) -> None:
    with pytest.raises(EvidenceError):
        parser(content.splitlines(keepends=True), "log")


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NIC, "event", "job"]), inner, max_size=5)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("parser", [parse_nic, parse_job, parse_events, parse_progress])
@given(rows=st.lists(_JSON, max_size=5))
def test_any_json_is_read_or_named(parser: Parser, rows: list[Any]) -> None:
    try:
        parser(lines(*rows), "log")
    except EvidenceError as error:
        assert error.file == "log"
