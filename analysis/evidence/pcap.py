"""Packet captures as tcpdump writes them: which echo requests, answers and announcements passed, and when.

The format is the classic one: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/, pcap-savefile(5).
Headers: Ethernet II (IEEE 802.3, one or two 802.1Q tags), IPv4 (RFC 791), ICMP echo (RFC 792), ARP (RFC 826),
RARP (RFC 903), which is how QEMU announces a guest after a migration; VXLAN (RFC 7348), of which the frame
inside is what counts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from analysis.evidence.errors import EvidenceError
from contract.fields import LATEST_EPOCH_SECONDS

T = TypeVar("T", bound=np.generic)

_FILE_HEADER_BYTES = 24
_RECORD_HEADER_BYTES = 16
# First four bytes of a file -> byte order, fractions of a second per unit of its time stamps.
_MAGIC = {
    bytes.fromhex("d4c3b2a1"): ("<", 1e-6),
    bytes.fromhex("a1b2c3d4"): (">", 1e-6),
    bytes.fromhex("4d3cb2a1"): ("<", 1e-9),
    bytes.fromhex("a1b23c4d"): (">", 1e-9),
}
_PCAPNG = bytes.fromhex("0a0d0d0a")
_ETHERNET = 1
# https://www.tcpdump.org/linktypes.html
_OTHER_LINKS = {
    0: "loopback",
    101: "raw IP",
    113: "Linux cooked, of the interface any",
    276: "Linux cooked v2, of the interface any",
}
# libpcap's MAXIMUM_SNAPLEN: a longer packet is no packet.
_MOST_BYTES = 262_144
_PIECE_BYTES = 1 << 20
# Packets of several queues may be written a little out of order; a clock that was set goes back further.
_DISORDER_SECONDS = 0.1
_IPV4, _ARP, _RARP, _VLAN, _QINQ = 0x0800, 0x0806, 0x8035, 0x8100, 0x88A8
_ETHERNET_BYTES, _TAG_BYTES, _ARP_BYTES, _ECHO_BYTES = 14, 4, 28, 8
_PROTOCOL_ICMP, _ECHO_REPLY, _ECHO_REQUEST = 1, 0, 8
_PROTOCOL_UDP, _VXLAN_PORT, _UDP_BYTES, _VXLAN_BYTES = 17, 4789, 8, 8
# The longest way to a field: tags, IP header and VXLAN outside, then tags, IP header and ARP inside.
_LONGEST_HEADERS = 256


class Kind(IntEnum):
    """What a packet is; everything else that passed the capture's filter is OTHER."""

    OTHER = 0
    REQUEST = 1
    REPLY = 2
    ARP = 3
    RARP = 4


@dataclass(frozen=True)
class Capture:
    """The packets of one capture, in the file's order: packet number n is at index n - 1.

    `time` is epoch seconds of the capturing node's clock, `ip_bytes` the length in the IP header,
    `gratuitous` an ARP packet that tells its own address (sender = target) and asks nobody, `tunnelled` one
    that came in VXLAN: the other fields are of the frame inside.
    """

    time: NDArray[np.float64]
    kind: NDArray[np.uint8]
    identifier: NDArray[np.uint16]
    sequence: NDArray[np.uint16]
    ip_bytes: NDArray[np.uint16]
    sender_mac: NDArray[np.uint64]
    gratuitous: NDArray[np.bool_]
    tunnelled: NDArray[np.bool_]


class CutCaptureError(EvidenceError):
    """The last packet of a capture has no end; `whole` has the packets before it."""

    def __init__(self, file: str, message: str, whole: Capture) -> None:
        super().__init__(file, None, message)
        self.whole = whole


def parse_pcap(pieces: Iterable[bytes], file: str) -> Capture:
    """Parse a capture from its bytes in any cut (an open file will do).

    Raises EvidenceError with the packet's number and its place in the file for a capture that is no pcap of
    Ethernet, has impossible headers or a clock that went back, and for a packet of which so little was kept
    (snaplen) that its ICMP or ARP header is missing; CutCaptureError for one whose last packet is cut, as a
    tcpdump leaves it that was killed.
    """
    parts: list[dict[str, NDArray[Any]]] = []
    cut = _parse_pieces(_whole_pieces(pieces), file, parts)
    capture = Capture(
        time=_joined(parts, "time", np.float64),
        kind=_joined(parts, "kind", np.uint8),
        identifier=_joined(parts, "identifier", np.uint16),
        sequence=_joined(parts, "sequence", np.uint16),
        ip_bytes=_joined(parts, "ip_bytes", np.uint16),
        sender_mac=_joined(parts, "sender_mac", np.uint64),
        gratuitous=_joined(parts, "gratuitous", np.bool_),
        tunnelled=_joined(parts, "tunnelled", np.bool_),
    )
    _check_clock(capture.time, file)
    if cut is not None:
        raise CutCaptureError(file, cut, capture)
    return capture


