"""The role placement on real nodes."""

from tests.roles.scenario import run_cloud_scenario


def test_placement() -> None:
    run_cloud_scenario("placement")
