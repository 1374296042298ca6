"""The ping parser on recorded logs, on logs made of a known truth, and on garbage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.evidence.errors import EvidenceError
from analysis.evidence.ping import PingLog, parse_ping
from analysis.run.outage import Requests
from analysis.run.pinger import log_doubts

START = 1_795_000_000.0


def parse(text: str) -> PingLog:
    return parse_ping(text.encode().splitlines(keepends=True), "ping.log")


def reply(sequence: int, at: float, milliseconds: float = 1.0) -> str:
    return (
        f"[{at:.6f}] 64 bytes from 10.91.2.100: icmp_seq={sequence % 65536} ttl=64 time={milliseconds} ms\n"
    )


def waiting(sequence: int, at: float) -> str:
    return f"[{at:.6f}] no answer yet for icmp_seq={sequence % 65536}\n"


def recorded(project: Path, name: str) -> PingLog:
    with (project / "tests" / "data" / "ping" / name).open("rb") as lines:
        return parse_ping(lines, name)


def test_recorded_coarse_log_has_five_lost_in_a_row(project: Path) -> None:
    log = recorded(project, "loopback_100ms.log")
    assert len(log.answered) == 53
    assert log.lost.tolist() == [38, 39, 40, 41, 42]
    assert log.period_seconds == pytest.approx(0.104, abs=0.002)
    assert np.diff(log.lost_sent_at) == pytest.approx(0.105, abs=0.01)
    assert 1795455688.8 < log.lost_sent_at[0] < 1795455688.95


def test_recorded_fine_log_tells_late_from_lost(project: Path) -> None:
    """35 lines say "no answer yet"; 22 answers came late, 13 never: as ping's own summary says."""
    log = recorded(project, "loopback_10ms.log")
    assert len(log.answered) == 334
    assert len(log.lost) == 13
    assert log.round_trip_seconds.max() == pytest.approx(0.185, abs=1e-3)


def test_the_kits_own_sender_keeps_its_period_and_is_read_as_ping_is(project: Path) -> None:
    """Beside other work; a silence of 0.20 s to 0.23 s in it, by the clock of who made it."""
    log = recorded(project, "steady_10ms.log")
    assert log.period_seconds == pytest.approx(0.010, abs=0.0001)
    assert log.kept_period_seconds == pytest.approx(0.010, abs=0.0001)
    assert (len(log.answered), len(log.lost), len(log.undecided_sent_at), log.doubts) == (309, 21, 0, ())
    gap = Requests(log).gap(int(log.lost[0]), int(log.lost[-1]))
    assert gap.within().low < 0.20 < gap.within().high < 0.23
    assert 1795897886.970201 < gap.first < gap.last < 1795897887.199660


def test_an_outage_ends_with_an_answer_not_with_a_request_that_waited_for_an_address(project: Path) -> None:
    """The prober's kernel kept 20 requests back while it asked for the guest's address: they were answered
    all at once, up to 2.05 s after they were sent. Each request was sent all the same."""
    log = recorded(project, "unreachable_100ms.log")
    assert (len(log.answered), len(log.lost), log.doubts) == (67, 92, ())
    assert log.round_trip_seconds.max() == pytest.approx(2.05, abs=0.01)
    sent_at = np.sort(np.concatenate((log.answered_sent_at, log.lost_sent_at)))
    assert np.diff(sent_at).max() < 0.2
    taken_away, given_back = 1796132940.918, 1796132952.433
    gap = Requests(log).gap(int(log.lost[0]), int(log.lost[-1]))
    assert gap.before < taken_away < gap.first and gap.last < given_back < gap.after
    assert gap.within().low < given_back - taken_away < gap.within().high


def test_no_answer_yet_and_unreachable_are_no_replies() -> None:
    log = parse(
        "PING 10.91.2.100 (10.91.2.100) 56(84) bytes of data.\n"
        + reply(1, START)
        + waiting(2, START + 0.2)
        + f"[{START + 0.3:.6f}] From 10.91.2.2 icmp_seq=3 Destination Host Unreachable\n"
        + reply(4, START + 0.3)
        + reply(14, START + 1.3)
        + "\n--- 10.91.2.100 ping statistics ---\n"
        + "14 packets transmitted, 3 received, +1 errors, 78.6% packet loss, time 1304ms\n"
        + "rtt min/avg/max/mdev = 1.000/1.000/1.000/0.000 ms, pipe 2\n"
    )
    assert log.lost.tolist()[:2] == [2, 3]
    assert log.network_errors == 1