def _whole_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of a useful size, read as such from an open file."""
    read = getattr(pieces, "read", None)
    if read is not None:
        yield from iter(partial(read, _PIECE_BYTES), b"")
        return
    kept: list[bytes] = []
    size = 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size >= _PIECE_BYTES:
            yield b"".join(kept)
            kept, size = [], 0
    yield b"".join(kept)


def _parse_pieces(pieces: Iterator[bytes], file: str, parts: list[dict[str, NDArray[Any]]]) -> str | None:
    """Append the fields of each piece's packets; returns where the last packet is cut, None if it is not."""
    rest, place, packets = b"", 0, 0
    order, unit = "", 0.0
    for piece in pieces:
        rest += piece
        if not order:
            if len(rest) < _FILE_HEADER_BYTES:
                continue
            order, unit = _file_header(rest, file)
            rest, place = rest[_FILE_HEADER_BYTES:], _FILE_HEADER_BYTES
        starts, end = _walk(rest, order, place, packets, file)
        if len(starts):
            parts.append(_headers(rest, starts, order, unit, place, packets, file))
        rest, place, packets = rest[end:], place + end, packets + len(starts)
    if not order:
        raise EvidenceError(file, None, f"truncated: {len(rest)} bytes, less than a pcap file header")
    return f"truncated: packet {packets + 1} at byte {place} has no end" if rest else None


def _file_header(start: bytes, file: str) -> tuple[str, float]:
    if start[:4] == _PCAPNG:
        raise EvidenceError(file, None, "is pcapng, this version reads pcap (as tcpdump -w writes it)")
    if start[:4] not in _MAGIC:
        raise EvidenceError(file, None, "garbled: does not begin as a pcap file")
    order, unit = _MAGIC[start[:4]]
    major, _minor, _zone, _figures, _snaplen, link = struct.unpack_from(order + "HHiIII", start, 4)
    if major != 2:
        raise EvidenceError(file, None, f"pcap version {major}, this version reads 2")
    # The upper bits say whether frames end with a checksum.
    if link & 0xFFFF != _ETHERNET:
        name = _OTHER_LINKS.get(link & 0xFFFF, "unknown")
        what = f"link type {link & 0xFFFF} ({name}), expected {_ETHERNET} (Ethernet, of one interface)"
        raise EvidenceError(file, None, what)
    return order, unit


def _walk(data: bytes, order: str, place: int, packets: int, file: str) -> tuple[NDArray[np.int64], int]:
    """Where each whole record's packet starts in `data`, and where the first cut one begins."""
    length = struct.Struct(order + "I").unpack_from
    begins: list[int] = []
    position, last = 0, len(data) - _RECORD_HEADER_BYTES
    # The loop does no more than it must: there are thousands of packets.
    while position <= last:
        begins.append(position)
        position += _RECORD_HEADER_BYTES + length(data, position + 8)[0]
    starts = np.array(begins, dtype=np.int64) + _RECORD_HEADER_BYTES
    kept = np.diff(starts, append=position + _RECORD_HEADER_BYTES) - _RECORD_HEADER_BYTES
    if (kept > _MOST_BYTES).any():
        first = int(np.argmax(kept > _MOST_BYTES))
        raise _garbled(file, packets + first, place + begins[first], f"a packet of {kept[first]} bytes")
    if position > len(data):
        return starts[:-1], begins[-1]
    return starts, position


