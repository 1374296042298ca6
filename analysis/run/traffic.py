"""The migration's traffic on one clock: bytes with every segment's headers, payload, and what they show.

Interfaces do not count alike. A card that segments in hardware counts segments; one to which the kernel
hands segments down together (veth, virtio: up to 64 KiB with the headers of one) counts those. Bytes here are
always what the segments take on the wire, so that labs compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.evidence.logs import Evidence
from analysis.evidence.nic import NicLog
from analysis.run.clock import ClockModel
from contract.records import LabRecord, RunRecord

# Counters that are renewed less often than this tell totals, but no moments.
COARSE_SECONDS = 0.25
# Bins of the reverse traffic: two samples of the counters.
BORDER_BIN_SECONDS = 0.1
# Ethernet's own header; interfaces count no preamble, checksum or gap.
_ETHERNET_BYTES = 14
# TCP over IPv4 on Ethernet with timestamps (Linux's default): 14 + 20 + 32. For a log that does not tell.
_USUAL_HEADER_BYTES = 66
# From IPv4 and TCP without options to IPv6 and TCP with all of them, behind a VLAN tag.
_HEADER_BYTES = range(54, 119)
# So many packets of exactly one size are acknowledgements, and so many in one sample no chance.
_ENOUGH_ACKNOWLEDGEMENTS = 30
_ENOUGH_PACKETS = 3
# With fewer changes than this (square of their sum over sum of their squares) all bytes came in steps.
_FEW_CHANGES = 3
# What a token bucket and a late sample may add to a link's rate within one sample.
_BURST = 1.5
# A link that carries more than this share of its rate carries the migration, not just chatter; where the
# migration is much slower than the link, more than this share of its own mean rate.
_ACTIVE_SHARE = 0.02
_ACTIVE_SHARE_OF_MEAN = 0.1
# A migration of less than this may be hidden by chatter.
ENOUGH_BYTES = 10e6
# About what one page request, or one lost packet's selective acknowledgement, takes.
_REQUEST_BYTES = 16.0
_BIN_CAP_BYTES = 160.0
# The migration channel's own handshake and closing also send payload back.
_HANDSHAKE_SECONDS = 0.3
# Payload of a bin in post-copy must average this much and so many times pre-copy's, and the split must be
# this likely (nats over no split).
_LEAST_REQUESTED_BYTES = 30.0
_LEAST_RISE = 3.0
_LEAST_GAIN = 6.0


@dataclass(frozen=True)
class Traffic:
    """One direction at one host: time (epoch seconds of the prober's clock), bytes since the first sample.

    `bytes`: on the wire, headers of every segment included. `payload`: what packets carry beyond headers.
    `resolution_seconds`: how often these counters are renewed.
    """

    time: NDArray[np.float64]
    bytes: NDArray[np.float64]
    payload: NDArray[np.float64]
    resolution_seconds: float

    @property
    def coarse(self) -> bool:
        """Whether the counters are renewed too seldom to show a moment."""
        return self.resolution_seconds > COARSE_SECONDS

    @property
    def settle_seconds(self) -> float:
        """How long after the last byte the counters have it, at the latest."""
        return BORDER_BIN_SECONDS + self.resolution_seconds

    def bytes_between(self, start: float, end: float) -> float:
        """Bytes that passed in the span; between two samples the counter is taken to grow evenly."""
        low, high = np.interp([start, end], self.time, self.bytes)
        return float(high - low)

    def total(self, start: float, end: float) -> float:
        """Bytes that passed from `start` to `end`, read once the counters stand still again."""
        return self.bytes_between(start, end + self.settle_seconds)


@dataclass(frozen=True)
class Wire:
    """The four counters of a migration on the prober's clock.

    `header_bytes`: what a bare acknowledgement takes, None where no log shows it; `payload_share`: how
    much of a full segment is payload, by which a TCP stream's rate is less than the wire's.
    """

    source_sent: Traffic
    source_received: Traffic
    destination_sent: Traffic
    destination_received: Traffic
    header_bytes: int | None
    payload_share: float


def wire_of(run: RunRecord, evidence: Evidence, clocks: ClockModel, lab: LabRecord) -> Wire:
    """Both hosts' counters on one clock and one basis."""
    source, destination = evidence.source_nic, evidence.destination_nic
    learned = acknowledgement_bytes(destination, source)
    header = learned if learned is not None else _USUAL_HEADER_BYTES
    mtu = min(
        lab.mtu_bytes(run.source, source.interface), lab.mtu_bytes(run.destination, destination.interface)
    )
    segment = mtu + _ETHERNET_BYTES - header
    source_time = clocks.on_prober(run.source, source.time)
    destination_time = clocks.on_prober(run.destination, destination.time)
    rate = run.spec.link_rate_bits_per_second
    slowest_source = resolution_seconds(source.time, source.tx_bytes, rate)
    slowest_destination = resolution_seconds(destination.time, destination.rx_bytes, rate)

    def traffic(
        time: NDArray[np.float64], octets: NDArray[np.float64], packets: NDArray[np.float64], renewed: float
    ) -> Traffic:
        wire = np.concatenate(
            [[0.0], np.cumsum(wire_bytes(np.diff(octets), np.diff(packets), header, segment))]
        )
        payload = octets - octets[0] - header * (packets - packets[0])
        return Traffic(time, wire, payload, renewed)

    return Wire(
        source_sent=traffic(source_time, source.tx_bytes, source.tx_packets, slowest_source),
        source_received=traffic(source_time, source.rx_bytes, source.rx_packets, slowest_source),
        destination_sent=traffic(
            destination_time, destination.tx_bytes, destination.tx_packets, slowest_destination
        ),
        destination_received=traffic(
            destination_time, destination.rx_bytes, destination.rx_packets, slowest_destination
        ),
        header_bytes=learned,
        payload_share=segment / (segment + header),
    )


def wire_bytes(
    octets: NDArray[np.float64], packets: NDArray[np.float64], header_bytes: int, segment_bytes: int
) -> NDArray[np.float64]:
    """What counted bytes and packets took on the wire, where each segment has a header of its own.

    n packets with headers of h bytes carry b - n h bytes of payload, in at least (b - n h) / s segments of s
    bytes. Packets of one segment are at least as many: nothing is added. Held against segments that were
    counted one by one (offloading off) this is right to 2 millionths on bulk data, and to 0.25 % on single
    pages of 4 KiB, whose last segments are not full.
    """
    segments = (octets - header_bytes * packets) / segment_bytes
    wire: NDArray[np.float64] = octets + header_bytes * np.maximum(0.0, segments - packets)
    return wire


def acknowledgement_bytes(destination: NicLog, source: NicLog) -> int | None:
    """The size of a bare acknowledgement with all headers, learned from what goes against the migration.

    Most of that are acknowledgements: their size is what most packets have in samples all of whose packets
    may be alike. None if neither what the destination sent nor what the source received shows enough of them.
    """
    for octets, packets in (
        (destination.tx_bytes, destination.tx_packets),
        (source.rx_bytes, source.rx_packets),
    ):
        grown, number = np.diff(octets), np.diff(packets)
        size = grown // np.maximum(number, 1)
        alike = (number >= _ENOUGH_PACKETS) & (size * number == grown)
        alike &= (size >= _HEADER_BYTES[0]) & (size <= _HEADER_BYTES[-1])
        if alike.any():
            counted = np.bincount(size[alike].astype(np.int64), number[alike])
            if counted.max() >= _ENOUGH_ACKNOWLEDGEMENTS:
                return int(np.argmax(counted))
    return None


def resolution_seconds(
    time: NDArray[np.float64], octets: NDArray[np.float64], rate_bits_per_second: float
) -> float:
    """How often a counter is renewed, learned from its own log: the time from one change to the next.

    The median over the bytes that came. Where a few changes brought them all, they are taken for renewals
    only if the link could not have carried so much since the sample before.
    """
    grown, spacing = np.diff(octets), np.diff(time)
    changes = np.flatnonzero(grown > 0)
    if len(changes) == 0:
        return float(np.median(spacing))
    brought = grown[changes]
    # The first one: since the log began.
    since = np.diff(time[changes + 1], prepend=time[0])
    typical = _weighted_median(since, brought)
    if brought.sum() ** 2 >= _FEW_CHANGES * (brought**2).sum():
        return typical
    largest = int(np.argmax(brought))
    needed = float(brought[largest]) * 8 / rate_bits_per_second
    if needed <= _BURST * spacing[changes[largest]]:
        return _weighted_median(spacing[changes], brought)
    return max(typical, needed)


def first_activity(traffic: Traffic, start: float, end: float, rate_bits_per_second: float) -> float | None:
    """When the migration's bytes begin to flow: the sample before the first busy interval.

    None if none flow, or if the counters are too coarse to show it.
    """
    busy = _busy(traffic, start, end, rate_bits_per_second)
    return None if len(busy) == 0 else max(start, float(traffic.time[busy[0]]))


def last_activity(traffic: Traffic, start: float, end: float, rate_bits_per_second: float) -> float | None:
    """When the migration's bytes cease to flow: the sample after the last busy interval."""
    busy = _busy(traffic, start, end, rate_bits_per_second)
    return None if len(busy) == 0 else min(end, float(traffic.time[busy[-1] + 1]))


def traffic_border(wire: Wire, start: float, end: float) -> float | None:
    """When page requests begin, seen only in the traffic from destination to source, as the authors saw it.

    The authors watched that traffic rise. Most of its bytes are acknowledgements, whose number follows the
    forward traffic, so what is looked at is the payload beyond them: bytes - packets x the size of a bare
    acknowledgement, which is learned. In pre-copy that is next to none (a few bytes where packets were lost
    and acknowledged selectively), in post-copy each page request is some twenty bytes. The border is the
    moment that splits the time into two Poisson rates with the greatest likelihood; bins are capped so that
    one burst does not outweigh many requests. The channel's own handshake and closing are left out. None if
    the second part has hardly any requests or is too short, or if the counters do not tell requests from
    acknowledgements.
    """
    backward = wire.destination_sent
    if wire.header_bytes is None or backward.coarse:
        return None
    edges = np.arange(start + _HANDSHAKE_SECONDS, end - _HANDSHAKE_SECONDS, BORDER_BIN_SECONDS)
    if len(edges) < 6:
        return None
    payload = np.clip(np.diff(np.interp(edges, backward.time, backward.payload)), 0, _BIN_CAP_BYTES)
    count = np.arange(1, len(payload))
    total = np.cumsum(payload)
    before = total[:-1] / count
    after = (total[-1] - total[:-1]) / (len(payload) - count)
    gain = count * _weight(before) + (len(payload) - count) * _weight(after)
    gain = gain - len(payload) * _weight(total[-1:] / len(payload))
    gain[(after < _LEAST_REQUESTED_BYTES) | (after < _LEAST_RISE * before)] = 0
    best = int(np.argmax(gain))
    return float(edges[best + 1]) if gain[best] > _LEAST_GAIN else None


def last_page_request(wire: Wire, start: float, end: float) -> float | None:
    """When the destination last asked for a page, seen in the payload it sends back; None if it never did.

    A bin of a tenth of a second counts from one request's bytes on; the channel's closing is left out.
    """
    backward = wire.destination_sent
    if wire.header_bytes is None or backward.coarse:
        return None
    edges = np.arange(start, end - _HANDSHAKE_SECONDS, BORDER_BIN_SECONDS)
    if len(edges) < 2:
        return None
    payload = np.diff(np.interp(edges, backward.time, backward.payload))
    busy = np.flatnonzero(payload >= _REQUEST_BYTES)
    return float(edges[busy[-1] + 1]) if len(busy) else None


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def _weight(payload: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-likelihood of bins with this mean payload, up to what is the same for every split, in nats."""
    rate = np.maximum(payload / _REQUEST_BYTES, 1e-9)
    return rate * np.log(rate)


def _busy(traffic: Traffic, start: float, end: float, rate_bits_per_second: float) -> NDArray[np.intp]:
    if traffic.coarse:
        return np.empty(0, dtype=np.intp)
    seconds = np.diff(traffic.time)
    rates = np.divide(np.diff(traffic.bytes) * 8, seconds, out=np.zeros_like(seconds), where=seconds > 0)
    inside = (traffic.time[1:] > start) & (traffic.time[:-1] < end)
    least = _ACTIVE_SHARE * rate_bits_per_second
    carried = traffic.bytes_between(start, end)
    if carried > ENOUGH_BYTES:
        least = min(least, _ACTIVE_SHARE_OF_MEAN * carried * 8 / (end - start))
    return np.flatnonzero(inside & (rates > least))
