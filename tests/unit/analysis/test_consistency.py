"""Logs that are sound, but not of one run: the run is excluded and the log named."""

from __future__ import annotations

import json
import re
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.study.results import EXCLUDED, load_results
from tests.unit.analysis.builder import EPOCH, Model, write_run, write_study, write_sums

MODEL = Model(threads=1)
LATER = replace(MODEL, requested_at=EPOCH + 3600)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("sound"), [(MODEL, 1)])


@pytest.fixture
def results(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "results"))


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("later"), LATER)


def _change_lines(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        change(row)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _jump(after: float, seconds: float) -> Callable[[dict[str, Any]], None]:
    def change(row: dict[str, Any]) -> None:
        if row["t"] > after:
            row["t"] += seconds

    return change


def excluded(results: Path) -> tuple[str, str]:
    (run,) = results.glob("runs/*/*")
    write_sums(run)
    (notice,) = [notice for notice in load_results(results).notices if notice.effect == EXCLUDED]
    return notice.file.split("/", 3)[3], notice.message


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("source/events.jsonl", "mixed up: the request in run.json is not in it"),
        ("source/job.jsonl", "mixed up: nothing in it is of this migration's time"),
        ("destination/events.jsonl", "mixed up: nothing in it is of this migration's time"),
        ("prober/ping_fine.log", "mixed up: nothing in it is of this migration's time"),
        ("source/nic.jsonl", "begins"),
        ("destination/nic.jsonl", "begins"),
        ("prober/ping.log", "begins"),
    ],
)
def test_another_runs_log(results: Path, later: Path, file: str, message: str) -> None:
    (run,) = results.glob("runs/*/*")
    shutil.copy(later / file, run / file)
    named, said = excluded(results)
    assert named == file
    assert said.startswith(message)


def test_hosts_that_were_swapped(results: Path) -> None:
    (run,) = results.glob("runs/*/*")
    source, destination = run / "source/nic.jsonl", run / "destination/nic.jsonl"
    content = source.read_bytes()
    source.write_bytes(destination.read_bytes())
    destination.write_bytes(content)
    assert excluded(results) == ("source/nic.jsonl", "mixed up: the destination sent more than the source")


def test_one_hosts_log_for_both(results: Path) -> None:
    (run,) = results.glob("runs/*/*")
    shutil.copy(run / "source/nic.jsonl", run / "destination/nic.jsonl")
    file, message = excluded(results)
    assert file == "destination/nic.jsonl"
    assert re.match(r"mixed up: received \d+ MB of the \d+ MB that the source sent", message)


def test_a_hosts_clock_that_jumped(results: Path) -> None:
    (run,) = results.glob("runs/*/*")
    _change_lines(run / "destination/nic.jsonl", _jump(EPOCH + 2, 60))
    file, message = excluded(results)
    assert file == "destination/nic.jsonl"
    assert message.startswith("60.0 s without a sample while the other host went on: the clock jumped")


def test_a_probers_clock_that_jumped(results: Path) -> None:
    (run,) = results.glob("runs/*/*")
    log = run / "prober/ping.log"
    moved = re.sub(
        r"^\[(\d+\.\d+)\]",
        lambda match: f"[{float(match[1]) + (60 if float(match[1]) > EPOCH + 2 else 0):.6f}]",
        log.read_text(),
        flags=re.MULTILINE,
    )
    log.write_text(moved)
    assert excluded(results) == (
        "prober/ping.log",
        "60.0 s more between two requests: the clock jumped or ping stood still",
    )


@pytest.mark.parametrize(
    ("driver", "message"),
    [
        ({"finished_at": EPOCH - 1}, '"driver.finished_at" is before "driver.requested_at"'),
        (
            {"requested_at": EPOCH * 1000},
            '"driver.requested_at" is 1795000000000.0, expected a time in epoch',
        ),
    ],
)
def test_a_driver_whose_times_cannot_be(results: Path, driver: dict[str, float], message: str) -> None:
    (path,) = results.glob("runs/*/*/run.json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "driver": {**record["driver"], **driver}}))
    file, said = excluded(results)
    assert file == "run.json"
    assert said.startswith(message)


def _capture(*times: float) -> bytes:
    """ARP packets at these times."""
    packet = bytes(12) + b"\x08\x06" + bytes(46)
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 64, 1)
    return header + b"".join(struct.pack("<IIII", int(time), 0, 60, 60) + packet for time in times)


def test_a_capture_of_before_the_migration_alone(results: Path) -> None:
    """Where the guest never came, nothing need pass while it migrates."""
    (run,) = results.glob("runs/*/*")
    (run / "destination/icmp_uplink.pcap").write_bytes(_capture(EPOCH - 3))
    write_sums(run)
    assert [notice for notice in load_results(results).notices if notice.effect == EXCLUDED] == []


def test_another_runs_capture(results: Path) -> None:
    (run,) = results.glob("runs/*/*")
    (run / "destination/icmp_uplink.pcap").write_bytes(_capture(EPOCH - 300, EPOCH - 290))
    assert excluded(results) == (
        "destination/icmp_uplink.pcap",
        "mixed up: nothing in it is of this migration's time",
    )
