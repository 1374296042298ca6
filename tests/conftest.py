"""What all tests share: where the project is, and how its programs are called."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """What shares a lab or a .venv stays in one process: a file's tests, and the scenarios of one role.

    pytest-xdist 3.8 has `--dist loadgroup` for this, which does nothing under pytest 9.2.
    """
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            # "tests/roles/test_roles.py::test_scenario[ROLE]" or "...[ROLE-SCENARIO]".
            role = nodeid.removesuffix("]").partition("-")[0]
            return role if nodeid.startswith("tests/roles/") else super()._split_scope(nodeid)

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


def run_tool(
    *command: str,
    cwd: Path = PROJECT,
    extra_env: Mapping[str, str] | None = None,
    timeout_seconds: float = 900,
) -> subprocess.CompletedProcess[str]:
    """Run one of .venv's programs as a user would; returns its exit code with both streams as one text."""
    tools = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    env = {**os.environ, **tools, **(extra_env or {})}
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout_seconds,
        check=False,
    )
