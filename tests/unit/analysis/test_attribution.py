"""Where pings were lost: captures of known faults, the same with evidence missing, clocks that differ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.evidence.agent_log import AgentLog
from analysis.evidence.errors import EvidenceError
from analysis.evidence.links import Link, Links
from analysis.evidence.logs import CAPTURE_FILES, Evidence, read_evidence
from analysis.evidence.pcap import Capture, Kind
from analysis.evidence.records import read_lab, read_run
from analysis.run.attribution import Attribution, LostPing, attribute, tally
from analysis.run.causes import STALE_CAUSES, Cause
from analysis.run.clock import ClockModel, clock_model
from analysis.run.consistency import check_consistency
from analysis.run.outage import Requests
from analysis.run.sightings import observation_points_of
from analysis.run.timeline import PORT_SEEN, PORT_WIRED, Timeline, build_timeline
from analysis.run.traffic import Wire, wire_of
from contract.records import RunRecord
from tests.unit.analysis.recorded_captures import recorded_run

PORTS = ("vnet0", "guest0")


@dataclass(frozen=True)
class Scene:
    """One run with everything that the attribution is made from."""

    run: RunRecord
    evidence: Evidence
    clocks: ClockModel
    timeline: Timeline
    wire: Wire

    def judge(self, captures: Mapping[str, Capture] | None = None) -> Attribution:
        evidence = self.evidence if captures is None else replace(self.evidence, captures=captures)
        found = attribute(self.run, evidence, self.clocks, self.timeline)
        assert found is not None
        return found

    def but(self, name: str, gone: NDArray[np.bool_]) -> Attribution:
        """The same, had these packets not been captured at that place."""
        capture = self.evidence.captures[name]
        rest = Capture(**{field: values[~gone] for field, values in vars(capture).items()})
        return self.judge({**self.evidence.captures, name: rest})

    def without(self, *names: str) -> Attribution:
        return self.judge({name: kept for name, kept in self.evidence.captures.items() if name not in names})


def scene(
    project: Path, root: Path, case: str, offsets: Mapping[str, float] | None = None, uncertainty: float = 0.0
) -> Scene:
    run_dir = recorded_run(project, root, case, offsets, uncertainty)
    run, lab = read_run(run_dir / "run.json"), read_lab(root / "lab.json")
    evidence = read_evidence(run_dir)
    clocks = clock_model(run, lab, evidence.exchanges)
    wire = wire_of(run, evidence, clocks, lab)
    return Scene(run, evidence, clocks, build_timeline(run, evidence, wire, clocks), wire)


@pytest.fixture(scope="module")
def held(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return scene(project, tmp_path_factory.mktemp("held"), "stale_fdb")


@pytest.fixture(scope="module")
def slow(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return scene(project, tmp_path_factory.mktemp("slow"), "slow_guest")


def causes(lost: tuple[LostPing, ...]) -> set[Cause]:
    return {ping.cause for ping in lost}


def counts(found: Attribution) -> Mapping[Cause, int]:
    assert found.fine is not None
    return {cause: entry.count for cause, entry in found.fine.tallies.items()}


def test_a_stale_fdb_is_named(held: Scene) -> None:
    """Half a second after the announcement the switch still sent to the source."""
    found = held.judge()
    assert found.fine is not None
    assert found.doubts == ()
    assert causes(found.fine.lost) == {Cause.SWITCHOVER, Cause.STALE_UNANNOUNCED, Cause.STALE_ANNOUNCED}
    stale = found.fine.tallies[Cause.STALE_ANNOUNCED]
    assert 0.45 < stale.seconds.low <= stale.seconds.high < 0.65
    assert found.stale_seconds is not None and found.announced_seconds is not None
    assert found.stale_seconds - found.announced_seconds == pytest.approx(0.5, abs=0.06)
    assert found.coarse.tallies[Cause.STALE_ANNOUNCED].count == 5


@pytest.mark.parametrize("seconds", [0.2, math.inf])
def test_a_port_that_is_wired_late_is_to_blame_until_then(held: Scene, seconds: float) -> None:
    """The same captures, had the destination's uplink joined the guests' bridge so long after the resume."""
    resumed = held.timeline.destination_resumed
    assert resumed is not None
    links = [Link(resumed - 5, name, "br-guest" if name == "vnet0" else None, True, True) for name in PORTS]
    if seconds < math.inf:
        links.append(Link(resumed + seconds, "guest0", "br-guest", True, True))
    agent = AgentLog({"vnet0": resumed - 1, "vnet1": resumed - 2})
    evidence = replace(
        held.evidence, destination_links=Links("guest0", "vnet0", tuple(links)), destination_agent=agent
    )
    timeline = build_timeline(held.run, evidence, held.wire, held.clocks)
    before, found = held.judge().fine, replace(held, evidence=evidence, timeline=timeline).judge().fine
    assert before is not None and found is not None
    blamed = {ping.sequence for ping in found.lost if ping.cause is Cause.UNWIRED}
    stale = {ping.sequence: ping.sent_at for ping in before.lost if ping.cause in STALE_CAUSES}
    assert blamed == {sequence for sequence, sent_at in stale.items() if sent_at < resumed + seconds}
    assert blamed and (seconds == math.inf or blamed < set(stale))
    assert len(found.lost) == len(before.lost)
    moments = {moment.name: moment.time - resumed for moment in timeline.moments}
    assert moments[PORT_SEEN] == -1 and moments.get(PORT_WIRED, math.inf) == pytest.approx(seconds)


def test_what_is_told_at_a_port_before_it_is_wired_tells_nobody(held: Scene) -> None:
    """The same run without the capture at the uplink, had the port been wired after the guest's last word."""
    resumed = held.timeline.destination_resumed
    assert resumed is not None
    captures = {
        point: found for point, found in held.evidence.captures.items() if point != "destination uplink"
    }
    links = [Link(resumed - 5, name, "br-guest" if name == "vnet0" else None, True, True) for name in PORTS]
    for wired, told in ((-1.0, True), (0.2, False)):
        late = (*links, Link(resumed + wired, "guest0", "br-guest", True, True))
        evidence = replace(held.evidence, captures=captures, destination_links=Links("guest0", "vnet0", late))
        timeline = build_timeline(held.run, evidence, held.wire, held.clocks)
        assert (timeline.announced is not None) == told
        found = replace(held, evidence=evidence, timeline=timeline).judge().fine
        assert found is not None
        last = next(ping for ping in reversed(found.lost) if ping.cause in STALE_CAUSES)
        assert last.cause is (Cause.STALE_ANNOUNCED if told else Cause.STALE_UNANNOUNCED)
        assert ("which announced it only before its port was wired" in last.reason) is not told


