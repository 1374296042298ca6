"""The role libvirt on real nodes."""

from tests.roles.scenario import run_scenario


def test_libvirt() -> None:
    run_scenario("libvirt")
