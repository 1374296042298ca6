"""What grows with the runs is told from what only varies, and a machine's sample sees what is there."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.growth import growth_of, growths, plot, read_samples, table
from tests.bench.machine_sample import processes, size_of, started_with

MIB = 1 << 20


def series(begin: float, per_run: float, noise: float) -> list[tuple[int, float]]:
    """200 runs on a line with noise; a tenth of them far off, as when a guest was just starting."""
    chance = random.Random(1)
    values = (begin + per_run * run + noise * chance.random() for run in range(1, 201))
    return [(run, value * (3 if run % 10 == 0 else 1)) for run, value in enumerate(values, 1)]


@pytest.mark.parametrize(
    ("name", "samples", "grows"),
    [
        ("compute1.processes", series(30, 0, 4), False),
        ("compute1.sockets", series(200, 0.1, 4), True),
        ("compute1.sockets", series(200, -0.1, 4), False),
        ("compute1.queue_disciplines", series(6, 0, 0), False),
        ("study.memory_bytes", series(100 * MIB, 0.005 * MIB, 2 * MIB), False),
        ("study.memory_bytes", series(100 * MIB, 0.1 * MIB, 2 * MIB), True),
        ("study.seconds", series(12, 0.1, 1), None),
    ],
)
def test_growth(name: str, samples: list[tuple[int, float]], grows: bool | None) -> None:
    growth = growth_of(name, samples)
    assert growth is not None
    assert growth.grows is grows, growth


def test_the_first_runs_are_left_out() -> None:
    samples = [(run, 1.0 if run < 5 else 50.0) for run in range(1, 31)]
    growth = growth_of("compute1.processes", samples)
    assert growth is not None
    assert (growth.first, growth.last, growth.rise) == (50, 50, 0)
    assert growth_of("compute1.processes", samples[:6]) is None


def test_recorded_samples_become_a_table_and_a_plot(tmp_path: Path) -> None:
    file = tmp_path / "samples.csv"
    rows = [f"{run},{run},{MIB * run}," for run in range(1, 21)]
    file.write_text("\n".join(["run,study.sockets,study.state_bytes,study.cost_seconds", *rows]))
    samples = read_samples(file)
    assert sorted(samples) == ["study.sockets", "study.state_bytes"]
    lines = table(growths(samples)).splitlines()
    assert lines[2:] == [
        "| study.sockets | 7.0 | 18.0 | +100.00 (+100.00 to +100.00) | **yes** |",
        "| study.state_bytes | 7.0 MiB | 18.0 MiB | +100.00 (+100.00 to +100.00) MiB | **yes** |",
    ]
    plot(samples, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_a_sample_sees_a_process_its_files_and_its_memory(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x" * 8192)
    assert size_of(tmp_path) == (8192, 1)
    program = "import sys; held = b'x' * (64 << 20); print(flush=True); sys.stdin.read()"
    ours, theirs = socket.socketpair()
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "GROWTH_TEST": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[theirs.fileno()],
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = started_with("GROWTH_TEST=1", processes())
        child.communicate()
    ours.close()
    theirs.close()
    (process,) = found
    assert process.pid == child.pid
    assert 64 << 20 < process.memory_bytes < 200 << 20
    assert (process.files, process.sockets) == (4, 1)
