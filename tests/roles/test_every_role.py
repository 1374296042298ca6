"""No role goes without a scenario that is run."""

from pathlib import Path

from tests.conftest import PROJECT


def test_every_role_has_a_scenario_and_a_test() -> None:
    roles = {path.name for path in (PROJECT / "roles").iterdir() if path.is_dir()}
    assert roles == {path.parents[2].name for path in PROJECT.glob("roles/*/molecule/default/molecule.yml")}
    assert roles <= {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
