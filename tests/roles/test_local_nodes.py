"""The role local_nodes on real nodes."""

from tests.roles.scenario import run_scenario


def test_local_nodes() -> None:
    run_scenario("local_nodes")
