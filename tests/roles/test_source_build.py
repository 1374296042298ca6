"""The role source_build on real nodes."""

from tests.roles.scenario import run_scenario


def test_source_build() -> None:
    run_scenario("source_build")
