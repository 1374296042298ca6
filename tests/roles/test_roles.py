"""Each role on real nodes: check mode on a fresh one, a run, a second that changes nothing, a look from afar.

What is peculiar to a role is asked by the scenario's own tests, `roles/ROLE/molecule/SCENARIO/tests`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.conftest import PROJECT
from tests.roles.scenario import run_scenario

# What is asked of each node of each scenario, beside the role's own tests.
EVERY_NODE = PROJECT / "tests/roles/every_node.py"

TODAY: dict[str, str] = {}
CLOUD = {"LAB_RELEASE": "zed-backports", "LAB_BACKEND": "nova"}
OLDEST = {"LAB_RELEASE": "bullseye"}

# For make test: role, scenario, what its nodes are. The longest first, so that two processes end together.
SCENARIOS: list[tuple[str, str, Mapping[str, str]]] = [
    ("nova", "default", CLOUD),
    ("software", "default", TODAY),
    ("libvirt", "default", TODAY),
    ("local_nodes", "default", TODAY),
    ("lab_network", "default", TODAY),
    ("prechecks", "default", TODAY),
    ("qemu", "default", TODAY),
    ("guest_image", "default", TODAY),
    ("python_environment", "default", OLDEST),
    ("node_baseline", "python27", OLDEST),
    ("prober", "default", TODAY),
]
# These two scenarios run other roles too and ask their tests. Each of those roles by itself is a long test.
PART_OF = {
    "nova": [
        "neutron", "glance", "placement", "keystone", "instances_store", "nova_live_migration", "rabbitmq",
        "mariadb", "memcached",
    ],
    "libvirt": ["node_baseline"],
}  # fmt: skip
LONG: list[tuple[str, str, Mapping[str, str]]] = [
    *((role, "default", CLOUD) for role in PART_OF["nova"]),
    *((role, "default", TODAY) for role in PART_OF["libvirt"]),
    # nova's scenario runs it for each of the services.
    ("openstack_service", "default", CLOUD),
    ("nova_live_migration", "icehouse", OLDEST),
]


def title(role: str, scenario: str) -> str:
    return role if scenario == "default" else f"{role}-{scenario}"


@pytest.mark.parametrize(
    ("role", "scenario", "settings"),
    # Each may run beside those of other roles: nodes and networks are the role's own.
    [
        *(pytest.param(*one, id=title(*one[:2])) for one in SCENARIOS),
        *(pytest.param(*one, id=title(*one[:2]), marks=pytest.mark.long) for one in LONG),
    ],
)
def test_scenario(
    request: pytest.FixtureRequest, role: str, scenario: str, settings: Mapping[str, str]
) -> None:
    run_scenario(role, settings, scenario, marks=request.config.option.markexpr)


def test_every_role_has_a_scenario_that_is_run() -> None:
    roles = {path.name for path in (PROJECT / "roles").iterdir() if path.is_dir()}
    assert roles == {path.parents[2].name for path in PROJECT.glob("roles/*/molecule/default/molecule.yml")}
    assert roles == {role for role, scenario, _ in [*SCENARIOS, *LONG] if scenario == "default"}


@pytest.mark.parametrize("whole", PART_OF)
def test_the_tests_of_a_role_that_is_part_of_a_scenario_are_asked_there(whole: str) -> None:
    tests = PROJECT / f"roles/{whole}/molecule/default/tests"
    scenario = yaml.safe_load((tests.parent / "molecule.yml").read_text(encoding="utf-8"))
    asked = {(tests / path).resolve() for path in scenario["verifier"]["additional_files_or_dirs"]}
    parts = {PROJECT / f"roles/{role}/molecule/default/tests" for role in PART_OF[whole]}
    assert asked == parts | {EVERY_NODE}


@pytest.mark.parametrize(
    "scenario", sorted(PROJECT.glob("roles/*/molecule/*")), ids=lambda path: "-".join(path.parts[-3::2])
)
def test_each_node_of_each_scenario_is_asked_the_same(scenario: Path) -> None:
    asked: list[str] = []
    for file in (PROJECT / ".config/molecule/config.yml", scenario / "molecule.yml"):
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
        asked = settings.get("verifier", {}).get("additional_files_or_dirs", asked)
    assert EVERY_NODE in {(scenario / "tests" / path).resolve() for path in asked}
