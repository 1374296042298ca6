"""Bytes on one basis whatever an interface counts, and what is left of counters that are renewed seldom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.evidence.errors import EvidenceError
from analysis.evidence.logs import Evidence, read_evidence
from analysis.evidence.nic import NicLog
from analysis.evidence.records import read_lab, read_run
from analysis.run.measure import Measured, measure_run
from analysis.run.traffic import acknowledgement_bytes, first_activity, resolution_seconds, wire_bytes
from contract.records import LabRecord, Link, RunRecord

UNLOADED, STRESSED = "hybrid-s-unloaded-1gbit/01", "hybrid-s-stress-2x256mib-1gbit/02"
Change = Callable[[NicLog], NicLog]


class Recorded:
    """A recorded run, to be measured again with other counters."""

    def __init__(self, project: Path, run: str) -> None:
        results = project / "tests/data/results/quick/local"
        self.run: RunRecord = read_run(results / "runs" / run / "run.json")
        self.lab: LabRecord = read_lab(results / "lab.json")
        self.evidence: Evidence = read_evidence(results / "runs" / run)

    def measure(self, source: Change | None = None, destination: Change | None = None) -> Measured:
        evidence = replace(
            self.evidence,
            source_nic=(source or replace)(self.evidence.source_nic),
            destination_nic=(destination or replace)(self.evidence.destination_nic),
        )
        return measure_run(self.run, evidence, self.lab)


@pytest.fixture(scope="module")
def unloaded(project: Path) -> Recorded:
    return Recorded(project, UNLOADED)


@pytest.fixture(scope="module")
def stressed(project: Path) -> Recorded:
    return Recorded(project, STRESSED)


def renewed_every(period: float, phase: float = 0.0) -> Change:
    """The counters of a card that renews them once in a period."""

    def change(log: NicLog) -> NicLog:
        due = np.floor((log.time - phase) / period) * period + phase
        at = np.maximum(np.searchsorted(log.time, due, side="right") - 1, 0)
        columns = ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets")
        return replace(log, **{name: getattr(log, name)[at] for name in columns})

    return change


def with_headers(old: int, new: int) -> Change:
    """The counters had every packet had headers of another size."""

    def change(log: NicLog) -> NicLog:
        return replace(
            log,
            rx_bytes=log.rx_bytes + (new - old) * (log.rx_packets - log.rx_packets[0]),
            tx_bytes=log.tx_bytes + (new - old) * (log.tx_packets - log.tx_packets[0]),
        )

    return change


def as_a_card_counts(segment: int, header: int) -> Change:
    """The counters of a card that counts each segment: what Linux handed down together, taken apart."""

    def apart(octets: NDArray[np.float64], packets: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        payload = octets - octets[0] - header * (packets - packets[0])
        number = np.maximum(packets - packets[0], np.ceil(payload / segment))
        return payload + header * number, number

    def change(log: NicLog) -> NicLog:
        tx_bytes, tx_packets = apart(log.tx_bytes, log.tx_packets)
        rx_bytes, rx_packets = apart(log.rx_bytes, log.rx_packets)
        return replace(
            log, tx_bytes=tx_bytes, tx_packets=tx_packets, rx_bytes=rx_bytes, rx_packets=rx_packets
        )

    return change


# One TCP stream over a veth between two namespaces, behind tbf at 1 Gbit/s, Linux 6.18: counted with
# segmentation offload, and the same payload with tso, gso and gro off, when a capture counted the same.
@pytest.mark.parametrize(
    ("octets", "packets", "header", "mtu", "without_offload", "within"),
    [
        (314899752, 4954, 66, 1500, 328911506, 2e-6),
        (314842720, 4998, 54, 1500, 326208138, 2e-6),
        (314909408, 5100, 66, 9000, 316902514, 3e-5),
        (315002034, 4991, 86, 1500, 333518248, 2e-6),
        (31490354, 501, 66, 1500, 32891666, 2e-5),
        # Writes of one page: the last of three segments is not full.
        (63925144, 15264, 66, 1500, 65947582, 2.5e-3),
    ],
)
def test_bytes_with_every_segments_headers_are_what_passes_without_offload(
    octets: int, packets: int, header: int, mtu: int, without_offload: int, within: float
) -> None:
    found = wire_bytes(np.array([float(octets)]), np.array([float(packets)]), header, mtu + 14 - header)
    assert found[0] == pytest.approx(without_offload, rel=within)


@pytest.mark.parametrize(
    ("octets", "packets", "header", "mtu"),
    [(328911506, 217253, 66, 1500), (326208138, 215469, 54, 1500), (316902514, 35163, 66, 9000)],
)
def test_segments_counted_one_by_one_are_left_alone(octets: int, packets: int, header: int, mtu: int) -> None:
    found = wire_bytes(np.array([float(octets)]), np.array([float(packets)]), header, mtu + 14 - header)
    assert found[0] == octets


def test_a_card_and_a_veth_tell_the_same_of_one_migration(stressed: Recorded) -> None:
    veth, card = stressed.measure(), stressed.measure(*[as_a_card_counts(1448, 66)] * 2)
    for name in ("forward_bytes", "forward_bytes_received", "backward_bytes", "link_use"):
        assert getattr(card.metrics, name) == pytest.approx(getattr(veth.metrics, name), rel=1e-3), name
    assert card.metrics.forward_bytes / (card.metrics.forward_bytes_libvirt or 0) == pytest.approx(
        1.046, abs=0.001
    )


def test_while_it_sends_a_migration_passes_what_the_link_passes(stressed: Recorded) -> None:
    """tbf charges each segment's headers, iperf3 tells payload: on one basis busy samples are at the rate."""
    measured = stressed.measure()
    sent, timeline = measured.wire.source_sent, measured.timeline
    inside = (sent.time[1:] > timeline.requested) & (sent.time[:-1] < timeline.completed)
    rates = (np.diff(sent.bytes) * 8 / np.diff(sent.time))[inside]
    assert measured.metrics.link_wire_rate_bits_per_second == pytest.approx(1e9, rel=0.005)
    assert float(np.median(rates)) == pytest.approx(
        measured.metrics.link_wire_rate_bits_per_second, rel=0.005
    )


