"""The role node_baseline on real nodes."""

from tests.roles.scenario import run_scenario


def test_node_baseline() -> None:
    run_scenario("node_baseline")


def test_python27() -> None:
    run_scenario("node_baseline", {"LAB_RELEASE": "bullseye"}, scenario="python27")