def test_a_duplicate_counts_once() -> None:
    log = parse(reply(1, START) + reply(2, START + 0.1) + reply(2, START + 0.11).replace(" ms", " ms (DUP!)"))
    assert log.answered.tolist() == [1, 2]
    assert len(log.round_trip_seconds) == 2


def test_request_still_in_flight_at_the_end_is_not_lost() -> None:
    text = (
        reply(1, START)
        + reply(2, START + 0.1)
        + "3 packets transmitted, 2 received, 33.3333% packet loss, time 200ms\n"
    )
    assert parse(text).lost.tolist() == []


def test_lost_at_the_end_are_dated_by_the_period() -> None:
    answered = "".join(reply(number, START + number * 0.1) for number in range(1, 5))
    log = parse(answered + "".join(waiting(number, START + number * 0.1 + 0.1) for number in range(5, 30)))
    assert log.lost.tolist() == list(range(5, 21)), "the last second is undecided"
    assert len(log.undecided_sent_at) == 9
    assert log.lost_sent_at[0] == pytest.approx(START + 0.499, abs=0.001)


def summary(sent: int, answered: int) -> str:
    head = "\n--- 10.91.2.100 ping statistics ---\n"
    return f"{head}{sent} packets transmitted, {answered} received, 9% packet loss, time 9000ms\n"


def test_one_slow_answer_hides_no_loss() -> None:
    """Forty pings lost in a row, then one answer that took ten seconds: they stay lost."""
    lines = [reply(number, START + number * 0.1) for number in range(1, 41)]
    lines += [waiting(number, START + number * 0.1 + 0.1) for number in range(41, 81)]
    lines += [reply(number, START + number * 0.1) for number in range(81, 110)]
    lines += [reply(110, START + 21.0, 10_000.0), summary(110, 70)]
    log = parse("".join(lines))
    assert log.lost.tolist() == list(range(41, 81))
    assert len(log.undecided_sent_at) == 0 and log.doubts == ()


def test_every_request_is_answered_lost_or_undecided_as_the_summary_says() -> None:
    answered = "".join(reply(number, START + number * 0.1) for number in range(1, 50))
    lost_late = "".join(waiting(number, START + number * 0.1 + 0.1) for number in range(50, 55))
    log = parse(answered + lost_late + summary(55, 49))
    # The last request has no line of its own: only the summary tells of it.
    assert (len(log.answered), len(log.lost), len(log.undecided_sent_at)) == (49, 0, 6)
    assert log.doubts == ()
    assert list(log_doubts(log)) == [
        "6 pings of its last second had no answer when it ended: neither answered nor lost"
    ]


def test_a_request_on_its_way_at_the_stop_is_undecided_and_no_doubt() -> None:
    log = parse("".join(reply(number, START + number * 0.1) for number in range(1, 50)) + summary(50, 49))
    assert len(log.undecided_sent_at) == 1
    assert list(log_doubts(log)) == []


@pytest.mark.parametrize(
    ("end", "doubt"),
    [
        (summary(80, 79), "its lines tell of 49 pings sent and 49 answered, its own summary of 80 and 79"),
        (summary(49, 48), "its lines tell of 49 pings sent and 49 answered, its own summary of 49 and 48"),
        ("", "ends without ping's own summary: it was killed, or the log was cut"),
        (
            "Warning: time of day goes back (-12345us), taking countermeasures.\n" + summary(49, 49),
            'says "Warning: time of day goes back (-12345us), taking countermeasures."',
        ),
        (
            "ping: sendmsg: No buffer space available\n" * 2 + summary(49, 49),
            'says "ping: sendmsg: No buffer space available" (and 1 more lines like it)',
        ),
    ],
)
def test_what_a_log_says_against_itself(end: str, doubt: str) -> None:
    log = parse("".join(reply(number, START + number * 0.1) for number in range(1, 50)) + end)
    assert log.doubts == (doubt,)


def test_no_answer_yet_dates_the_request_that_follows_it() -> None:
    """It is printed when the next request goes out: that one was late here, and its neighbours were not."""
    lines = [reply(number, START + number * 0.1, 0.0) for number in range(1, 11)]
    lines += [waiting(11, START + 1.27), waiting(12, START + 1.3)]
    lines += [reply(number, START + number * 0.1, 0.0) for number in range(14, 40)]
    log = parse("".join(lines))
    assert log.lost.tolist() == [11, 12, 13]
    assert log.lost_sent_at == pytest.approx([START + 1.135, START + 1.27, START + 1.3])


