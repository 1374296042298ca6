"""Captures that a dying tcpdump left: what is there is read, what is not there is said to be missing."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.evidence.logs import CAPTURE_FILES, read_evidence
from analysis.evidence.records import read_lab, read_run
from analysis.run.causes import Cause
from analysis.run.measure import Measured, measure_run
from tests.unit.analysis.builder import write_sums
from tests.unit.analysis.recorded_captures import recorded_run

UPLINK = CAPTURE_FILES["source uplink"]


def measured(project: Path, root: Path, file: str, change: Callable[[bytes], bytes | None]) -> Measured:
    """The recorded run of a stale FDB, one of its captures as a tcpdump might have left it."""
    run_dir = recorded_run(project, root, "stale_fdb")
    content = change((run_dir / file).read_bytes())
    if content is None:
        (run_dir / file).unlink()
    else:
        (run_dir / file).write_bytes(content)
    write_sums(run_dir)
    return measure_run(read_run(run_dir / "run.json"), read_evidence(run_dir), read_lab(root / "lab.json"))


def upto(share: float, more: int = 0) -> Callable[[bytes], bytes]:
    """The first packets of a capture, by their number, and so many bytes of the next."""

    def cut(content: bytes) -> bytes:
        ends = [24]
        while ends[-1] < len(content):
            ends.append(ends[-1] + 16 + struct.unpack_from("<I", content, ends[-1] + 8)[0])
        return content[: ends[int(share * (len(ends) - 1))] + more]

    return cut


def test_whole_captures_have_no_doubt(project: Path, tmp_path: Path) -> None:
    assert measured(project, tmp_path, UPLINK, lambda content: content).doubts == ()


@pytest.mark.parametrize(
    ("file", "share"),
    [("prober/icmp.pcap", 0.3), (UPLINK, 0.01), ("destination/icmp_uplink.pcap", 0.01)],
)
def test_a_tcpdump_that_died_is_named(project: Path, tmp_path: Path, file: str, share: float) -> None:
    run = measured(project, tmp_path, file, upto(share))
    ((named, text),) = run.doubts
    assert named == file
    assert text.startswith("ends ") and text.endswith("s before the last answered ping that passed there")


def test_what_a_dead_capture_cannot_show_is_unknown(project: Path, tmp_path: Path) -> None:
    """The source's capture ended before its guest left: that no request came there later is not known."""
    whole = measured(project, tmp_path / "whole", UPLINK, lambda content: content)
    run = measured(project, tmp_path / "cut", UPLINK, upto(0.01))
    assert whole.metrics.network_stale_seconds is not None
    assert run.metrics.network_stale_seconds is None
    assert run.attribution is not None and whole.attribution is not None
    assert Cause.LOST_BEFORE_HOSTS not in run.attribution.finest.tallies
    assert run.metrics.forward_bytes == whole.metrics.forward_bytes


def test_a_cut_last_packet_costs_only_itself(project: Path, tmp_path: Path) -> None:
    whole = measured(project, tmp_path / "whole", UPLINK, lambda content: content)
    run = measured(project, tmp_path / "cut", UPLINK, upto(0.999, more=20))
    assert [file for file, _ in run.doubts] == [UPLINK]
    assert "has no end: only those before it are read" in run.doubts[0][1]
    assert run.metrics == whole.metrics


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _content: b"", "truncated: 0 bytes, less than a pcap file header"),
        (lambda content: b"\x0a\x0d\x0d\x0a" + content[4:], "is pcapng"),
        (lambda content: content[:20] + b"\x71\0\0\0" + content[24:], r"link type 113 \(Linux cooked"),
        (lambda content: content[:24], "without a packet, while [0-9]+ answered pings passed: tcpdump died"),
        (lambda _content: None, "missing: [0-9]+ answered pings passed there"),
    ],
)
def test_a_capture_that_shows_nothing_is_named_and_the_run_counts(
    project: Path, tmp_path: Path, change: Callable[[bytes], bytes | None], words: str
) -> None:
    run = measured(project, tmp_path, "destination/icmp.pcap", change)
    assert [file for file, _ in run.doubts] == ["destination/icmp.pcap"]
    assert re.match(words, run.doubts[0][1])
    assert run.attribution is not None
