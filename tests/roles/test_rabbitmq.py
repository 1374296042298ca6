"""The role rabbitmq on real nodes."""

from tests.roles.scenario import run_cloud_scenario


def test_rabbitmq() -> None:
    run_cloud_scenario("rabbitmq")
