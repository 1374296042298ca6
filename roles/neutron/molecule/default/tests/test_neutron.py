"""Networks, seen from outside: from the control machine."""

from __future__ import annotations

import time

import openstack

from tests.roles.outside import nodes

pytest_plugins = ["tests.roles.outside"]


def test_the_agent_of_each_compute_node_is_alive(cloud: openstack.connection.Connection) -> None:
    def alive() -> list[str]:
        return sorted(agent.host for agent in cloud.network.agents() if agent.is_alive)

    assert any(alive() == nodes("compute") or time.sleep(1) for _ in range(60)), alive()


def test_the_guest_network_is_flat_and_without_dhcp(cloud: openstack.connection.Connection) -> None:
    network = cloud.network.find_network("guest")
    assert (network.provider_network_type, network.is_port_security_enabled) == ("flat", False)
    (subnet,) = cloud.network.subnets(network_id=network.id)
    assert not subnet.is_dhcp_enabled


def test_a_port_gets_the_address_that_it_is_given(cloud: openstack.connection.Connection) -> None:
    network = cloud.network.find_network("guest")
    (subnet,) = cloud.network.subnets(network_id=network.id)
    address = subnet.allocation_pools[0]["start"]
    port = cloud.network.create_port(network_id=network.id, fixed_ips=[{"ip_address": address}])
    try:
        assert [fixed["ip_address"] for fixed in port.fixed_ips] == [address]
    finally:
        cloud.network.delete_port(port)
