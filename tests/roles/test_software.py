"""The role software on real nodes."""

from tests.roles.scenario import run_scenario


def test_software() -> None:
    run_scenario("software")
