"""Run a role's molecule scenario: create, check, converge, idempotence, verify from outside, destroy."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conftest import PROJECT, run_tool
from tests.lab import free_address_prefix

# What molecule says between the action that failed and the nodes' end.
REMOVES_THE_NODES = "An error occurred during the test sequence action"


def run_scenario(
    role: str, settings: Mapping[str, str] | None = None, scenario: str = "default", marks: str = ""
) -> None:
    """Fail if the scenario fails. Of its own tests those with `marks` are run (pytest's -m); all without."""
    done = run_tool(
        "molecule",
        "test",
        "--scenario-name",
        scenario,
        cwd=PROJECT / "roles" / role,
        timeout_seconds=1500,
        extra_env={
            "LAB_ADDRESS_PREFIX": free_address_prefix(),
            "SCENARIO_MARKS": marks,
            **(settings or {}),
        },
    )
    assert done.returncode == 0, end_of_failure(done.stdout)


def end_of_failure(log: str, lines: int = 120) -> str:
    """The last lines of what failed: molecule removes the nodes after it, which is no part of the failure."""
    return "\n".join(log.partition(REMOVES_THE_NODES)[0].splitlines()[-lines:])
