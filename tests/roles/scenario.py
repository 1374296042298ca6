"""Run a role's molecule scenario: create, check, converge, idempotence, verify from outside, destroy."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conftest import PROJECT, run_tool
from tests.lab import free_address_prefix


def run_scenario(role: str, settings: Mapping[str, str] | None = None, scenario: str = "default") -> None:
    done = run_tool(
        "molecule",
        "test",
        "--scenario-name",
        scenario,
        cwd=PROJECT / "roles" / role,
        timeout_seconds=1500,
        extra_env={"LAB_ADDRESS_PREFIX": free_address_prefix(), **(settings or {})},
    )
    # The end of the log names the failing task; the whole of it is too long to read in a report.
    assert done.returncode == 0, "\n".join(done.stdout.splitlines()[-120:])