def test_a_link_that_nobody_measured_has_its_configured_rate_on_the_wire(stressed: Recorded) -> None:
    measured = measure_run(stressed.run, stressed.evidence, replace(stressed.lab, link=Link()))
    assert measured.metrics.link_wire_rate_bits_per_second == 1e9
    assert measured.metrics.link_rate_bits_per_second == pytest.approx(1e9 * 1448 / 1514)


def test_the_mtu_comes_from_lab_json(tmp_path: Path, stressed: Recorded) -> None:
    """On jumbo frames a packet of 9014 bytes is one segment."""
    nodes = {name: {"mtu_bytes": {"migration0": 9000}} for name in ("compute1", "compute2")}
    lab = replace(stressed.lab, nodes=nodes)
    assert lab.mtu_bytes("compute1", "migration0") == 9000
    assert [lab.mtu_bytes(*where) for where in (("compute1", "eth0"), (None, "migration0"))] == [1500, 1500]
    for odd in (None, "9000", 0, 10**6, {}):
        assert replace(lab, nodes={"a": {"mtu_bytes": {"x": odd}}}).mtu_bytes("a", "x") == 1500
    small = measure_run(stressed.run, stressed.evidence, stressed.lab).metrics.forward_bytes
    jumbo = measure_run(stressed.run, stressed.evidence, lab).metrics.forward_bytes
    assert jumbo / small == pytest.approx((9014 / 8948) / (1514 / 1448), rel=1e-3)


@pytest.mark.parametrize(("period", "phase"), [(1.0, 0.0), (1.0, 0.4), (2.0, 0.0), (2.0, 1.1), (0.5, 0.2)])
@pytest.mark.parametrize("hosts", ["both", "source", "destination"])
@pytest.mark.parametrize("run", ["unloaded", "stressed"])
def test_counters_renewed_seldom_tell_totals_and_no_moments(
    request: pytest.FixtureRequest, run: str, hosts: str, period: float, phase: float
) -> None:
    recorded: Recorded = request.getfixturevalue(run)
    good = recorded.measure().metrics
    seldom = renewed_every(period, phase)
    measured = recorded.measure(
        seldom if hosts != "destination" else None, seldom if hosts != "source" else None
    )
    metrics = measured.metrics
    for name in ("forward_bytes", "forward_bytes_received", "backward_bytes", "backward_bytes_received"):
        assert getattr(metrics, name) == pytest.approx(getattr(good, name), rel=0.005), name
    source_unknown = [metrics.setup_seconds, metrics.precopy_seconds, metrics.link_use]
    source_unknown.append(metrics.migration_seconds_wire)
    assert (source_unknown == [None] * 4) == (hosts != "destination")
    destination_unknown = [
        metrics.border_by_traffic_seconds,
        metrics.last_page_seconds,
        metrics.borders_agree,
    ]
    if hosts != "source":
        assert destination_unknown == [None] * 3
    elif run == "stressed":
        assert destination_unknown[0] == pytest.approx(good.border_by_events_seconds, abs=0.15)
    ((file, text),) = measured.doubts
    assert file == ("destination/nic.jsonl" if hosts == "destination" else "source/nic.jsonl")
    assert text.startswith(f"counters are renewed only once in {period:.1f} s")
    assert metrics.ping_lost_precopy == good.ping_lost_precopy
    assert metrics.downtime_seconds == good.downtime_seconds


