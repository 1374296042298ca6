"""The capture parser on what tcpdump wrote, on the same bytes in other forms, and on garbage."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.evidence.errors import EvidenceError
from analysis.evidence.pcap import Capture, CutCaptureError, Kind, parse_pcap

# Six packets of three pings, an announcement, a gratuitous ARP (record.py).
KINDS = [Kind.REQUEST, Kind.REPLY] * 3 + [Kind.RARP, Kind.ARP]
GUEST_MAC = 0x525400070707


def content(project: Path, name: str) -> bytes:
    return (project / "tests" / "data" / "pcap" / "formats" / f"{name}.pcap").read_bytes()


def parse(data: bytes) -> Capture:
    return parse_pcap(io.BytesIO(data), "source/icmp.pcap")


def records(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(place, header, packet) of each packet of a little-endian file."""
    place = 24
    while place < len(data):
        kept = struct.unpack_from("<I", data, place + 8)[0]
        yield place, data[place : place + 16], data[place + 16 : place + 16 + kept]
        place += 16 + kept


def big_endian(data: bytes) -> bytes:
    """The same capture as a big-endian machine would have written it."""
    whole = struct.pack(">IHHiIII", *struct.unpack_from("<IHHiIII", data))
    for _, header, packet in records(data):
        whole += struct.pack(">IIII", *struct.unpack("<IIII", header)) + packet
    return whole


def tagged(data: bytes) -> bytes:
    """The same packets in a network with an 802.1Q tag."""
    whole = data[:24]
    for _, header, packet in records(data):
        seconds, fraction, kept, length = struct.unpack("<IIII", header)
        whole += struct.pack("<IIII", seconds, fraction, kept + 4, length + 4)
        whole += packet[:12] + bytes.fromhex("81000007") + packet[12:]
    return whole


def in_tunnels(data: bytes, port: int = 4789) -> bytes:
    """The same packets as they travel between hosts in VXLAN: Ethernet, IPv4, UDP, VXLAN, and the frame."""
    whole = data[:24]
    for _, header, packet in records(data):
        seconds, fraction, kept, length = struct.unpack("<IIII", header)
        outer = bytes.fromhex("525400000001525400000002") + struct.pack(">H", 0x0800)
        outer += struct.pack(">BBHIBBHII", 0x45, 0, 36 + length, 0x4000, 64, 17, 0, 0x0A5B030B, 0x0A5B030C)
        outer += struct.pack(">HHHH", 49152, port, 16 + length, 0) + struct.pack(">II", 0x08000000, 7 << 8)
        whole += struct.pack("<IIII", seconds, fraction, kept + len(outer), length + len(outer))
        whole += outer + packet
    return whole


def test_what_tcpdump_wrote(project: Path) -> None:
    capture = parse(content(project, "plain"))
    assert capture.kind.tolist() == KINDS
    assert capture.sequence.tolist() == [1, 1, 2, 2, 3, 3, 0, 0]
    assert len(set(capture.identifier[:6].tolist())) == 1
    assert capture.ip_bytes.tolist() == [44] * 6 + [0, 0]
    assert capture.gratuitous.tolist() == [False] * 7 + [True]
    assert [int(mac) == GUEST_MAC for mac in capture.sender_mac] == [False, True] * 3 + [True, True]
    assert np.diff(capture.time).min() > 0
    assert 1795633000 < capture.time[0] < 1795634000


@pytest.mark.parametrize("form", [big_endian, tagged])
def test_other_forms_of_the_same_packets_say_the_same(project: Path, form: object) -> None:
    assert callable(form)
    expected, found = parse(content(project, "plain")), parse(form(content(project, "plain")))
    for name in vars(expected):
        assert np.array_equal(getattr(expected, name), getattr(found, name)), name


@pytest.mark.parametrize("form", [in_tunnels, lambda data: in_tunnels(tagged(data))])
def test_what_is_in_tunnels_counts(project: Path, form: Callable[[bytes], bytes]) -> None:
    expected, found = parse(content(project, "plain")), parse(form(content(project, "plain")))
    assert not expected.tunnelled.any() and found.tunnelled.all()
    for name in set(vars(expected)) - {"tunnelled"}:
        assert np.array_equal(getattr(expected, name), getattr(found, name)), name


def test_what_a_host_captured_of_a_tunnel(project: Path) -> None:
    """At the guest interface of the source, in a lab with tunnels of Open vSwitch: four pings and an ARP."""
    capture = parse(content(project, "tunnels"))
    assert capture.kind.tolist() == [Kind.REQUEST, Kind.REPLY] * 4 + [Kind.ARP] * 2
    assert capture.tunnelled.all() and not capture.gratuitous.any()
    assert capture.sequence.tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 0, 0]
    assert capture.ip_bytes.tolist() == [84] * 8 + [0, 0]
    assert [int(mac) == 0x52540A5C0268 for mac in capture.sender_mac] == [False, True] * 5


