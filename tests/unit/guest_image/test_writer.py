"""The thread that rewrites the pattern, in the agent as the guest has it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from integrity_guest import ask, reachable
from integrity_qemu import free_port, wait_until

from tests.unit.guest_image.agent import SOURCES, compiled, needs_compiler

pytestmark = needs_compiler


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """A running agent: its process id, and its port."""
    port = free_port()
    source = (SOURCES / "guest-agent.c").read_text()
    assert source.count("PORT = 7300") == 1
    # On a free port, which is the only difference.
    program = compiled(tmp_path, {"guest-agent.c": source.replace("PORT = 7300", f"PORT = {port}")})
    with subprocess.Popen([program, "serve"]) as process:
        assert wait_until(lambda: reachable(port), 10)
        yield process.pid, port
        process.kill()


def niceness(thread: Path) -> int:
    """proc(5): the 19th field of stat, counted from behind the name."""
    return int((thread / "stat").read_text().rpartition(")")[2].split()[16])


@pytest.mark.skipif(os.geteuid() != 0, reason="a higher priority is root's to take")
def test_a_pause_of_the_guest_does_not_keep_the_writer_behind_the_stressor(agent: tuple[int, int]) -> None:
    pid, port = agent
    threads = Path(f"/proc/{pid}/task")
    before = {thread.name for thread in threads.iterdir()}
    ask(port, "pattern start 1048576")
    (writer,) = [thread for thread in threads.iterdir() if thread.name not in before]
    assert wait_until(lambda: niceness(writer) == -20, 5)
    # What it starts would inherit the agent's own.
    assert {niceness(threads / name) for name in before} == {niceness(Path("/proc/self"))}
