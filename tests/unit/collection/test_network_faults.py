"""What of an inventory's networks is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postcopy.lab.plugins.filter.network_faults import network_faults

COMMON: dict[str, Any] = {
    "lab_network_link_rate": "1gbit",
    "lab_network_prefix_length": 24,
    "lab_network_migration_interface": "eno2",
    "lab_network_guest_interface": "eno3",
}
NODES: dict[str, dict[str, Any]] = {
    "c0": {**COMMON, "ansible_host": "192.0.2.10", "lab_network_guest_address": "203.0.113.10"},
    "c1": {
        **COMMON,
        "ansible_host": "192.0.2.11",
        "lab_network_migration_address": "198.51.100.11",
        "lab_network_guest_bridge": "br-guest",
    },
    "c2": {
        **COMMON,
        "ansible_host": "192.0.2.12",
        "lab_network_migration_address": "198.51.100.12",
        "lab_network_guest_bridge": "br-guest",
    },
}
GROUPS = {"lab": ["c0", "c1", "c2"], "compute": ["c1", "c2"], "prober": ["c0"]}


def faults(**changes: dict[str, Any]) -> list[str]:
    """The faults of a sound inventory with changed variables: node (every=all) and what it has instead."""
    every = changes.pop("every", {})
    return network_faults(
        {name: {**variables, **every, **changes.get(name, {})} for name, variables in NODES.items()}, GROUPS
    )


def test_a_sound_inventory_has_none() -> None:
    assert faults() == []
    # A network of one's own size, names instead of addresses of management, a bridge that neutron makes.
    assert (
        faults(
            every={"lab_network_prefix_length": "16", "ansible_port": 2222, "lab_network_guest_bridge": ""}
        )
        == []
    )
    assert faults(c1={"ansible_host": "compute1.example.org"}) == []
    # Two names of one machine, or machines behind one address.
    assert faults(c0={"ansible_host": "127.0.0.1", "ansible_port": 1}, c1={"ansible_host": "127.0.0.1"}) == []
    assert faults(every={"local_nodes_hosts": {"c0": 2, "c1": 11, "c2": 200}}) == []


ADDRESS = "allowed is an IPv4 address without the length of its prefix, like 198.51.100.11"


@pytest.mark.parametrize(
    "value",
    [
        "fd00:91:1::11", "10.91.1.300", "compute2.example.org", "10.91.1", "198.51.100.11/24", "127.0.0.1",
        "224.0.0.5", "0.0.0.0", "255.255.255.255", " 198.51.100.11", "198.51.100.011", "{{ nowhere }}", True,
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("node", "variable"),
    [
        ("c1", "lab_network_migration_address"),
        ("c0", "lab_network_guest_address"),
        ("c1", "libvirt_migration_address"),
        ("c1", "nova_live_migration_inbound_address"),
    ],
)
def test_what_is_no_address(node: str, variable: str, value: object) -> None:
    assert faults(**{node: {variable: value}}) == [f"{variable} is '{value}' ({node}); {ADDRESS}"]


def test_two_wrong_ones_are_one_line_and_what_all_nodes_share_names_none() -> None:
    wrong = {"c1": "fd00:91:1::11", "c2": "fd00:91:1::12"}
    assert faults(**{name: {"lab_network_migration_address": value} for name, value in wrong.items()}) == [
        f"lab_network_migration_address is 'fd00:91:1::11' (c1) and 'fd00:91:1::12' (c2); {ADDRESS}"
    ]
    (line,) = faults(every={"lab_network_link_rate": "fast"})
    assert line.startswith(
        "lab_network_link_rate is 'fast'; allowed is a number above 0 with kbit, mbit or gbit"
    )


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("lab_network_link_rate", "1gbps", "a number above 0"),
        ("lab_network_link_rate", "0gbit", "a number above 0"),
        ("lab_network_link_rate", 1000, "a number above 0"),
        ("lab_network_prefix_length", 0, "a whole number from 1 to 30"),
        ("lab_network_prefix_length", 33, "a whole number from 1 to 30"),
        ("lab_network_prefix_length", "255.255.255.0", "a whole number from 1 to 30"),
        ("lab_network_prefix_length", "", "a whole number from 1 to 30"),
        ("lab_network_migration_interface", "an-interface-too-long", "the name of an interface"),
        ("lab_network_migration_interface", "eno 2", "the name of an interface"),
        ("lab_network_migration_interface", "", "the name of an interface"),
        ("lab_network_guest_interface", "eno/3", "the name of an interface"),
        ("lab_network_guest_bridge", "..", "the name of an interface"),
        ("ansible_port", 0, "a whole number from 1 to 65535"),
        ("libvirt_tls_port", "https", "a whole number from 1 to 65535"),
        ("libvirt_migration_port_max", 65536, "a whole number from 1 to 65535"),
        ("ansible_host", "10.91.0.300", "an address or the name of a host"),
        ("instances_store_server", "10.91.0.2:/srv", "an address or the name of a host"),
        ("nova_address", "a b", "an address or the name of a host"),
        ("local_nodes_address_prefix", "10.91.1", "the first two numbers of private addresses"),
        ("local_nodes_address_prefix", "10.300", "the first two numbers of private addresses"),
        ("local_nodes_address_prefix", "8.8", "the first two numbers of private addresses"),
    ],
)
def test_what_is_none_of_its_kind(variable: str, value: object, allowed: str) -> None:
    (line,) = faults(c1={variable: value})
    assert line.startswith(f"{variable} is '{value}' (c1); allowed is {allowed}")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"c1": {"lab_network_migration_address": ""}},
            "lab_network_migration_address is missing for c1; it is the IPv4 address on the"
            " migration network",
        ),
        (
            {"c0": {"lab_network_guest_address": None}},
            "lab_network_guest_address is missing for c0; it is the IPv4 address that guests are pinged from",
        ),
        (
            {"c2": {"lab_network_migration_address": "198.51.100.11"}},
            "lab_network_migration_address must differ between nodes; c1 and c2 have 198.51.100.11",
        ),
        (
            {"c2": {"ansible_host": "192.0.2.11"}},
            "ansible_host must differ between nodes; c1 and c2 have 192.0.2.11",
        ),
        (
            {"c2": {"lab_network_migration_address": "192.0.2.11", "lab_network_prefix_length": 24},
             "c1": {"lab_network_migration_address": "192.0.2.99"}},
            "ansible_host and lab_network_migration_address must differ between nodes; c1 and c2"
            " have 192.0.2.11",
        ),
        (
            {"c2": {"lab_network_migration_address": "198.51.101.12"}},
            "lab_network_migration_address of c2 is '198.51.101.12', in 198.51.101.0/24; allowed is"
            " an address in"
            " 198.51.100.0/24, as c1 has it (lab_network_prefix_length)",
        ),
        (
            {"c2": {"lab_network_prefix_length": 25}},
            "lab_network_migration_address of c2 is '198.51.100.12', in 198.51.100.0/25; allowed is"
            " an address in"
            " 198.51.100.0/24, as c1 has it (lab_network_prefix_length)",
        ),
        (
            {"c2": {"lab_network_migration_address": "198.51.100.0"}},
            "lab_network_migration_address of c2 is '198.51.100.0', the network address of 198.51.100.0/24;"
            " allowed are 198.51.100.1 to 198.51.100.254",
        ),
        (
            {"c2": {"lab_network_migration_address": "198.51.100.255"}},
            "lab_network_migration_address of c2 is '198.51.100.255', the broadcast address of"
            " 198.51.100.0/24;"
            " allowed are 198.51.100.1 to 198.51.100.254",
        ),
        (
            {"c0": {"lab_network_guest_address": "198.51.100.20"}},
            "lab_network_guest_address of c0 is '198.51.100.20', in the migration network; allowed"
            " is an address of"
            " another network",
        ),
        (
            {"c0": {"lab_network_guest_address": "203.0.113.150"}},
            "lab_network_guest_address of c0 is '203.0.113.150/24'; allowed is an address in one network with"
            " 203.0.113.100 to .199, which the guests get, and none of those",
        ),
        (
            {"c0": {"lab_network_prefix_length": 28}},
            "lab_network_guest_address of c0 is '203.0.113.10/28'; allowed is an address in one network with"
            " 203.0.113.100 to .199, which the guests get, and none of those",
        ),
        (
            {"c1": {"lab_network_guest_interface": "eno2"}},
            "lab_network_migration_interface and lab_network_guest_interface of c1 are both 'eno2';"
            " allowed are"
            " different interfaces",
        ),
        (
            {"c1": {"lab_network_guest_bridge": "eno3"}},
            "lab_network_guest_interface and lab_network_guest_bridge of c1 are both 'eno3'; allowed"
            " are different"
            " interfaces",
        ),
        (
            {"c1": {"libvirt_migration_port_min": 50000}},
            "libvirt_migration_port_min of c1 is 50000; allowed is libvirt_migration_port_max"
            " (49215) or less",
        ),
        (
            {"c1": {"libvirt_tls_port": 49152}},
            "libvirt_tls_port of c1 is 49152; allowed is a port outside of"
            " libvirt_migration_port_min (49152) to"
            " libvirt_migration_port_max (49215)",
        ),
        (
            {"every": {"local_nodes_hosts": {"c0": 2, "c1": 11, "c2": 11}}},
            "local_nodes_hosts: c2 and c1 both have 11; allowed are whole numbers from 2 to 99 and"
            " from 200 to 254,"
            " each once",
        ),
        (
            {"every": {"local_nodes_hosts": {"c0": 1, "c1": 11}}},
            "local_nodes_hosts: c0 has '1'; allowed are whole numbers from 2 to 99 and from 200 to"
            " 254, each once",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_together(changes: dict[str, dict[str, Any]], line: str) -> None:
    assert faults(**changes) == [line]
