"""The role guest_image on real nodes."""

from tests.roles.scenario import run_scenario


def test_guest_image() -> None:
    run_scenario("guest_image")
