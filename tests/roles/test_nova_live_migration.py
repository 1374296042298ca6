"""The role nova_live_migration on real nodes."""

from tests.roles.scenario import run_cloud_scenario, run_scenario


def test_nova_live_migration() -> None:
    run_cloud_scenario("nova_live_migration")


def test_icehouse() -> None:
    run_scenario("nova_live_migration", {"LAB_RELEASE": "bullseye"}, scenario="icehouse")