def test_other_datagrams_are_no_tunnels(project: Path) -> None:
    found = parse(in_tunnels(content(project, "plain"), port=4790))
    assert not found.tunnelled.any() and set(found.kind.tolist()) == {Kind.OTHER}


@pytest.mark.parametrize("kept", [60, 90])
def test_of_a_tunnels_frame_enough_has_to_be_kept(project: Path, kept: int) -> None:
    data = in_tunnels(content(project, "plain"))
    _, header, packet = next(records(data))
    length = struct.unpack_from("<I", header, 12)[0]
    cut = data[:24] + header[:8] + struct.pack("<II", kept, length) + packet[:kept]
    with pytest.raises(EvidenceError, match=f"only {kept} of its {length} bytes were kept"):
        parse(cut)


def test_nanoseconds(project: Path) -> None:
    expected, found = parse(content(project, "plain")), parse(content(project, "nano"))
    assert found.time == pytest.approx(expected.time, abs=2e-6)
    assert found.kind.tolist() == KINDS


def test_any_cut_into_pieces_gives_the_same(project: Path) -> None:
    data = content(project, "plain")
    pieces = [data[start : start + 7] for start in range(0, len(data), 7)]
    assert np.array_equal(parse_pcap(pieces, "x").time, parse(data).time)


def test_more_packets_than_a_piece_holds(project: Path) -> None:
    """A megabyte and more, as a run of ten minutes has: packets across the border of two pieces."""
    data = content(project, "plain")
    copies, third = 8000, list(records(data))[2][0]
    capture = parse(data[:24] + data[24:third] * copies)
    once = parse(data[:third])
    assert len(capture.time) == len(once.time) * copies
    assert capture.sequence.tolist() == once.sequence.tolist() * copies


def test_an_empty_capture_has_no_packets(project: Path) -> None:
    assert len(parse(content(project, "plain")[:24]).time) == 0


def test_too_little_kept_of_a_packet_names_it(project: Path) -> None:
    with pytest.raises(EvidenceError, match=r"packet 1 at byte 24: only 40 of its 58 bytes .*snaplen"):
        parse(content(project, "cut"))


def test_a_cut_last_packet_names_it(project: Path) -> None:
    data = content(project, "plain")
    last = list(records(data))[-1][0]
    for end in (last + 1, last + 16, len(data) - 1):
        with pytest.raises(CutCaptureError, match=f"truncated: packet 8 at byte {last} has no end") as caught:
            parse(data[:end])
        assert caught.value.whole.time.tolist() == parse(data[:last]).time.tolist()


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, b"\x0a\x0d\x0d\x0a", "is pcapng, this version reads pcap"),
        (0, b"\x34\xcd\xb2\xa1", "does not begin as a pcap file"),
        (4, b"\x03\x00", "pcap version 3"),
        (20, b"\x71\x00", r"link type 113 \(Linux cooked, of the interface any\), expected 1"),
        (24 + 8, b"\xff\xff\xff\x7f", "packet 1 at byte 24: a packet of 2147483647 bytes"),
        (24 + 12, b"\x01\x00\x00\x00", "packet 1 at byte 24: its record header is impossible"),
        (24 + 4, b"\xff\xff\xff\x7f", "packet 1 at byte 24: its record header is impossible"),
        (98 + 0, b"\x00\x00\x00\x60", "packet 2: clock went back"),
    ],
)
def test_garbage_names_its_place(project: Path, place: int, value: bytes, message: str) -> None:
    data = bytearray(content(project, "plain"))
    data[place : place + len(value)] = value
    with pytest.raises(EvidenceError, match=message) as caught:
        parse(bytes(data))
    assert caught.value.file == "source/icmp.pcap"


def test_no_file_header() -> None:
    with pytest.raises(EvidenceError, match="truncated: 0 bytes"):
        parse(b"")


@given(st.binary(max_size=300))
def test_random_bytes_are_named_never_a_crash(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        parse(data)


@given(st.data())
def test_a_real_capture_with_any_bytes_changed(project: Path, data: st.DataObject) -> None:
    whole = bytearray(content(project, "plain"))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=8)):
        whole[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    try:
        capture = parse(bytes(whole[:cut]))
    except EvidenceError:
        return
    assert len(capture.time) == len(capture.kind) == len(capture.sender_mac) <= 8
    assert np.isfinite(capture.time).all()
