"""What may listen on a node of a lab, and finding what listens beside it: the table of SECURITY.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Network(StrEnum):
    """Where a port is open; whatever is open to the node alone is no port of the table."""

    ALL = "all"
    MANAGEMENT = "management"
    MIGRATION = "migration"


@dataclass(frozen=True)
class Listener:
    """What listens at some ports, where and when it does, and what it asks of those who talk to it."""

    name: str
    protocol: str
    ports: range
    network: Network
    when: str
    asks: str

    @property
    def place(self) -> str:
        """Protocol and ports."""
        first, last = self.ports[0], self.ports[-1]
        return f"{self.protocol} {first}" if first == last else f"{self.protocol} {first} to {last}"


def one(port: int) -> range:
    return range(port, port + 1)


ALWAYS, CLOUD, ICEHOUSE = "always", "always, in a cloud", "always, in a cloud of the release icehouse"
ALLOWED = (
    Listener("sshd", "tcp", one(22), Network.ALL, ALWAYS, "a key"),
    Listener("the node's DHCP client", "udp", one(68), Network.ALL, ALWAYS, "nothing"),
    Listener("libvirtd", "tcp", one(16514), Network.MIGRATION, ALWAYS, "a certificate of the lab"),
    Listener(
        "QEMU's migration stream",
        "tcp",
        range(49152, 49216),
        Network.MIGRATION,
        "during a migration",
        "nothing, as in the article; a certificate with `libvirt_migration_stream_tls`",
    ),
    Listener("iperf3", "tcp", one(5301), Network.MIGRATION, "while the link is measured", "nothing"),
    Listener("MariaDB", "tcp", one(3306), Network.MANAGEMENT, CLOUD, "a password"),
    Listener("RabbitMQ", "tcp", one(5672), Network.MANAGEMENT, CLOUD, "a password"),
    *(
        Listener(name, "tcp", one(port), Network.ALL, CLOUD, "a token, keystone a password for it")
        for name, port in (
            ("keystone", 5000),
            ("nova", 8774),
            ("placement", 8778),
            ("glance", 9292),
            ("neutron", 9696),
        )
    ),
    *(
        Listener(name, "tcp", one(port), Network.MANAGEMENT, ICEHOUSE, "a token, keystone a password for it")
        for name, port in (("keystone's administration", 35357), ("glance's registry", 9191))
    ),
)
# An interface of a node, as a lab on one machine names it, and its network.
INTERFACES = {"mgmt0": Network.MANAGEMENT, "migration0": Network.MIGRATION}
EVERY_ADDRESS = ("0.0.0.0", "[::]", "*")


def networks(addresses: str) -> dict[str, Network]:
    """The network of each of a node's addresses, from what `ip -brief address` printed."""
    found = {}
    for line in addresses.splitlines():
        interface, _state, *its_addresses = line.split()
        network = INTERFACES.get(interface.partition("@")[0])
        if network is not None:
            found.update({address.partition("/")[0]: network for address in its_addresses})
    return found


def is_allowed(protocol: str, address: str, port: int, network_of: Mapping[str, Network]) -> bool:
    """Whether somebody may listen there; at an address of the node alone everybody may."""
    if address.startswith("127.") or address == "[::1]":
        return True
    network = Network.ALL if address in EVERY_ADDRESS else network_of.get(address)
    return any(
        listener.protocol == protocol
        and port in listener.ports
        # A port that may be open to all may be open to fewer.
        and listener.network in (Network.ALL, network)
        for listener in ALLOWED
    )


def unexpected(sockets: str, addresses: str) -> list[str]:
    """Listeners that the table has not, one a line, as `ss -Hlntup` printed them.

    :param sockets: what `ss -Hlntup` printed on a node
    :param addresses: what `ip -brief address` printed there
    """
    network_of = networks(addresses)
    found = []
    for line in sockets.splitlines():
        protocol, _state, _received, _sent, local, _peer, *_process = line.split()
        address, _colon, port = local.rpartition(":")
        if not is_allowed(protocol, address.partition("%")[0], int(port), network_of):
            found.append(" ".join(line.split()))
    return found


def markdown() -> list[str]:
    """The table as SECURITY.md shows it."""
    return [
        "| what | port | network | when | what it asks for |",
        "|---|---|---|---|---|",
        *(f"| {one.name} | {one.place} | {one.network} | {one.when} | {one.asks} |" for one in ALLOWED),
    ]
