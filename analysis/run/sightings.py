"""Where each ping of a run was seen: its request and its answer at every capture, on the prober's clock."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from analysis.evidence.logs import CAPTURE_FILES
from analysis.evidence.pcap import Capture, Kind
from analysis.evidence.ping import PingLog
from analysis.run.clock import ClockModel
from contract.records import RunRecord

# icmp_seq has 16 bits; a ping of 10 ms wraps after 655 s.
_SEQUENCE_RANGE = 1 << 16


@dataclass(frozen=True)
class Seen:
    """One ping's packets of one kind at one observation point, by the unwrapped sequence number of its log.

    `time` is on the prober's clock, `packet` the number in the capture file; of repeats the first counts.
    """

    sequence: NDArray[np.int64]
    time: NDArray[np.float64]
    packet: NDArray[np.int64]

    def find(self, sequence: int) -> tuple[float, int] | None:
        """(time, packet number) of a sequence number, None if it was not seen."""
        return self._by_sequence.get(sequence)

    @cached_property
    def _by_sequence(self) -> Mapping[int, tuple[float, int]]:
        packets = zip(self.time.tolist(), self.packet.tolist(), strict=True)
        return dict(zip(self.sequence.tolist(), packets, strict=True))

    def among(self, sequences: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these were seen."""
        return np.isin(sequences, self.sequence)


@dataclass(frozen=True)
class ObservationPoint:
    """Where packets were captured, and one ping there. `begins`, `ends`: of the capture, NaN if empty."""

    name: str
    node: str | None
    file: str
    requests: Seen
    replies: Seen
    begins: float
    ends: float


def observation_points_of(
    captures: Mapping[str, Capture], ping: PingLog, ip_bytes: int, run: RunRecord, clocks: ClockModel
) -> Mapping[str, ObservationPoint]:
    """What each observation point saw of one ping, known by the length of its packets and its identifier."""
    identifier = _identifier(captures, ip_bytes)
    return dict(_points(captures, ping, ip_bytes, identifier, run, clocks))


def with_tunnels(captures: Mapping[str, Capture]) -> bool:
    """Whether hosts got the guests' packets in tunnels."""
    return any(bool(capture.tunnelled.any()) for capture in captures.values())


def _points(
    captures: Mapping[str, Capture],
    ping: PingLog,
    ip_bytes: int,
    identifier: int | None,
    run: RunRecord,
    clocks: ClockModel,
) -> Iterator[tuple[str, ObservationPoint]]:
    nodes = {"prober": run.prober, "source": run.source, "destination": run.destination}
    for name, capture in captures.items():
        node = nodes[name.split()[0]]
        time = clocks.on_prober(node, capture.time)
        ours = (capture.ip_bytes == ip_bytes) & (capture.identifier == identifier)
        yield (
            name,
            ObservationPoint(
                name=name,
                node=node,
                file=CAPTURE_FILES[name],
                requests=_seen(capture, time, ours & (capture.kind == Kind.REQUEST), ping),
                replies=_seen(capture, time, ours & (capture.kind == Kind.REPLY), ping),
                begins=float(time[0]) if len(time) else math.nan,
                ends=float(time[-1]) if len(time) else math.nan,
            ),
        )


def _identifier(captures: Mapping[str, Capture], ip_bytes: int) -> int | None:
    """The ICMP identifier of most requests of this length, where the prober sends them or where they come."""
    for name in CAPTURE_FILES:
        if name in captures:
            capture = captures[name]
            requests = (capture.kind == Kind.REQUEST) & (capture.ip_bytes == ip_bytes)
            if requests.any():
                return int(np.bincount(capture.identifier[requests]).argmax())
    return None


def _seen(capture: Capture, time: NDArray[np.float64], chosen: NDArray[np.bool_], ping: PingLog) -> Seen:
    places = np.flatnonzero(chosen)
    sequence = _unwrapped(capture.sequence[places].astype(np.int64), time[places], ping)
    # Captures are in order of time, so the first of equals is the earliest.
    unique, first = np.unique(sequence, return_index=True)
    return Seen(unique, time[places][first], places[first] + 1)


def _unwrapped(sequence: NDArray[np.int64], time: NDArray[np.float64], ping: PingLog) -> NDArray[np.int64]:
    """The log's number nearest to the one that was due when the packet passed."""
    sent_at, number = ping.answered_sent_at, ping.answered
    due = np.interp(time, sent_at, number)
    due += np.minimum(time - sent_at[0], 0) / ping.period_seconds
    due += np.maximum(time - sent_at[-1], 0) / ping.period_seconds
    wraps = np.round((due - sequence) / _SEQUENCE_RANGE).astype(np.int64)
    return sequence + wraps * _SEQUENCE_RANGE
