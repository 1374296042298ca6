"""The role mariadb on real nodes."""

from tests.roles.scenario import run_cloud_scenario


def test_mariadb() -> None:
    run_cloud_scenario("mariadb")
