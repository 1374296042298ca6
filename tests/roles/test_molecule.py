"""Every role's molecule scenarios: create, converge, idempotence, verify from outside, destroy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import PROJECT, run_tool

SCENARIOS = sorted(path.parent for path in PROJECT.glob("roles/*/molecule/*/molecule.yml"))


def scenario_id(scenario: Path) -> str:
    role = scenario.parent.parent.name
    return role if scenario.name == "default" else f"{role}-{scenario.name}"


def test_every_role_has_a_scenario() -> None:
    roles = {path.name for path in (PROJECT / "roles").iterdir() if path.is_dir()}
    assert roles == {scenario.parent.parent.name for scenario in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=scenario_id)
def test_role(scenario: Path) -> None:
    role = scenario.parent.parent
    done = run_tool("molecule", "test", "--scenario-name", scenario.name, cwd=role, timeout_seconds=1500)
    # The end of the log names the failing task; the whole of it is too long to read in a report.
    assert done.returncode == 0, "\n".join(done.stdout.splitlines()[-120:])
