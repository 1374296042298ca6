"""Ports of bridges, from what a kernel told (Linux 6.18): each command's messages as they were received."""

import binascii
import json

from ansible_collections.postcopy.lab.plugins.module_utils.node import links

from tests.conftest import PROJECT

RECORDED: dict[str, list[str]] = json.loads((PROJECT / "tests/data/links/messages.json").read_text())


def told(known: links.Links, command: str) -> list[dict[str, object]]:
    records = [
        known.told(kind, body)
        for datagram in RECORDED[command]
        for kind, body in links.messages(binascii.unhexlify(datagram))
        if kind in (links.NEW_LINK, links.DELETE_LINK)
    ]
    return [record for record in records if record is not None]


def test_each_change_of_a_port_is_told_once() -> None:
    known = links.Links({})
    assert told(known, "every interface") == [
        {"link": "lo", "master": None, "up": False},
        {"link": "br-guest", "master": None, "up": True},
        {"link": "far0", "master": None, "up": False},
        {"link": "guest0", "master": "br-guest", "up": True},
    ]
    assert told(known, "ip tuntap add vnet0 mode tap") == [{"link": "vnet0", "master": None, "up": False}]
    assert told(known, "ip link set vnet0 master br-guest") == [
        {"link": "vnet0", "master": "br-guest", "up": False}
    ]
    assert told(known, "ip link set vnet0 up") == [{"link": "vnet0", "master": "br-guest", "up": True}]
    assert told(known, "ip link set guest0 nomaster") == [{"link": "guest0", "master": None, "up": True}]
    assert told(known, "ip link set guest0 master br-guest") == [
        {"link": "guest0", "master": "br-guest", "up": True}
    ]
    assert told(known, "ip link del vnet0")[-1] == {"link": "vnet0", "gone": True}


def test_a_port_that_is_told_of_before_its_bridge_has_its_name() -> None:
    (guest0,) = (
        body
        for datagram in RECORDED["ip link set guest0 master br-guest"][:1]
        for _kind, body in links.messages(binascii.unhexlify(datagram))
    )
    (number,) = links.struct.unpack("=I", links.attributes(guest0[links.LINK.size :])[links.MASTER_ATTRIBUTE])
    expected = {"link": "guest0", "master": "br-guest", "up": True}
    assert links.Links({number: "br-guest"}).told(links.NEW_LINK, guest0) == expected
