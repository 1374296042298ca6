"""One machine of the role local_nodes, from outside and within. It takes minutes without KVM."""

from tests.roles.scenario import run_scenario


def test_machine() -> None:
    run_scenario("local_nodes", scenario="machine")
