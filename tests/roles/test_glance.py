"""The role glance on real nodes."""

from tests.roles.scenario import run_cloud_scenario


def test_glance() -> None:
    run_cloud_scenario("glance")
