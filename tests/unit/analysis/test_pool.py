"""Work on several processes: in order, and nothing is left behind when its caller is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analysis.evidence.pool import map_in_order

CALLER = """
import os, sys, time
from analysis.evidence.pool import map_in_order

def work(item):
    # In one piece, since two write to it.
    os.write(sys.stdout.fileno(), f"{os.getpid()}\\n".encode())
    time.sleep(item)
    return item

if __name__ == "__main__":
    list(map_in_order(work, [0.2] * 200, workers=2))
"""


def _process(_number: int) -> int:
    return os.getpid()


def _double(number: int) -> int:
    return 2 * number


def test_results_come_in_order() -> None:
    assert list(map_in_order(_double, range(40), workers=2)) == list(range(0, 80, 2))


def test_a_few_items_need_no_other_process() -> None:
    assert list(map_in_order(_process, [1, 2])) == [os.getpid()] * 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_caller(number: signal.Signals, project: Path, tmp_path: Path) -> None:
    (tmp_path / "caller.py").write_text(CALLER)
    with subprocess.Popen(
        [sys.executable, tmp_path / "caller.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
    ) as caller:
        assert caller.stdout is not None
        workers = {int(caller.stdout.readline()) for _ in range(4)}
        caller.send_signal(number)
        caller.wait(timeout=60)
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline, "a worker waits for ever"
        time.sleep(0.1)
