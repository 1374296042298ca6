"""The role openstack_service on real nodes."""

from tests.roles.scenario import run_cloud_scenario


def test_openstack_service() -> None:
    run_cloud_scenario("openstack_service")
