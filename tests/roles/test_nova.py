"""The role nova on real nodes."""

from tests.roles.scenario import run_cloud_scenario


def test_nova() -> None:
    run_cloud_scenario("nova")
