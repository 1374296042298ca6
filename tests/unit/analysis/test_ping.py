"""The ping parser on recorded logs, on logs made of a known truth, and on garbage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import EvidenceError
from analysis.parsers.ping import PingLog, parse_ping

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
    assert log.duplicates == 1


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
    assert log.lost_sent_at[0] == pytest.approx(START + 0.499)


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
