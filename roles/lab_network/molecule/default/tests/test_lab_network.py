"""The lab's networks, seen from outside."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://lab"]

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]).parent.parent


def is_compute(host: Host) -> bool:
    return bool(host.check_output("hostname") != "net3")


@pytest.mark.parametrize("interface", ["migration0", "guest0"])
def test_speed_is_limited(host: Host, interface: str) -> None:
    (queue,) = json.loads(host.check_output(f"tc -json qdisc show dev {interface}"))
    assert queue["kind"] == "tbf"
    assert queue["options"]["rate"] * 8 == 200_000_000
    # Two of the largest segments that the kernel hands down fit into the bucket.
    assert queue["options"]["burst"] >= 131_000


def test_management_is_not_limited(host: Host) -> None:
    assert "tbf" not in host.check_output("tc qdisc show dev mgmt0")


def test_guest_network(host: Host) -> None:
    if is_compute(host):
        assert Path(host.check_output("readlink /sys/class/net/guest0/master")).name == "br-guest"
        assert not host.check_output("ip -4 -brief address show dev guest0").split()[2:]
    else:
        assert host.check_output("ip -4 -brief address show dev guest0").split()[2].endswith(".2.13/24")


def test_a_guest_is_reached_from_the_prober(host: Host) -> None:
    """A name space with one end on the bridge stands in for a guest's tap."""
    if not is_compute(host):
        pytest.skip("asked from each compute node")
    network = host.check_output("ip -4 -brief address show dev migration0").split()[2].split(".1.")[0]
    number = host.check_output("hostname")[-1]
    host.check_output(
        "ip netns add guest && ip link add tap0 type veth peer name eth0 netns guest"
        " && ip link set tap0 master br-guest up && ip -n guest link set eth0 up"
        f" && ip -n guest address add {network}.2.10{number}/24 dev eth0"
    )
    try:
        host.check_output(f"ip netns exec guest ping -c 3 -i 0.2 -W 2 {network}.2.13")
        # The bridge must know the guest on its tap, not on the uplink: a network that sends frames back
        # where they came from would make a migrated guest deaf.
        mac = json.loads(host.check_output("ip -n guest -json link show eth0"))[0]["address"]
        entries = json.loads(host.check_output("bridge -json fdb show br br-guest"))
        assert {entry["ifname"] for entry in entries if entry["mac"] == mac} == {"tap0"}
    finally:
        host.check_output("ip netns delete guest")


def test_links_were_measured(host: Host) -> None:
    role = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]).name
    state = PROJECT / ".lab" / f"m-{role.replace('_', '-')}"
    link = json.loads((state / "link.json").read_text())
    assert link["schema"] == 1
    directions = {(one["source"], one["destination"]) for one in link["measured"]}
    assert directions == {("net1", "net2"), ("net2", "net1")}
    for one in link["measured"]:
        assert one["configured_bits_per_second"] == 200_000_000
        # The upper bound is the point: unlimited it would be some Gbit/s. A busy machine may give less.
        assert 20e6 < one["measured_bits_per_second"] < 202e6
    assert not host.check_output("pgrep iperf3 || true")