def _headers(
    data: bytes, starts: NDArray[np.int64], order: str, unit: float, place: int, packets: int, file: str
) -> dict[str, NDArray[Any]]:
    """The fields of all packets of a piece at once. Bytes behind a packet's end are read as zeros."""
    raw = np.frombuffer(data + bytes(_LONGEST_HEADERS), dtype=np.uint8)
    record = np.dtype([(name, order + "u4") for name in ("seconds", "fraction", "kept", "length")])
    places = starts[:, None] + np.arange(-_RECORD_HEADER_BYTES, 0)
    headers = raw[places].copy().view(record)[:, 0]
    kept, length = headers["kept"].astype(np.int64), headers["length"].astype(np.int64)
    time = headers["seconds"] + headers["fraction"] * unit
    wrong = (kept > length) | (headers["fraction"] * unit >= 1) | (time <= 0) | (time > LATEST_EPOCH_SECONDS)
    if wrong.any():
        first = int(np.argmax(wrong))
        at = place + int(starts[first]) - _RECORD_HEADER_BYTES
        raise _garbled(file, packets + first, at, "its record header is impossible")

    def byte(offset: NDArray[np.int64] | int) -> NDArray[np.int64]:
        value: NDArray[np.int64] = raw[starts + offset].astype(np.int64)
        return value

    def word(offset: NDArray[np.int64] | int) -> NDArray[np.int64]:
        return byte(offset) << 8 | byte(offset + 1)

    def network_of(frame: NDArray[np.int64]) -> NDArray[np.int64]:
        network = frame + _ETHERNET_BYTES
        for _ in range(2):
            tag = word(network - 2)
            network = network + np.where((tag == _VLAN) | (tag == _QINQ), _TAG_BYTES, 0)
        return network

    # The first fragment alone has the header behind IP's; a ping of this kit is never in fragments.
    def carries(network: NDArray[np.int64], protocol: int) -> NDArray[np.bool_]:
        first = word(network + 6) & 0x1FFF == 0
        found: NDArray[np.bool_] = (word(network - 2) == _IPV4) & (byte(network + 9) == protocol) & first
        return found

    frame = np.zeros(len(starts), dtype=np.int64)
    network = network_of(frame)
    transport = network + (byte(network) & 0xF) * 4
    inside = transport + _UDP_BYTES + _VXLAN_BYTES
    tunnelled = carries(network, _PROTOCOL_UDP) & (word(transport + 2) == _VXLAN_PORT)
    tunnelled &= length >= inside + _ETHERNET_BYTES
    frame = np.where(tunnelled, inside, frame)
    network = network_of(frame)
    ethertype = word(network - 2)
    transport = network + (byte(network) & 0xF) * 4
    icmp = carries(network, _PROTOCOL_ICMP)
    arp = (ethertype == _ARP) | (ethertype == _RARP)
    needed = np.where(icmp, transport + _ECHO_BYTES, np.where(arp, network + _ARP_BYTES, 0))
    needed = np.where(tunnelled, np.maximum(needed, frame + _ETHERNET_BYTES), needed)
    cut = (kept < needed) & (length >= needed)
    if cut.any():
        first = int(np.argmax(cut))
        at = place + int(starts[first]) - _RECORD_HEADER_BYTES
        raise EvidenceError(
            file,
            None,
            f"packet {packets + first + 1} at byte {at}: only {kept[first]} of its {length[first]} bytes "
            f"were kept, {needed[first]} are needed (snaplen)",
        )
    whole = kept >= needed
    kind_of_icmp = byte(transport)
    kind = np.select(
        [
            whole & icmp & (kind_of_icmp == _ECHO_REQUEST),
            whole & icmp & (kind_of_icmp == _ECHO_REPLY),
            whole & (ethertype == _ARP),
            whole & (ethertype == _RARP),
        ],
        [Kind.REQUEST, Kind.REPLY, Kind.ARP, Kind.RARP],
        Kind.OTHER,
    )
    echo = (kind == Kind.REQUEST) | (kind == Kind.REPLY)
    sender = np.zeros(len(starts), dtype=np.uint64)
    for offset in range(6, 12):
        sender = sender << np.uint64(8) | raw[starts + frame + offset]
    told, asked = word(network + 14) << 16 | word(network + 16), word(network + 24) << 16 | word(network + 26)
    return {
        "time": time,
        "kind": kind.astype(np.uint8),
        "identifier": np.where(echo, word(transport + 4), 0).astype(np.uint16),
        "sequence": np.where(echo, word(transport + 6), 0).astype(np.uint16),
        "ip_bytes": np.where(echo, word(network + 2), 0).astype(np.uint16),
        "sender_mac": sender,
        "gratuitous": (kind == Kind.ARP) & (told == asked),
        "tunnelled": tunnelled & whole,
    }


def _joined(parts: list[dict[str, NDArray[Any]]], name: str, kind: type[T]) -> NDArray[T]:
    return np.concatenate([part[name] for part in parts]).astype(kind) if parts else np.empty(0, dtype=kind)


def _check_clock(time: NDArray[np.float64], file: str) -> None:
    back = np.maximum.accumulate(time) - time
    if len(back) and back.max() > _DISORDER_SECONDS:
        packet = int(np.argmax(back > _DISORDER_SECONDS))
        raise EvidenceError(file, None, f"packet {packet + 1}: clock went back by {back[packet]:.3f} s")


def _garbled(file: str, packets: int, at: int, what: str) -> EvidenceError:
    return EvidenceError(file, None, f"garbled: packet {packets + 1} at byte {at}: {what}")
