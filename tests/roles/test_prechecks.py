"""The role prechecks on real nodes."""

from tests.roles.scenario import run_scenario


def test_prechecks() -> None:
    run_scenario("prechecks")
