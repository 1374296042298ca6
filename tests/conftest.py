"""What all tests share: where the project is, and how its programs are called."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests, which share a lab or a .venv, in one process under `--dist loadgroup`."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(PROJECT))))


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
