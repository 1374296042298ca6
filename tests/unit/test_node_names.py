"""What /etc/hosts of a node says of the nodes: addresses, whatever the inventory says instead of them."""

from __future__ import annotations

import re

import jinja2

from tests.conftest import PROJECT

OWN = {"default_ipv4": {"address": "192.0.2.12"}}
NODES = {
    "c0": {"ansible_host": "192.0.2.10"},
    "c1": {"ansible_host": "2001:db8::11", "lab_network_migration_address": "198.51.100.11"},
    "c2": {
        "ansible_host": "compute2.example.org",
        "ansible_facts": OWN,
        "lab_network_migration_address": "198.51.100.12",
    },
    "c3": {"ansible_facts": {"default_ipv4": {"address": "192.0.2.13"}}},
    "c4": {"ansible_host": "an-alias-of-ssh", "lab_network_migration_address": ""},
}


def test_names_are_no_addresses() -> None:
    template = (PROJECT / "roles/node_baseline/templates/hosts.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(trim_blocks=True)
    environment.tests["match"] = lambda value, pattern: re.match(pattern, value) is not None
    text = environment.from_string(template).render(hostvars=NODES, __node_baseline_nodes=list(NODES))
    assert text.splitlines() == [
        "192.0.2.10 c0",
        "2001:db8::11 c1",
        "198.51.100.11 c1-migration",
        "192.0.2.12 c2",
        "198.51.100.12 c2-migration",
        "192.0.2.13 c3",
    ]
