"""The pinned ansible-core manages old nodes; nothing of the kit may break on the newest one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import PROJECT, run_tool
from tests.roles.scenario import run_scenario

VENV = PROJECT / ".venv-newest-ansible"
PLAYBOOKS = sorted(path.name for path in (PROJECT / "playbooks").glob("*.yml"))


@pytest.fixture(scope="module")
def newest_ansible_env() -> dict[str, str]:
    """A .venv of its own with the newest ansible-core, from its own lock file."""
    uv = [sys.executable, os.fspath(PROJECT / "tools/uv.py")]
    if not (VENV / "bin/python").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    lock = os.fspath(PROJECT / "requirements-newest-ansible.lock")
    subprocess.run(
        [*uv, "pip", "sync", "--quiet", "--python", os.fspath(VENV / "bin/python"), "--require-hashes", lock],
        check=True,
    )
    return {
        "PATH": f"{VENV / 'bin'}:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": os.fspath(PROJECT / "ansible.cfg"),
        # The project's own packages, which .venv has installed.
        "PYTHONPATH": os.fspath(PROJECT),
    }


def test_it_is_newer(newest_ansible_env: dict[str, str]) -> None:
    done = run_tool("ansible", "--version", extra_env=newest_ansible_env)
    assert done.stdout.startswith("ansible [core 2.19"), done.stdout


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_syntax(newest_ansible_env: dict[str, str], playbook: str) -> None:
    done = run_tool(
        "ansible-playbook",
        "--syntax-check",
        "--inventory",
        "inventories/local",
        f"playbooks/{playbook}",
        "--extra-vars",
        "study=quick",
        extra_env=newest_ansible_env,
    )
    assert done.returncode == 0, done.stdout
    assert "DEPRECATION" not in done.stdout, done.stdout


def test_one_scenario(newest_ansible_env: dict[str, str]) -> None:
    run_scenario("node_baseline", newest_ansible_env)
