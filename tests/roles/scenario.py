"""Run a role's molecule scenario: create, check, converge, idempotence, verify from outside, destroy."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conftest import PROJECT, run_tool
from tests.lab import free_address_prefix


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
    # The end of the log names the failing task; the whole of it is too long to read in a report.
    assert done.returncode == 0, "\n".join(done.stdout.splitlines()[-120:])