def test_in_tunnels_the_forwarding_entry_is_to_blame_and_no_bridge(held: Scene) -> None:
    """The same captures, had the hosts' uplinks got everything in tunnels: no bridge joins tap and uplink."""
    resumed = held.timeline.destination_resumed
    assert resumed is not None
    links = [Link(resumed - 5, "vnet0", "qbr0", True, True), Link(resumed - 5, "guest0", None, True, True)]
    captures = {
        name: replace(capture, tunnelled=np.full(len(capture.time), name.endswith("uplink")))
        for name, capture in held.evidence.captures.items()
    }
    evidence = replace(
        held.evidence, captures=captures, destination_links=Links("guest0", "vnet0", tuple(links))
    )
    before, found = held.judge(), replace(held, evidence=evidence).judge()
    assert before.fine is not None and found.fine is not None
    assert causes(found.fine.lost) == {Cause.SWITCHOVER, Cause.STALE_ENTRY}
    assert [ping.sequence for ping in found.fine.lost] == [ping.sequence for ping in before.fine.lost]
    assert found.stale_seconds == before.stale_seconds
    entry = [ping for ping in found.fine.lost if ping.cause is Cause.STALE_ENTRY]
    assert all("through its tunnel; the destination's brought the first one" in ping.reason for ping in entry)


def test_a_delayed_announcement_is_named(project: Path, tmp_path: Path) -> None:
    found = scene(project, tmp_path, "delayed_announcement").judge()
    assert found.fine is not None
    assert causes(found.fine.lost) == {Cause.SWITCHOVER, Cause.STALE_UNANNOUNCED}
    assert found.announced_seconds == pytest.approx(0.63, abs=0.05)
    assert found.fine.tallies[Cause.STALE_UNANNOUNCED].seconds.high == pytest.approx(0.63, abs=0.08)


def test_a_guest_that_does_not_answer_is_named(slow: Scene) -> None:
    found = slow.judge()
    assert found.fine is not None
    assert causes(found.fine.lost) <= {Cause.SWITCHOVER, Cause.STALE_UNANNOUNCED, Cause.DESTINATION_GUEST}
    assert found.fine.tallies[Cause.DESTINATION_GUEST].seconds.high == pytest.approx(0.31, abs=0.03)
    last = found.fine.lost[-1]
    assert last.phase == "postcopy"
    assert "came to the destination's tap in post-copy" in last.reason


