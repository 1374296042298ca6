"""Judges one lost ping: where its request and its answer were seen last, and where the guest ran then.

Moments of one node are ordered by its own clock, those of two nodes only as far as their clocks' uncertainty
allows: what that or a missing capture leaves open is unknown, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.evidence.logs import Evidence
from analysis.evidence.pcap import Capture, Kind
from analysis.evidence.ping import PingLog
from analysis.run.announcement import guest_mac
from analysis.run.causes import CAUSES_OF_NO_WIRE, Cause
from analysis.run.clock import ClockModel
from analysis.run.consistency import CAPTURE_SECONDS
from analysis.run.outage import LEAST_ANSWER_SECONDS, USUAL_SHARE
from analysis.run.sightings import ObservationPoint, observation_points_of, with_tunnels
from analysis.run.timeline import ANNOUNCED_AT_TAP, Timeline
from contract.records import RunRecord

_STOP_UNKNOWN = "when the guest stopped on the source was not noted"
# What a request and an announcement that cross each other in the network may take.
_CROSSING_SECONDS = 0.002
# Linux asks for an address once a second, three times where it was and three times everywhere (arp(7)).
_ASKING_SECONDS = 3.0
# tcpdump may miss a packet; a capture that missed more of the answered pings than this proves no absence.
_MISSED_SHARE = 0.01


class Classifier:
    """Judges the lost pings of one stream of one run; all times on the prober's clock."""

    def __init__(
        self,
        run: RunRecord,
        evidence: Evidence,
        clocks: ClockModel,
        timeline: Timeline,
        ping: PingLog,
        ip_bytes: int,
    ) -> None:
        self._points = observation_points_of(evidence.captures, ping, ip_bytes, run, clocks)
        # What the hosts' uplinks saw came in tunnels, whose forwarding entries are not only learned.
        self._tunnels = with_tunnels(evidence.captures)
        self._questions = _address_questions(evidence.captures)
        self._requested = timeline.requested
        self._stopped = timeline.source_stopped if timeline.source_stopped is not None else math.inf
        # The guest did move, and nobody noted when it stopped.
        self._stop_unknown = timeline.converged and timeline.source_stopped is None
        self._across = clocks.uncertainty_seconds(run.source, run.destination)
        self._completed = timeline.completed
        self._resumed = self._first_life(timeline.destination_resumed)
        self._announced = timeline.announced
        self._announced_at_tap = next(
            (moment.time for moment in timeline.moments if moment.name == ANNOUNCED_AT_TAP), None
        )
        self._wired = timeline.wired
        self._to_destination = clocks.uncertainty_seconds(run.destination, run.prober)
        self._usual_answer = self._usual_answer_seconds()
        prober = self._points.get("prober")
        ended = float((ping.answered_sent_at + ping.round_trip_seconds).max())
        if prober is not None and len(prober.requests.time):
            ended = max(ended, float(prober.requests.time.max()))
        # ping prints what comes until it is stopped, at most a period after its last request.
        self._ping_ended = ended + ping.period_seconds
        self.doubts = list(self._doubts_about(ping))
        self._doubtful = {file for file, _ in self.doubts}

    def verdict(self, sequence: int, sent_at: float) -> tuple[bool, Cause, str]:
        """(answered after all, only too late for ping; cause; reason)."""
        answer = self._first_answer(sequence)
        if answer is not None:
            if answer >= self._ping_ended:
                late = f"answered {answer - sent_at:.2f} s later, when ping had ended"
                moved = self._reply_at("source tap", sequence) is None
                return True, Cause.DESTINATION_GUEST if moved else Cause.SOURCE_GUEST, late
            return (False, *self._by_wire(sent_at, *self._lost_answer(sequence, sent_at)))
        return (False, *self._by_wire(sent_at, *self._lost_request(sequence, sent_at)))

    def evidence_of(self, sequence: int) -> str:
        """Where request and answer were seen, in the order of the way, and where not."""
        seen, unseen = [], []
        points = list(self._points.values())
        requests = [("request", point, point.requests) for point in points]
        replies = [("answer", point, point.replies) for point in reversed(points)]
        for what, point, packets in (*requests, *replies):
            found = packets.find(sequence)
            if found is not None:
                seen.append(f"{what} {point.file} packet {found[1]} at {found[0] - self._requested:+.4f} s")
        for point in points:
            if point.requests.find(sequence) is None and point.replies.find(sequence) is None:
                unseen.append(point.file)
        return "; ".join([*seen, *([f"not in {', '.join(unseen)}"] if unseen else [])])

    def sent_at(self, sequence: int, by_log: float) -> float:
        """When it passed the prober's interface; the log itself does not date what was lost."""
        captured = self._request_at("prober", sequence)
        return by_log if captured is None else captured

    def stale_seconds(self) -> list[float]:
        """How long after the guest's resume requests still came to the source alone; [] if not known."""
        source = self._points.get("source uplink") or self._points.get("source tap")
        destination = self._points.get("destination uplink") or self._points.get("destination tap")
        if source is None or destination is None or self._resumed is None or self._died(source):
            return []
        # A switch that knows no port sends to all of them.
        alone = ~destination.requests.among(source.requests.sequence)
        return [max(0.0, float(source.requests.time[alone].max(initial=-math.inf)) - self._resumed)]

    def answer_seconds(self, sequences: NDArray[np.int64]) -> NDArray[np.float64]:
        """How long the guest kept each request, from tap to tap; 0 where that was not seen."""
        seconds = np.zeros(len(sequences))
        # Where both hosts saw it, the destination's guest is meant.
        for name in ("source tap", "destination tap"):
            point = self._points.get(name)
            if point is not None:
                both, taken = _answers(point)
                _, ours, theirs = np.intersect1d(sequences, both, assume_unique=True, return_indices=True)
                seconds[ours] = taken[theirs]
        return seconds

    def _request_at(self, name: str, sequence: int) -> float | None:
        point = self._points.get(name)
        found = point.requests.find(sequence) if point is not None else None
        return found[0] if found is not None else None

    def _reply_at(self, name: str, sequence: int) -> float | None:
        point = self._points.get(name)
        found = point.replies.find(sequence) if point is not None else None
        return found[0] if found is not None else None

    def _first_answer(self, sequence: int) -> float | None:
        times = [self._reply_at(name, sequence) for name in self._points]
        return min((time for time in times if time is not None), default=None)

    def _lost_answer(self, sequence: int, sent_at: float) -> tuple[Cause, str]:
        back = self._reply_at("prober", sequence)
        if back is not None:
            return (
                Cause.ANSWER_LOST,
                f"came back to the prober after {(back - sent_at) * 1000:.1f} ms, but ping did not count it",
            )
        host = next(
            name
            for name in ("destination", "source")
            if self._reply_at(f"{name} uplink", sequence) is not None
            or self._reply_at(f"{name} tap", sequence) is not None
        )
        if self._reply_at(f"{host} uplink", sequence) is None:
            if self._proves_absence(f"{host} uplink", sent_at) is None:
                return Cause.ANSWER_LOST, f"between the {host}'s tap and its uplink"
            return Cause.ANSWER_LOST, f"behind the {host}'s tap"
        doubt = self._proves_absence("prober", sent_at)
        if doubt is not None:
            return Cause.UNKNOWN, f"the answer left the {host}; {doubt}"
        return Cause.ANSWER_LOST, f"between the {host}'s uplink and the prober"

    def _lost_request(self, sequence: int, sent_at: float) -> tuple[Cause, str]:
        at_source = self._at_host("source", sequence)
        at_destination = self._at_host("destination", sequence)
        if at_source is None and at_destination is None:
            return self._reached_no_host(sequence, sent_at)
        if at_destination is not None and (at_source is None or at_destination > self._stopped):
            return self._at_the_destination(sequence, at_destination)
        assert at_source is not None
        return self._at_the_source(sequence, at_source)

    def _by_wire(self, sent_at: float, cause: Cause, reason: str) -> tuple[Cause, str]:
        """What a port that is not wired yet did to a ping is put down to it, not to the switches."""
        if self._wired is None or self._resumed is None or cause not in CAUSES_OF_NO_WIRE:
            return cause, reason
        ran_there = sent_at + self._to_destination + _CROSSING_SECONDS >= self._resumed
        if not ran_there or sent_at + self._to_destination >= self._wired:
            return cause, reason
        wired = "never wired" if self._wired == math.inf else f"wired {_ms(self._wired - sent_at)} later"
        return Cause.UNWIRED, f"{reason}; the guest's port on the destination was {wired}"

    def _at_host(self, host: str, sequence: int) -> float | None:
        tap = self._request_at(f"{host} tap", sequence)
        return tap if tap is not None else self._request_at(f"{host} uplink", sequence)

    def _reached_no_host(self, sequence: int, sent_at: float) -> tuple[Cause, str]:
        if self._request_at("prober", sequence) is None:
            doubt = self._proves_absence("prober", sent_at)
            if doubt is not None:
                return Cause.UNKNOWN, f"seen nowhere; {doubt}"
            asked = self._questions.in_vain(sent_at)
            if asked:
                return (
                    Cause.UNRESOLVED,
                    f"the prober asked {len(asked)} times around then for the guest's address, packets "
                    f"{asked[0]} to {asked[-1]} of its capture, without an answer",
                )
            return Cause.NOT_SENT, "its request never left the prober's interface"
        for host in ("source", "destination"):
            doubt = self._proves_absence(f"{host} uplink", sent_at)
            if doubt is not None:
                return Cause.UNKNOWN, f"left the prober, seen at no host; {doubt}"
        return Cause.LOST_BEFORE_HOSTS, "left the prober and came to neither host's uplink"

    def _at_the_destination(self, sequence: int, at: float) -> tuple[Cause, str]:
        if self._request_at("destination tap", sequence) is None:
            doubt = self._proves_absence("destination tap", at)
            if doubt is not None:
                return Cause.UNKNOWN, f"came to the destination's uplink; {doubt}"
            return Cause.DESTINATION_HOST, "came to the destination's uplink and not to the guest's tap"
        if self._stop_unknown and (self._resumed is None or at < self._resumed):
            return Cause.UNKNOWN, f"came to the destination's tap; {_STOP_UNKNOWN}"
        if at < self._stopped - self._across:
            early = self._stopped - at
            return Cause.NETWORK_EARLY, f"{_ms(early)} before the guest stopped on the source"
        if self._resumed is None or at < self._resumed:
            until = f" {_ms(self._resumed - at)} before it resumed there" if self._resumed is not None else ""
            return Cause.NOT_RESUMED, f"came to the destination's tap{until}"
        when = "in post-copy" if at < self._completed else "after the migration"
        return (
            Cause.DESTINATION_GUEST,
            f"came to the destination's tap {when}, {_ms(at - self._resumed)} after the guest resumed there",
        )

    def _at_the_source(self, sequence: int, at: float) -> tuple[Cause, str]:
        tap = self._request_at("source tap", sequence) is not None
        if self._stop_unknown:
            if self._resumed is None or at - self._resumed <= self._across:
                return Cause.UNKNOWN, f"came to the source; {_STOP_UNKNOWN}"
            return self._stale(at, at - self._resumed)
        if at < self._stopped - self._usual_answer:
            if tap:
                until = "" if self._stopped == math.inf else f", {_ms(self._stopped - at)} before it stopped"
                return Cause.SOURCE_GUEST, f"came to the source's tap while the guest ran there{until}"
            doubt = self._proves_absence("source tap", at)
            if doubt is not None:
                return Cause.UNKNOWN, f"came to the source's uplink; {doubt}"
            return Cause.SOURCE_HOST, "came to the source's uplink and not to the guest's tap"
        if at < self._stopped:
            return (
                Cause.SWITCHOVER,
                f"came to the source {_ms(self._stopped - at)} before the guest stopped there; "
                f"its answers take up to {_ms(self._usual_answer)}",
            )
        if self._resumed is None:
            return (
                Cause.UNKNOWN,
                f"came to the source {_ms(at - self._stopped)} after the guest stopped there; when it "
                "resumed on the destination was not noted",
            )
        since = at - self._resumed
        if since < -self._across:
            return (
                Cause.SWITCHOVER,
                f"came to the source {_ms(at - self._stopped)} after the guest stopped there, "
                f"{_ms(-since)} before it resumed on the destination",
            )
        if since <= self._across:
            return (
                Cause.UNKNOWN,
                f"came to the source {_ms(abs(since))} from the guest's resume on the destination; "
                f"the clocks are sure to {_ms(self._across)} only",
            )
        return self._stale(at, since)

    def _stale(self, at: float, since: float) -> tuple[Cause, str]:
        """The guest ran on the destination, and the network still pointed at the source."""
        doubt = self._proves_absence("destination uplink", at)
        if doubt is not None and "destination tap" not in self._points:
            return Cause.UNKNOWN, f"came to the source {_ms(since)} after the guest's resume; {doubt}"
        where = f"came to the source {_ms(since)} after the guest resumed on the destination"
        if self._tunnels:
            return Cause.STALE_ENTRY, f"{where}, through its tunnel; {self._entry_moved(at)}"
        if self._announced is None:
            if self._announced_at_tap is None:
                return Cause.STALE_UNANNOUNCED, f"{where}, which never announced it"
            return Cause.STALE_UNANNOUNCED, f"{where}, which announced it only before its port was wired"
        after = at - self._announced
        if after > self._across + _CROSSING_SECONDS:
            return Cause.STALE_ANNOUNCED, f"{where}, {_ms(after)} after that was announced"
        when = f"{_ms(-after)} before" if after < 0 else "just as"
        return Cause.STALE_UNANNOUNCED, f"{where}, {when} that was announced"

    def _entry_moved(self, at: float) -> str:
        """When the tunnels first brought a request of this ping to the destination."""
        destination = self._points.get("destination uplink")
        if destination is None:
            return "there is no capture at the destination uplink"
        later = destination.requests.time[destination.requests.time > at]
        if not len(later):
            return "the destination's never brought one"
        return f"the destination's brought the first one {_ms(float(later.min()) - at)} later"

    def _proves_absence(self, name: str, at: float) -> str | None:
        """None if a packet that passed this point at that time would be in its capture; else why not."""
        point = self._points.get(name)
        if point is None:
            return f"there is no capture at the {name}"
        if point.file in self._doubtful:
            return f"{point.file} lacks packets"
        # Where the guest is not, nothing need pass: first and last packet say nothing about the capture.
        resumed = self._resumed if self._resumed is not None else math.inf
        if (name.startswith("source") and at >= self._stopped and not self._died(point)) or (
            name == "destination uplink" and at < resumed
        ):
            return None
        return None if point.begins <= at <= point.ends else f"{point.file} does not reach to that moment"

    def _died(self, source: ObservationPoint) -> bool:
        """Whether a capture on the source ended before the guest left: until then pings pass there."""
        return not source.ends >= self._stopped - CAPTURE_SECONDS

    def _first_life(self, resumed: float | None) -> float | None:
        """The guest runs at the latest when it answers: libvirt's event may be told a little later."""
        point = self._points.get("destination tap")
        if resumed is None or point is None or not len(point.replies.time):
            return resumed
        return min(resumed, float(point.replies.time.min()))

    def _usual_answer_seconds(self) -> float:
        """What all but the slowest twentieth of the guest's answers took on the source."""
        point = self._points.get("source tap")
        if point is None:
            return LEAST_ANSWER_SECONDS
        _, taken = _answers(point)
        if not len(taken):
            return LEAST_ANSWER_SECONDS
        return max(LEAST_ANSWER_SECONDS, float(np.quantile(taken, USUAL_SHARE)))

    def _doubts_about(self, ping: PingLog) -> Iterator[tuple[str, str]]:
        """Captures that lack pings which were answered, so must have passed them."""
        arrived = ping.answered_sent_at + ping.round_trip_seconds
        resumed = self._resumed if self._resumed is not None else math.inf
        passed = {
            "prober": np.ones(len(arrived), dtype=np.bool_),
            "source uplink": (arrived < self._stopped - self._across) & (not self._stop_unknown),
            "destination uplink": ping.answered_sent_at > resumed + self._across,
        }
        for name, expected in passed.items():
            point = self._points.get(name)
            if point is None:
                continue
            # tcpdump's last packets, up to a second of them, are not always written.
            inside = (ping.answered_sent_at > point.begins) & (arrived < point.ends)
            sequences = ping.answered[expected & inside]
            missed = int(
                np.count_nonzero(~(point.requests.among(sequences) | point.replies.among(sequences)))
            )
            if missed > max(1.0, _MISSED_SHARE * len(sequences)):
                yield point.file, f"lacks {missed} of {len(sequences)} answered pings that passed it"


