"""A node that stood still in a migration: a real run's evidence without what a pause would have left out."""

import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import pauses, run_document
from tests.conftest import PROJECT

# An aborted pre-copy of 30 s.
RUN = PROJECT / "examples/icclab-2014/local/runs/precopy-xl-stress-1x256mib-1gbit/01"
# One machine, one clock.
DOCUMENT: dict[str, Any] = json.loads((RUN / "run.json").read_text())
NAMES: dict[str, str] = DOCUMENT["nodes"]
BEGAN: float = DOCUMENT["driver"]["requested_at"] + 5


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with tarfile.open(RUN / "evidence.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def judged(run: Path) -> str | None:
    return run_document.node_that_stood_still(pauses.read_signs(run, NAMES), NAMES, DOCUMENT["driver"])


def leave_out(path: Path, seconds: float, wanted: Callable[[str], bool] = lambda _line: True) -> None:
    """Remove the lines that were written in a time from BEGAN on, as far as they are wanted gone."""
    stamp = re.compile(r'^\[(\d+\.\d+)\]|"t": (\d+\.\d+)')
    kept = []
    for line in path.read_text().splitlines(keepends=True):
        found = stamp.search(line)
        at = float(next(filter(None, found.groups()))) if found else 0.0
        if not (BEGAN < at < BEGAN + seconds and wanted(line)):
            kept.append(line)
    path.write_text("".join(kept))


def pause_host(run: Path, role: str, seconds: float) -> None:
    leave_out(run / role / "nic.jsonl", seconds)
    leave_out(run / "prober/clock.jsonl", seconds, lambda line: json.loads(line)["node"] == NAMES[role])


def test_nobody_stood_still_in_a_real_run(run: Path) -> None:
    assert judged(run) is None


@pytest.mark.parametrize("role", ["source", "destination"])
def test_a_host_that_was_paused_is_named(run: Path, role: str) -> None:
    pause_host(run, role, 20)
    said = judged(run)
    assert said is not None
    assert re.fullmatch(rf"{NAMES[role]} stood still for 20\.\d s while other nodes went on", said)


def test_a_prober_that_was_paused_is_named(run: Path) -> None:
    leave_out(run / "prober/clock.jsonl", 20)
    leave_out(run / "prober/ping.log", 20)
    said = judged(run)
    assert said is not None and said.startswith(f"{NAMES['prober']} stood still for 2")


def test_what_is_short_or_has_another_cause_is_no_pause(run: Path) -> None:
    pause_host(run, "source", 4)
    assert judged(run) is None
    # Its clock answered all the time: its counters alone were not read, or its clock was set.
    leave_out(run / "destination/nic.jsonl", 20)
    assert judged(run) is None
    # Nobody was there to answer pings.
    leave_out(run / "prober/ping.log", 20)
    assert judged(run) is None


def test_a_machine_that_stood_still_as_a_whole_is_no_pause_of_a_node(run: Path) -> None:
    for role in ("source", "destination"):
        pause_host(run, role, 20)
    leave_out(run / "prober/ping.log", 20)
    assert judged(run) is None


def test_a_pause_before_the_migration_is_none_of_it(run: Path) -> None:
    pause_host(run, "source", 20)
    driver = {**DOCUMENT["driver"], "requested_at": BEGAN + 18}
    signs = pauses.read_signs(run, NAMES)
    assert run_document.node_that_stood_still(signs, NAMES, driver) is None


def test_lines_that_cannot_be_read_are_no_signs(run: Path) -> None:
    for name in ("source/nic.jsonl", "prober/clock.jsonl", "prober/ping.log"):
        (run / name).write_bytes(b'{"t": \n[]\n{"t": "x"}\n\xff\n[1.0 x\n')
    (run / "destination/nic.jsonl").unlink()
    signs = pauses.read_signs(run, NAMES)
    assert (signs.counters, signs.pings) == ({"source": [], "destination": []}, [])
    assert judged(run) is None


def test_a_run_with_a_pause_is_invalid() -> None:
    recorded = json.loads((PROJECT / "tests/data/run-results/precopy-not-converged.json").read_text())
    requested = recorded["results"]["migration"]["requested_at"]
    ticks = [requested + count / 20 for count in range(500)]
    signs = pauses.Signs({"source": [*ticks[:101], *ticks[300:]], "destination": ticks}, {}, ticks)
    names = {"source": "compute1", "destination": "compute2", "prober": "controller"}
    logs = {"source": [], "destination": [], "guest": [], "signs": signs}
    document = run_document.run_document(recorded["run"], recorded["results"], logs, [], names, requested)
    said = "compute1 stood still for 10.0 s while other nodes went on"
    assert (document["outcome"], document["valid"]) == ("not_converged", False)
    assert document["invalid_reason"] == said
