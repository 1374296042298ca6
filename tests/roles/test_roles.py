"""Each role on real nodes: check mode on a fresh one, a run, a second that changes nothing, a look from afar.

What is peculiar to a role is asked by the scenario's own tests, `roles/ROLE/molecule/SCENARIO/tests`.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.conftest import PROJECT
from tests.roles.scenario import run_scenario

TODAY: dict[str, str] = {}
CLOUD = {"LAB_RELEASE": "zed-backports", "LAB_BACKEND": "nova"}
OLDEST = {"LAB_RELEASE": "bullseye"}

# Role, scenario, what its nodes are. The longest first, so that two processes end at nearly the same time.
SCENARIOS: list[tuple[str, str, Mapping[str, str]]] = [
    ("nova", "default", CLOUD),
    ("software", "default", TODAY),
    ("local_nodes", "default", TODAY),
    ("neutron", "default", CLOUD),
    ("lab_network", "default", TODAY),
    ("nova_live_migration", "icehouse", OLDEST),
    ("glance", "default", CLOUD),
    ("placement", "default", CLOUD),
    ("keystone", "default", CLOUD),
    ("libvirt", "default", TODAY),
    ("prechecks", "default", TODAY),
    ("qemu", "default", TODAY),
    ("guest_image", "default", TODAY),
    ("node_baseline", "python27", OLDEST),
    ("openstack_service", "default", CLOUD),
    ("instances_store", "default", CLOUD),
    ("nova_live_migration", "default", CLOUD),
    ("rabbitmq", "default", CLOUD),
    ("mariadb", "default", CLOUD),
    ("memcached", "default", CLOUD),
    ("node_baseline", "default", TODAY),
    ("prober", "default", TODAY),
]


def title(role: str, scenario: str) -> str:
    return role if scenario == "default" else f"{role}-{scenario}"


@pytest.mark.parametrize(
    ("role", "scenario", "settings"),
    # Each may run beside those of other roles: nodes and networks are the role's own.
    [pytest.param(*one, id=title(*one[:2])) for one in SCENARIOS],
)
def test_scenario(role: str, scenario: str, settings: Mapping[str, str]) -> None:
    run_scenario(role, settings, scenario)


def test_every_role_has_a_scenario_that_is_run() -> None:
    roles = {path.name for path in (PROJECT / "roles").iterdir() if path.is_dir()}
    assert roles == {path.parents[2].name for path in PROJECT.glob("roles/*/molecule/default/molecule.yml")}
    assert roles == {role for role, scenario, _ in SCENARIOS if scenario == "default"}
