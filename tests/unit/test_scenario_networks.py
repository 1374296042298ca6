"""Scenarios of two roles can run side by side: the networks that their names give them differ."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import jinja2
import yaml
from ansible.plugins.filter.core import FilterModule

from tests.conftest import PROJECT

ROLES = sorted(path for path in PROJECT.glob("roles/*") if path.is_dir())
FILTERS = FilterModule().filters()


def prefix(role: Path) -> str:
    """The address prefix of a role's scenario where nobody asked for another."""
    config = yaml.safe_load((PROJECT / ".config/molecule/config.yml").read_text(encoding="utf-8"))
    words = config["provisioner"]["inventory"]["group_vars"]["all"]["local_nodes_address_prefix"]
    environment = jinja2.Environment()
    environment.filters["basename"] = FILTERS["basename"]
    environment.filters["ansible.builtin.hash"] = FILTERS["hash"]
    settings = {"LAB_ADDRESS_PREFIX": "", "MOLECULE_PROJECT_DIRECTORY": os.fspath(role)}
    return environment.from_string(words).render(lookup=lambda _, name: settings[name]).strip()


def test_each_role_has_networks_of_its_own_that_its_name_tells() -> None:
    shared = {found: count for found, count in Counter(map(prefix, ROLES)).items() if count > 1}
    assert shared == {}
    assert prefix(Path("/elsewhere/qemu")) == prefix(PROJECT / "roles/qemu")
    assert all(100 <= int(prefix(role).removeprefix("10.")) <= 254 for role in ROLES)
