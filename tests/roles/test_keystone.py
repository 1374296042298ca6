"""The role keystone on real nodes."""

from tests.roles.scenario import run_cloud_scenario


def test_keystone() -> None:
    run_cloud_scenario("keystone")
