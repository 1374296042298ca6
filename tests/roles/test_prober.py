"""The role prober on real nodes."""

from tests.roles.scenario import run_scenario


def test_prober() -> None:
    run_scenario("prober")
