"""The role neutron on real nodes."""

from tests.roles.scenario import run_cloud_scenario


def test_neutron() -> None:
    run_cloud_scenario("neutron")