def test_counters_renewed_too_seldom_for_the_quiet_seconds_exclude_the_run(stressed: Recorded) -> None:
    with pytest.raises(
        EvidenceError, match=r"source/nic.jsonl: counters are renewed once in \d+\.\d s and end"
    ):
        stressed.measure(renewed_every(9.0, stressed.evidence.source_nic.time[0]))


def test_counters_of_every_recorded_run_show_moments(project: Path) -> None:
    runs = sorted((project / "tests/data/results").glob("*/*/runs/*/*/source/nic.jsonl"))
    assert len(runs) >= 8
    for path in runs:
        run, evidence = read_run(path.parents[1] / "run.json"), read_evidence(path.parents[1])
        rate = run.spec.link_rate_bits_per_second
        for log, octets in (
            (evidence.source_nic, evidence.source_nic.tx_bytes),
            (evidence.destination_nic, evidence.destination_nic.rx_bytes),
        ):
            assert resolution_seconds(log.time, octets, rate) < 0.1, path
        assert acknowledgement_bytes(evidence.destination_nic, evidence.source_nic) == 66, path


@pytest.mark.parametrize("rate", [1e9, 10e9, 100e9])
def test_one_sample_may_hold_all_that_a_fast_link_carries(rate: float) -> None:
    """Nothing tells such counters from seldom renewed ones, as long as the link could carry it."""
    time = np.arange(0, 5, 0.05)
    octets = np.where(time >= 2.0, 100e6, 0.0)
    seldom = resolution_seconds(time, octets, rate) > 0.25
    assert seldom == (rate < 100e6 * 8 / 0.075)


def test_idle_counters_are_as_good_as_their_samples() -> None:
    time = np.arange(0, 5, 0.05)
    assert resolution_seconds(time, np.zeros(100), 1e9) == pytest.approx(0.05)


@pytest.mark.parametrize("header", [54, 66, 70, 74, 78, 86, 90])
def test_the_size_of_an_acknowledgement_is_learned(stressed: Recorded, header: int) -> None:
    """IPv4 or IPv6, TCP with timestamps or without, a VLAN tag that is counted: the border stays."""
    good = stressed.measure()
    measured = stressed.measure(with_headers(66, header), with_headers(66, header))
    assert measured.wire.header_bytes == header
    assert measured.metrics.border_by_traffic_seconds == good.metrics.border_by_traffic_seconds
    assert measured.metrics.last_page_seconds == good.metrics.last_page_seconds
    assert measured.metrics.borders_agree is True
    assert measured.doubts == ()


def test_acknowledgements_of_no_known_size_leave_the_border_unknown_and_say_so(stressed: Recorded) -> None:
    measured = stressed.measure(with_headers(66, 150), with_headers(66, 150))
    assert measured.wire.header_bytes is None
    assert measured.metrics.border_by_traffic_seconds is None
    assert measured.doubts == (
        (
            "destination/nic.jsonl",
            "does not show the size of a bare acknowledgement (54 to 118 bytes): the border by reverse "
            "traffic and the last page asked for are unknown",
        ),
    )


def test_a_migration_far_slower_than_its_link_has_a_start(stressed: Recorded) -> None:
    measured = stressed.measure()
    sent, timeline = measured.wire.source_sent, measured.timeline
    found = first_activity(sent, timeline.requested, timeline.completed, 100e9)
    assert found == pytest.approx(timeline.started, abs=0.1)


def test_a_report_names_the_seldom_renewed_counters_once(project: Path) -> None:
    """As an adapter is said to do it: 0, 98 or 163 MB were told of 173, and link use 16."""
    recorded = Recorded(project, UNLOADED)
    measured = recorded.measure(renewed_every(1.0), renewed_every(1.0, 0.02))
    assert [text for _, text in measured.doubts] == [
        "counters are renewed only once in 1.0 s (destination/nic.jsonl too): totals are read once they "
        "stand still; the start of the bytes, link use, the border by reverse traffic, the last page asked "
        "for are unknown"
    ]
    assert measured.metrics.forward_bytes == pytest.approx(181e6, rel=0.002)