def test_answers_lost_behind_the_tap_are_named(project: Path, tmp_path: Path) -> None:
    found = scene(project, tmp_path, "answers_lost").judge()
    assert found.fine is not None
    lost = [ping for ping in found.fine.lost if ping.cause is Cause.ANSWER_LOST]
    assert len(lost) == pytest.approx(18, abs=3)
    assert {ping.reason for ping in lost} == {"between the destination's tap and its uplink"}


def test_each_verdict_names_its_packets(held: Scene) -> None:
    """What the evidence says must be in the files: packet numbers as tcpdump and Wireshark count them."""
    ping = next(ping for ping in held.judge().coarse.lost if ping.cause is Cause.STALE_ANNOUNCED)
    parts = ping.evidence.split("; ")
    assert [part.split()[1] for part in parts[:2]] == ["prober/icmp.pcap", "source/icmp_uplink.pcap"]
    assert parts[-1].startswith("not in ") and "destination/icmp.pcap" in parts[-1]
    for name, part in zip(("prober", "source uplink"), parts, strict=False):
        capture, index = held.evidence.captures[name], int(part.split()[3]) - 1
        assert capture.kind[index] == Kind.REQUEST
        assert capture.sequence[index] == ping.sequence
        at = held.timeline.requested + float(part.split()[5])
        assert capture.time[index] == pytest.approx(at, abs=1e-4)


def test_every_lost_ping_has_one_verdict(held: Scene, slow: Scene) -> None:
    for it in (held, slow):
        found = it.judge()
        log = it.evidence.ping_fine
        assert log is not None and found.fine is not None
        since = log.lost[log.lost_sent_at >= it.timeline.requested]
        assert [ping.sequence for ping in found.fine.lost] == since.tolist()
        assert sum(counts(found).values()) == len(since)


def sent_after(scene: Scene, name: str, kind: Kind, moment: float) -> NDArray[np.bool_]:
    capture = scene.evidence.captures[name]
    return (capture.kind == kind) & (capture.time > moment)


def test_a_request_that_never_left_was_not_sent(slow: Scene) -> None:
    """Had the prober not sent, nothing would have passed anywhere."""
    silent = {}
    resumed = slow.timeline.destination_resumed
    assert resumed is not None
    ping = next(ping for ping in slow.judge().coarse.lost if ping.cause is Cause.DESTINATION_GUEST)
    for name, capture in slow.evidence.captures.items():
        keep = ~((capture.ip_bytes == 84) & (capture.sequence == ping.sequence))
        silent[name] = Capture(**{field: values[keep] for field, values in vars(capture).items()})
    verdict = next(lost for lost in slow.judge(silent).coarse.lost if lost.sequence == ping.sequence)
    assert (verdict.cause, verdict.reason) == (
        Cause.NOT_SENT,
        "its request never left the prober's interface",
    )


def test_lost_before_the_hosts(slow: Scene) -> None:
    ping = next(ping for ping in slow.judge().coarse.lost if ping.cause is Cause.DESTINATION_GUEST)
    captures = dict(slow.evidence.captures)
    for name in ("destination uplink", "destination tap"):
        capture = captures[name]
        keep = ~((capture.ip_bytes == 84) & (capture.sequence == ping.sequence))
        captures[name] = Capture(**{field: values[keep] for field, values in vars(capture).items()})
    verdict = next(lost for lost in slow.judge(captures).coarse.lost if lost.sequence == ping.sequence)
    assert verdict.cause is Cause.LOST_BEFORE_HOSTS


def test_lost_inside_the_destination(slow: Scene) -> None:
    resumed = slow.timeline.destination_resumed
    assert resumed is not None
    found = slow.but("destination tap", sent_after(slow, "destination tap", Kind.REQUEST, resumed))
    assert found.fine is not None
    assert Cause.DESTINATION_HOST in causes(found.fine.lost)
    assert Cause.DESTINATION_GUEST not in causes(found.fine.lost)


def test_a_request_at_a_guest_not_yet_resumed(slow: Scene) -> None:
    late = replace(slow.timeline, destination_resumed=slow.timeline.completed - 0.05)
    resumed = late.destination_resumed
    assert resumed is not None
    capture = slow.evidence.captures["destination tap"]
    # Nothing may have been answered by a guest that does not run.
    silent = (capture.kind == Kind.REPLY) & (capture.time < resumed + 0.05)
    kept = Capture(**{field: values[~silent] for field, values in vars(capture).items()})
    found = replace(slow, timeline=late).judge({**slow.evidence.captures, "destination tap": kept})
    assert found.fine is not None
    assert Cause.NOT_RESUMED in causes(found.fine.lost)


