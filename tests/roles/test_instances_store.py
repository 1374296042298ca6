"""The role instances_store on real nodes."""

from tests.roles.scenario import run_cloud_scenario


def test_instances_store() -> None:
    run_cloud_scenario("instances_store")
