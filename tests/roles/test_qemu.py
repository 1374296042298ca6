"""The role qemu on real nodes."""

from tests.roles.scenario import run_scenario


def test_qemu() -> None:
    run_scenario("qemu")