def test_a_guest_that_never_stopped_is_to_blame_on_the_source(slow: Scene) -> None:
    endless = replace(slow.timeline, converged=False, source_stopped=None, destination_resumed=None)
    found = replace(slow, timeline=endless).judge()
    assert found.fine is not None
    first = found.fine.lost[0]
    assert (first.cause, first.reason) == (
        Cause.SOURCE_GUEST,
        "came to the source's tap while the guest ran there",
    )
    assert found.stale_seconds is None


@pytest.mark.parametrize("gone", list(CAPTURE_FILES))
def test_a_missing_capture_makes_no_false_verdict(held: Scene, slow: Scene, gone: str) -> None:
    """Whatever is missing: what is still said with certainty is what the whole evidence says."""
    for it in (held, slow):
        whole, part = it.judge(), it.without(gone)
        assert whole.fine is not None and part.fine is not None
        for true, found in zip(whole.fine.lost, part.fine.lost, strict=True):
            same = {true.cause, Cause.UNKNOWN}
            if gone == "destination uplink" and true.cause is Cause.STALE_UNANNOUNCED:
                same.add(Cause.STALE_ANNOUNCED)
            assert found.cause in same, (found, true)
            assert found.cause is not Cause.UNKNOWN or gone in found.reason


def test_without_the_destination_nothing_is_said_about_where_the_network_pointed(held: Scene) -> None:
    found = held.without("destination uplink", "destination tap")
    assert found.fine is not None
    assert Cause.UNKNOWN in causes(found.fine.lost)
    assert not causes(found.fine.lost) & {Cause.STALE_ANNOUNCED, Cause.STALE_UNANNOUNCED}
    assert found.stale_seconds is None


def test_a_capture_that_lacks_packets_proves_nothing(slow: Scene) -> None:
    capture = slow.evidence.captures["destination uplink"]
    found = slow.but("destination uplink", capture.sequence % 3 == 0)
    assert found.doubts[0][0] == "destination/icmp_uplink.pcap"
    assert "answered pings that passed it" in found.doubts[0][1]
    assert slow.judge().doubts == ()


def test_a_capture_that_began_later_proves_nothing(slow: Scene) -> None:
    resumed = slow.timeline.destination_resumed
    assert resumed is not None
    capture = slow.evidence.captures["destination tap"]
    found = slow.but("destination tap", capture.time < resumed + 0.3)
    assert found.fine is not None
    unknown = [ping for ping in found.fine.lost if ping.cause is Cause.UNKNOWN]
    assert unknown
    assert "destination/icmp.pcap does not reach to that moment" in unknown[0].reason


def test_clocks_that_cannot_order_two_nodes_leave_it_unknown(project: Path, tmp_path: Path) -> None:
    """Clocks known to 20 ms: what came to the source within 40 ms of the resume elsewhere is undecided."""
    sure = scene(project, tmp_path / "sure", "stale_fdb").judge()
    offsets = {"controller": 0.0, "compute1": 0.0, "compute2": 0.0}
    unsure = scene(project, tmp_path / "unsure", "stale_fdb", offsets, uncertainty=0.02).judge()
    assert sure.fine is not None and unsure.fine is not None
    unknown = [ping for ping in unsure.fine.lost if ping.cause is Cause.UNKNOWN]
    assert 1 <= len(unknown) <= 6
    assert "the clocks are sure to 40.0 ms only" in unknown[0].reason
    certain = {ping.sequence: ping.cause for ping in sure.fine.lost}
    for ping in unsure.fine.lost:
        assert ping.cause in (certain[ping.sequence], Cause.UNKNOWN, Cause.STALE_UNANNOUNCED)


def test_sequence_numbers_that_wrap_are_told_apart(held: Scene) -> None:
    """A ping of 10 ms wraps after 11 minutes: the number nearest to the one that is due is meant."""
    log = held.evidence.ping_fine
    assert log is not None
    shift = 3 * (1 << 16) - 40
    later = replace(log, answered=log.answered + shift, lost=log.lost + shift)
    wrapped = {
        name: replace(
            capture,
            sequence=((capture.sequence.astype(np.int64) + shift) % (1 << 16)).astype(np.uint16),
        )
        for name, capture in held.evidence.captures.items()
    }
    points = observation_points_of(wrapped, later, 44, held.run, held.clocks)
    expected = observation_points_of(held.evidence.captures, log, 44, held.run, held.clocks)
    for name, point in points.items():
        assert np.array_equal(point.requests.sequence, expected[name].requests.sequence + shift)
        assert np.array_equal(point.replies.packet, expected[name].replies.packet)