@pytest.mark.parametrize(
    ("line", "written_by"),
    [
        ("64 bytes from 10.91.2.100: seq=0 ttl=64 time=0.123 ms", "busybox's ping"),
        ("[1795000000.123] 64 bytes from 10.91.2.100: seq=0 ttl=64 time=0.123 ms", "busybox's ping"),
        ("10.91.2.100 is alive", "fping"),
        ("10.91.2.100 : [0], 64 bytes, 0.12 ms (0.12 avg, 0% loss)", "fping"),
        ("[1795000000.12345] 10.91.2.100 : [1], timed out (NaN avg, 100% loss)", "fping"),
        ("10.91.2.100 : xmt/rcv/%loss = 5/5/0%, min/avg/max = 0.1/0.2/0.3", "fping"),
        ("64 bytes from 10.91.2.100: icmp_seq=0 ttl=64 time=0,123 ms", "inetutils' ping"),
        ("64 bytes from 10.91.2.100: icmp_seq=1 ttl=64 time=0.123 ms", "ping without -D"),
        (
            "[1795000000.123] 64 Bytes von 10.91.2.100: icmp_seq=1 ttl=64 Zeit=0.1 ms",
            "ping in another language",
        ),
    ],
)
def test_another_pings_format_is_named(line: str, written_by: str) -> None:
    with pytest.raises(
        EvidenceError, match=f"ping.log:2: written by {written_by}.*; what is read is"
    ) as caught:
        parse(f"PING 10.91.2.100 (10.91.2.100): 56 data bytes\n{line}\n")
    assert caught.value.line == 2


def test_the_oldest_iputils_say_icmp_req() -> None:
    lines = "".join(reply(number, START + number * 0.1) for number in range(1, 5)).replace(
        "icmp_seq", "icmp_req"
    )
    assert parse(lines).answered.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", None, "fewer than two replies"),
        (reply(1, START) + "garbage\n", 2, "garbled"),
        (reply(1, START) + reply(2, START)[:-9], 2, "truncated"),
        (reply(1, START).replace("time=1.0", "time=1.2.3"), 1, "garbled"),
    ],
)
def test_bad_logs_name_their_line(text: str, line: int | None, message: str) -> None:
    with pytest.raises(EvidenceError, match=message) as caught:
        parse(text)
    assert (caught.value.file, caught.value.line) == ("ping.log", line)


@given(
    first=st.integers(1, 65535),
    answered=st.lists(st.booleans(), min_size=3, max_size=300),
    period=st.sampled_from([0.01, 0.1]),
)
def test_recovers_what_was_lost_across_the_wrap(first: int, answered: list[bool], period: float) -> None:
    answered = [True, *answered, True]
    lines = []
    for index, replied in enumerate(answered):
        sent = START + index * period
        lines.append(reply(first + index, sent + 0.001) if replied else waiting(first + index, sent + period))
    end = START + len(answered) * period
    lines += [reply(first + len(answered) + index, end + index * 0.5) for index in range(4)]
    log = parse("".join(lines))
    lost = [index for index, replied in enumerate(answered) if not replied]
    assert (log.lost - first).tolist() == lost
    assert log.lost_sent_at == pytest.approx([START + index * period for index in lost], abs=1e-4)
    assert len(log.answered) + len(log.lost) == len(answered) + 4


@given(st.binary(max_size=400))
def test_garbage_is_named_never_a_crash(content: bytes) -> None:
    with pytest.raises(EvidenceError):
        parse_ping(content.splitlines(keepends=True), "ping.log")


_PIECES = st.sampled_from(
    [
        reply(7, START),
        waiting(8, START),
        "\n",
        "[",
        "] 64 bytes from ",
        "icmp_seq=",
        "99999999999999",
        "time=",
        "\x00",
    ]
)


@given(st.lists(_PIECES, max_size=30))
def test_pieces_of_real_lines_in_any_order(pieces: list[str]) -> None:
    try:
        log = parse("".join(pieces))
    except EvidenceError:
        return
    assert np.all(np.diff(log.answered) > 0)
    assert not np.isnan(log.lost_sent_at).any()
