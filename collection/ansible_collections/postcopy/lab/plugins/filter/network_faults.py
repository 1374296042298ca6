# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""What is wrong with the networks that an inventory describes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: network_faults
short_description: What is wrong with the networks that an inventory describes
description:
  - Looks at every address, interface, prefix length, port and rate that the lab's nodes have in the
    inventory, and at how they fit together. Connects to no node.
options:
  _input:
    description: Ansible's C(hostvars).
    type: dict
    required: true
  groups:
    description: Ansible's C(groups).
    type: dict
    required: true
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: The networks can be made
  ansible.builtin.assert:
    that: hostvars | postcopy.lab.network_faults(groups) | length == 0
"""

RETURN = r"""
_value:
  description: One line for each fault. It names the variable, the node, the value and what is allowed.
  type: list
  elements: str
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_address
from itertools import combinations
from typing import Any

from contract.study_file import RATE_FORM
from control.study import StudyError, rate_bits_per_second

# The role lab_network's own, where the inventory does not say it.
DEFAULT_PREFIX_LENGTH = "24"
DEFAULT_INTERFACES = {
    "lab_network_migration_interface": "migration0",
    "lab_network_guest_interface": "guest0",
}

# Guests have the last numbers 100 to 199 of the guest network (module study_plan).
GUEST_NUMBERS = range(100, 200)

Nodes = Mapping[str, Mapping[str, Any]]
# (variable, value): names of the nodes that have it.
Values = dict[tuple[str, str], list[str]]


def is_address(value: str) -> bool:
    """An IPv4 address that a node can have."""
    try:
        address = IPv4Address(value)
    except ValueError:
        return False
    return not (address.is_multicast or address.is_loopback or address.is_unspecified or address.is_reserved)


def is_host(value: str) -> bool:
    """An address, or a name of a host (RFC 1123); what looks like an IPv4 address has to be one."""
    try:
        ip_address(value)
    except ValueError:
        label = r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
        name = re.fullmatch(rf"{label}(\.{label})*\.?", value)
        return name is not None and re.fullmatch(r"[0-9.]+", value) is None
    return True


def is_interface(value: str) -> bool:
    """A name that Linux takes: dev_valid_name() in net/core/dev.c."""
    return re.fullmatch(r"[^\s/:]{1,15}", value) is not None and value not in (".", "..")


def is_number(low: int, high: int) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        return re.fullmatch(r"[0-9]{1,9}", value) is not None and low <= int(value) <= high

    return check


def is_rate(value: str) -> bool:
    try:
        return bool(rate_bits_per_second(value))
    except StudyError:
        return False


def is_address_prefix(value: str) -> bool:
    """First two numbers of private addresses (RFC 1918)."""
    try:
        return IPv4Network(f"{value}.0.0/16").is_private and is_address(f"{value}.0.1")
    except ValueError:
        return False


ADDRESS = (is_address, "an IPv4 address without the length of its prefix, like 198.51.100.11")
HOST = (is_host, "an address or the name of a host")
INTERFACE = (is_interface, "the name of an interface, 1 to 15 characters without spaces, / and :")
PORT = (is_number(1, 65535), "a whole number from 1 to 65535")
KINDS: dict[str, tuple[Callable[[str], bool], str]] = {
    "ansible_host": HOST,
    "ansible_port": PORT,
    "lab_network_link_rate": (is_rate, RATE_FORM),
    "lab_network_migration_interface": INTERFACE,
    "lab_network_migration_address": ADDRESS,
    "lab_network_guest_interface": INTERFACE,
    "lab_network_guest_bridge": INTERFACE,
    "lab_network_guest_address": ADDRESS,
    "lab_network_prefix_length": (is_number(1, 30), "a whole number from 1 to 30"),
    "libvirt_migration_address": ADDRESS,
    "libvirt_tls_port": PORT,
    "libvirt_migration_port_min": PORT,
    "libvirt_migration_port_max": PORT,
    "local_nodes_address_prefix": (
        is_address_prefix,
        "the first two numbers of private addresses, like 10.92",
    ),
    "instances_store_server": HOST,
    "mariadb_bind_address": HOST,
    "memcached_address": HOST,
    "neutron_interface": INTERFACE,
    "neutron_tunnel_address": ADDRESS,
    "nova_address": HOST,
    "nova_live_migration_inbound_address": ADDRESS,
    "rabbitmq_address": HOST,
}
# They may be empty: then the node has none.
MAY_BE_EMPTY = {
    "ansible_host",
    "lab_network_guest_address",
    "lab_network_guest_bridge",
    "lab_network_guest_interface",
    "lab_network_migration_address",
    "mariadb_bind_address",
    "neutron_tunnel_address",
    "nova_live_migration_inbound_address",
}