def _answers(point: ObservationPoint) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The requests that were answered at one point, and how long each answer took there, in seconds."""
    both, asked, answered = np.intersect1d(
        point.requests.sequence, point.replies.sequence, assume_unique=True, return_indices=True
    )
    return both, point.replies.time[answered] - point.requests.time[asked]


@dataclass(frozen=True)
class _Questions:
    """When the prober asked by ARP (with packet numbers) and when the guest told its address."""

    asked: NDArray[np.float64]
    packet: NDArray[np.int64]
    told: NDArray[np.float64]

    def in_vain(self, at: float) -> list[int]:
        """Packets that asked for the guest's address around a moment, if none was answered until then."""
        near = (self.asked > at - _ASKING_SECONDS) & (self.asked < at + _ASKING_SECONDS)
        if not near.any() or np.any((self.told >= self.asked[near][0]) & (self.told <= at)):
            return []
        packets: list[int] = self.packet[near].tolist()
        return packets


def _address_questions(captures: Mapping[str, Capture]) -> _Questions:
    """Those that passed the prober's interface; its clock is the one that everything is told on."""
    capture, mac = captures.get("prober"), guest_mac(captures)
    if capture is None or mac is None:
        return _Questions(np.empty(0), np.empty(0, dtype=np.int64), np.empty(0))
    arp, theirs = capture.kind == Kind.ARP, capture.sender_mac == mac
    asked = np.flatnonzero(arp & ~theirs)
    return _Questions(capture.time[asked], asked + 1, capture.time[arp & theirs])


def _ms(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
