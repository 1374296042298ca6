"""The role lab_network on real nodes."""

from tests.roles.scenario import run_scenario


def test_lab_network() -> None:
    run_scenario("lab_network")
