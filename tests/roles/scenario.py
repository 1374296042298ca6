"""Run a role's molecule scenario: create, check, converge, idempotence, verify from outside, destroy."""

from __future__ import annotations

from tests.conftest import PROJECT, run_tool


def run_scenario(role: str) -> None:
    done = run_tool("molecule", "test", cwd=PROJECT / "roles" / role, timeout_seconds=1500)
    # The end of the log names the failing task; the whole of it is too long to read in a report.
    assert done.returncode == 0, "\n".join(done.stdout.splitlines()[-120:])
