"""The role memcached on real nodes."""

from tests.roles.scenario import run_cloud_scenario


def test_memcached() -> None:
    run_cloud_scenario("memcached")
