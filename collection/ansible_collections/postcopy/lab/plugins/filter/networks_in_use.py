# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Which networks of a machine are in the way of a lab's own."""

from __future__ import annotations

DOCUMENTATION = r"""
name: networks_in_use
short_description: Which networks of a machine are in the way of a lab's own
options:
  _input:
    description: The machine's networks, as C(roles/local_nodes/files/machine_networks.sh) prints them.
    type: str
    required: true
  prefix:
    description: First two numbers of the lab's addresses.
    type: str
    required: true
  own:
    description: Beginnings of the names of podman's networks and of interfaces that are the lab's own.
    type: list
    elements: str
    default: []
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Show what is in the way
  ansible.builtin.debug:
    msg: "{{ machine_networks.stdout | postcopy.lab.networks_in_use('10.92') }}"
"""

RETURN = r"""
_value:
  description: The networks in the way, each as "10.92.1.0/24 (podman network other)".
  type: list
  elements: str
"""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

# Third numbers of a lab's networks: management, migration, guest.
LAB_NETWORKS = (0, 1, 2)
# Second numbers of prefixes that can be tried where another is in use.
OTHER_PREFIXES = range(92, 255)


def machine_networks(lines: Sequence[str]) -> Iterator[tuple[str, str, str, IPv4Network]]:
    """(kind, name, interface, network) of every network that a machine has."""
    for line in lines:
        kind, name, *rest = line.split()
        interface = name if kind != "podman" else rest.pop(0) if rest and "/" not in rest[0] else ""
        for network in rest:
            if ":" not in network:
                yield kind, name, interface, IPv4Interface(network).network


def networks_in_use(printed: str, prefix: str, own: Sequence[str] = ()) -> list[str]:
    """The networks of a machine that overlap those of a lab.

    A route to a larger network is not in the way: the lab's own routes go before it.

    :param printed: what roles/local_nodes/files/machine_networks.sh printed
    :param prefix: first two numbers of the lab's addresses, "10.92"
    :param own: beginnings of the names of podman's networks and of interfaces that are the lab's own
    :return: each as "10.92.1.0/24 (podman network other)", every network once
    """
    wanted = [IPv4Network(f"{prefix}.{number}.0/24") for number in LAB_NETWORKS]
    found = list(machine_networks(printed.splitlines()))
    owned = tuple(own)
    interfaces = {
        interface for kind, name, interface, _ in found if kind == "podman" and name.startswith(owned)
    }
    words: dict[IPv4Network, str] = {}
    # podman's first: its name says more than that of its interface.
    for kind, name, interface, network in sorted(found, key=lambda one: one[0] != "podman"):
        theirs = not (owned and name.startswith(owned)) and interface not in interfaces - {""}
        inside = any(network.subnet_of(one) for one in wanted)
        if theirs and (inside or (kind != "route" and any(network.overlaps(one) for one in wanted))):
            words.setdefault(network, f"{network} ({kind}{' network' if kind == 'podman' else ''} {name})")
    return list(words.values())


def free_prefixes(printed: str) -> Iterator[str]:
    """Prefixes, as "10.92", that no network of the machine is in the way of."""
    for number in OTHER_PREFIXES:
        if not networks_in_use(printed, f"10.{number}"):
            yield f"10.{number}"


class FilterModule:
    """Ansible's way to call networks_in_use() and free_prefixes()."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"networks_in_use": networks_in_use, "free_prefixes": free_prefixes}