def values_of(nodes: Nodes) -> Values:
    """Values of the variables in KINDS, as text, and the nodes that have them; those not set left out."""
    found: Values = {}
    for name, variables in nodes.items():
        for variable in KINDS:
            value = variables.get(variable)
            if value is not None and not (value == "" and variable in MAY_BE_EMPTY):
                found.setdefault((variable, str(value)), []).append(name)
    return found


def listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def wrong_values(values: Values, count: int) -> Iterator[str]:
    """One line for each variable with a value that is none of its kind; `count` is that of all nodes."""
    wrong: dict[str, list[str]] = {}
    for (variable, value), names in values.items():
        if not KINDS[variable][0](value):
            whose = "" if len(names) == count else f" ({', '.join(names)})"
            wrong.setdefault(variable, []).append(f"'{value}'{whose}")
    for variable, found in wrong.items():
        yield f"{variable} is {listed(found)}; allowed is {KINDS[variable][1]}"


def missing_addresses(nodes: Nodes, groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for group, variable, meaning in (
        ("compute", "lab_network_migration_address", "it is the IPv4 address on the migration network"),
        ("prober", "lab_network_guest_address", "it is the IPv4 address that guests are pinged from"),
    ):
        without = [name for name in groups[group] if not nodes[name].get(variable)]
        if without:
            yield f"{variable} is missing for {listed(without)}; {meaning}"


def shared_addresses(nodes: Nodes, computes: Sequence[str]) -> Iterator[str]:
    """Addresses that two nodes have. Controller and prober may be one machine; a compute node may not."""
    owners: dict[str, dict[str, str]] = {}
    for name, variables in nodes.items():
        owned = {
            one: variables.get(one) for one in ("lab_network_migration_address", "lab_network_guest_address")
        }
        if variables.get("ansible_connection") != "local":
            owned["ansible_host"] = variables.get("ansible_host")
        for variable, address in owned.items():
            # Behind one address there may be machines at different ports.
            port = str(variables.get("ansible_port", 22)) if variable == "ansible_host" else "22"
            if address:
                key = str(address) if port == "22" else f"{address}:{port}"
                owners.setdefault(key, {}).setdefault(name, variable)
    for address, of in owners.items():
        variables_of = list(dict.fromkeys(of.values()))
        only_managed = variables_of == ["ansible_host"] and not set(of) & set(computes)
        if len(of) > 1 and not only_managed:
            yield f"{listed(variables_of)} must differ between nodes; {listed(list(of))} have {address}"


def interfaces_of(nodes: Nodes, variable: str) -> dict[str, IPv4Interface]:
    """The nodes' right values of a variable that is an address, each with its network."""
    found: dict[str, IPv4Interface] = {}
    for name, variables in nodes.items():
        address = str(variables.get(variable) or "")
        length = str(variables.get("lab_network_prefix_length", DEFAULT_PREFIX_LENGTH))
        if is_address(address) and KINDS["lab_network_prefix_length"][0](length):
            found[name] = IPv4Interface(f"{address}/{length}")
    return found


def misplaced(variable: str, interfaces: Mapping[str, IPv4Interface]) -> Iterator[str]:
    """Addresses that do not lie in one network with the first one's, or that no node of it can have."""
    for name, interface in interfaces.items():
        network = interface.network
        if interface.ip in (network.network_address, network.broadcast_address):
            which = "network" if interface.ip == network.network_address else "broadcast"
            yield (
                f"{variable} of {name} is '{interface.ip}', the {which} address of {network};"
                f" allowed are {network[1]} to {network[-2]}"
            )
        first, of_first = next(iter(interfaces.items()))
        if network != of_first.network:
            yield (
                f"{variable} of {name} is '{interface.ip}', in {network}; allowed is an address in"
                f" {of_first.network}, as {first} has it (lab_network_prefix_length)"
            )


def wrong_networks(nodes: Nodes) -> Iterator[str]:
    migration = interfaces_of(nodes, "lab_network_migration_address")
    guest = interfaces_of(nodes, "lab_network_guest_address")
    yield from misplaced("lab_network_migration_address", migration)
    yield from misplaced("lab_network_guest_address", guest)
    networks = {one.network for one in migration.values()}
    for name, interface in guest.items():
        if any(interface.network.overlaps(network) for network in networks):
            yield (
                f"lab_network_guest_address of {name} is '{interface.ip}', in the migration network;"
                " allowed is an address of another network"
            )
        last = interface.ip.packed[-1]
        guests = IPv4Address(int(interface.ip) - last + GUEST_NUMBERS[0])
        if last in GUEST_NUMBERS or guests not in interface.network:
            yield (
                f"lab_network_guest_address of {name} is"
                f" '{interface.ip}/{interface.network.prefixlen}'; allowed is"
                f" an address in one network with {guests} to .{GUEST_NUMBERS[-1]}, which the guests"
                f" get, and none"
                " of those"
            )


def doubled_interfaces(nodes: Nodes) -> Iterator[str]:
    """Interfaces that one node is to use for two things."""
    for name, variables in nodes.items():
        used = {one: str(variables.get(one, default)) for one, default in DEFAULT_INTERFACES.items()}
        used["lab_network_guest_bridge"] = str(variables.get("lab_network_guest_bridge") or "")
        for (one, value), (other, other_value) in combinations(used.items(), 2):
            if value and value == other_value:
                yield f"{one} and {other} of {name} are both '{value}'; allowed are different interfaces"


def wrong_ports(nodes: Nodes) -> Iterator[str]:
    for name, variables in nodes.items():
        names = ("libvirt_migration_port_min", "libvirt_migration_port_max", "libvirt_tls_port")
        defaults = ("49152", "49215", "16514")  # the role libvirt's own
        low, high, tls = (str(variables.get(one, value)) for one, value in zip(names, defaults, strict=True))
        if not all(PORT[0](port) for port in (low, high, tls)):
            continue
        if int(low) > int(high):
            yield (
                f"libvirt_migration_port_min of {name} is {low}; allowed is"
                f" libvirt_migration_port_max ({high}) or less"
            )
        elif int(low) <= int(tls) <= int(high):
            yield (
                f"libvirt_tls_port of {name} is {tls}; allowed is a port outside of"
                f" libvirt_migration_port_min ({low})"
                f" to libvirt_migration_port_max ({high})"
            )


def wrong_local_nodes(nodes: Nodes) -> Iterator[str]:
    """Numbers of nodes on this machine, where the lab has such."""
    numbers = next(iter(nodes.values())).get("local_nodes_hosts") or {}
    allowed = "allowed are whole numbers from 2 to 99 and from 200 to 254, each once"
    if not isinstance(numbers, Mapping):
        yield (
            f"local_nodes_hosts is '{numbers}'; allowed are names of nodes, each with the last number of its"
            " addresses"
        )
        return
    seen: dict[str, str] = {}
    for name, number in numbers.items():
        value = str(number)
        if not is_number(2, 254)(value) or int(value) in GUEST_NUMBERS:
            yield f"local_nodes_hosts: {name} has '{value}'; {allowed}"
        elif value in seen:
            yield f"local_nodes_hosts: {name} and {seen[value]} both have {value}; {allowed}"
        seen.setdefault(value, name)


def network_faults(hostvars: Nodes, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with the networks that an inventory describes.

    :param hostvars: every host's variables
    :param groups: every group's hosts; lab, compute and prober have some
    :return: one line for each fault, with variable, node, value and what is allowed
    """
    nodes = {name: hostvars[name] for name in groups["lab"]}
    values = values_of(nodes)
    return [
        *wrong_values(values, len(nodes)),
        *missing_addresses(nodes, groups),
        *shared_addresses(nodes, groups["compute"]),
        *wrong_networks(nodes),
        *doubled_interfaces(nodes),
        *wrong_ports(nodes),
        *wrong_local_nodes(nodes),
    ]


class FilterModule:
    """Ansible's way to call network_faults()."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"network_faults": network_faults}