def test_an_answer_after_the_end_of_ping_is_late_and_not_lost(slow: Scene) -> None:
    """Had the guest answered at last, when nobody waited any more."""
    ping = next(ping for ping in slow.judge().coarse.lost if ping.cause is Cause.DESTINATION_GUEST)
    capture = slow.evidence.captures["destination tap"]
    request = np.flatnonzero(
        (capture.kind == Kind.REQUEST) & (capture.ip_bytes == 84) & (capture.sequence == ping.sequence)
    )
    appended = {field: np.append(values, values[request]) for field, values in vars(capture).items()}
    appended["kind"][-1] = Kind.REPLY
    appended["time"][-1] = capture.time[-1] + 2
    found = slow.judge({**slow.evidence.captures, "destination tap": Capture(**appended)})
    assert [late.sequence for late in found.coarse.answered_after_end] == [ping.sequence]
    assert ping.sequence not in [lost.sequence for lost in found.coarse.lost]
    assert "when ping had ended" in found.coarse.answered_after_end[0].reason


@given(data=st.data())
@settings(max_examples=25)
def test_whatever_a_capture_lacks_every_lost_ping_has_one_verdict(slow: Scene, data: st.DataObject) -> None:
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    captures = {}
    for name, capture in slow.evidence.captures.items():
        keep = generator.random(len(capture.time)) > data.draw(st.sampled_from([0.0, 0.01, 0.5, 1.0]))
        captures[name] = Capture(**{field: values[keep] for field, values in vars(capture).items()})
    found = slow.judge(captures)
    whole = slow.judge()
    for part, complete in zip(found.streams, whole.streams, strict=True):
        judged = [ping.sequence for ping in (*part.lost, *part.answered_after_end)]
        assert sorted(judged) == [ping.sequence for ping in complete.lost]
        assert sum(entry.count for entry in part.tallies.values()) == len(part.lost)
        assert all(ping.reason for ping in part.lost)


@pytest.mark.parametrize("name", list(CAPTURE_FILES))
def test_a_capture_of_another_run_is_named(held: Scene, name: str) -> None:
    """Packets of an hour earlier tell nothing of this migration."""
    capture = held.evidence.captures[name]
    other = replace(capture, time=capture.time - 3600)
    mixed = replace(held.evidence, captures={**held.evidence.captures, name: other})
    with pytest.raises(EvidenceError, match=f"{CAPTURE_FILES[name]}: mixed up: nothing in it is of this"):
        check_consistency(held.run, mixed, held.clocks, held.wire, held.timeline)


def test_a_run_without_captures_is_not_judged(held: Scene) -> None:
    assert attribute(held.run, replace(held.evidence, captures={}), held.clocks, held.timeline) is None


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([Cause.SWITCHOVER, Cause.UNKNOWN])), max_size=40))
def test_times_by_cause_lie_around_the_number_of_pings(slow: Scene, pings: list[tuple[bool, Cause]]) -> None:
    """Every piece of n pings of one cause lasts n - 1 to n + 1 periods, wherever in its gap it is."""
    log = slow.evidence.ping
    sent_at = 100 + 0.1 * np.arange(len(pings) + 2)
    gone = np.array([False, *(gone for gone, _ in pings), False])
    numbers = np.arange(len(gone))
    log = replace(
        log,
        answered=numbers[~gone],
        answered_sent_at=sent_at[~gone],
        round_trip_seconds=np.full(np.count_nonzero(~gone), 0.001),
        lost=numbers[gone],
        lost_sent_at=sent_at[gone],
        period_seconds=0.1,
    )
    causes = [cause for _, cause in pings]
    lost = tuple(
        LostPing(number, sent_at[number], "switchover", causes[number - 1], "", "")
        for number in log.lost.tolist()
    )
    found = tally(lost, Requests(log))
    assert sum(entry.count for entry in found.values()) == len(lost)
    for cause, entry in found.items():
        starts = sum(
            ping.cause is cause
            and not (
                number and lost[number - 1].sequence == ping.sequence - 1 and lost[number - 1].cause is cause
            )
            for number, ping in enumerate(lost)
        )
        assert entry.seconds.low == pytest.approx(0.1 * (entry.count - starts))
        assert entry.seconds.high == pytest.approx(0.1 * (entry.count + starts))
