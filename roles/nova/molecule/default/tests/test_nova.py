"""A small cloud: an instance is booted, reached from the prober, and migrated by nova with post-copy."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import openstack
import pytest
from openstack.exceptions import SDKException

from analysis.evidence.nova_log import parse_nova_log
from control.plan import address_in_mac
from tests.roles.outside import node
from tests.stranger import what_a_stranger_gets

pytest_plugins = ["tests.roles.outside"]

SOURCE, DESTINATION, PROBER = "nova1", "nova2", "nova0"
LOG = "/var/log/nova/nova-compute.log"
STRESSED_BYTES = 256 << 20
ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], 7300), timeout=10) as agent:
    agent.sendall(sys.argv[2].encode() + b"\\n")
    print(agent.makefile().readline())
"""


def wait_until(seconds: float, true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


@pytest.fixture(scope="module")
def address(cloud: openstack.connection.Connection) -> str:
    (subnet,) = cloud.network.subnets(name="guest")
    return str(subnet.allocation_pools[0]["start"])


def boot(cloud: openstack.connection.Connection, address: str) -> str:
    """An instance on the source, its address in the last bytes of its hardware address; returns its UUID."""
    network = cloud.network.find_network("guest")
    port = cloud.network.create_port(
        name="tried",
        network_id=network.id,
        mac_address=address_in_mac(address),
        fixed_ips=[{"ip_address": address}],
    )
    flavor = cloud.compute.find_flavor("tried") or cloud.compute.create_flavor(
        name="tried", vcpus=1, ram=512, disk=0
    )
    server = cloud.compute.create_server(
        name="tried",
        image_id=cloud.image.find_image("postcopy-lab-guest").id,
        flavor_id=flavor.id,
        networks=[{"port": port.id}],
        availability_zone=f"nova:{SOURCE}",
    )
    return str(cloud.compute.wait_for_server(server, wait=180).id)


def delete(cloud: openstack.connection.Connection) -> None:
    for server in cloud.compute.servers(name="tried"):
        cloud.compute.delete_server(server)
        cloud.compute.wait_for_delete(server)
    for port in cloud.network.ports(name="tried"):
        cloud.network.delete_port(port)


@pytest.fixture(scope="module")
def server_id(cloud: openstack.connection.Connection, address: str) -> Iterator[str]:
    """The instance after its migration.

    neutron 21 sometimes answers 500 to nova's second request to activate a port's binding, more often on a
    busy machine (sqlalchemy's UnmappedInstanceError in neutron-api.log). The instance is on the destination
    then, and nova calls it ERROR. That race is neutron's and not this role's: it is tried with another one.
    """
    up = wait_until(90, lambda: len(list(cloud.compute.hypervisors())) == 2)
    assert up, "the scheduler did not take up both compute nodes"
    try:
        for _attempt in range(3):
            delete(cloud)
            server = boot(cloud, address)
            assert wait_until(90, lambda: answers(address)), "the instance does not answer"
            ask(address, f"stressor start stress 1 {STRESSED_BYTES}")
            cloud.compute.live_migrate_server(server, host=DESTINATION, block_migration="auto")
            assert wait_until(180, lambda: ended(cloud, server)), cloud.compute.get_server(server)  # noqa: B023
            if cloud.compute.get_server(server).status == "ACTIVE" or not neutrons_race():
                break
        yield server
    finally:
        delete(cloud)


def neutrons_race() -> bool:
    return "UnmappedInstanceError" in node(PROBER).check_output(
        "tail -n 500 /var/log/neutron/neutron-api.log"
    )


def answers(address: str) -> bool:
    return node(PROBER).run(f"ping -n -c 1 -W 2 {address}").rc == 0


def ask(address: str, request: str) -> None:
    node(PROBER).check_output(f"python3 -c '{ASK}' {address} '{request}'")


def ended(cloud: openstack.connection.Connection, server_id: str) -> bool:
    """Asks nova to complete until it did: it forgets a request that QEMU refuses as too early."""
    for migration in cloud.compute.server_migrations(server_id):
        if migration.status == "running":
            with contextlib.suppress(SDKException):
                cloud.compute.force_complete_server_migration(migration, server=server_id)
    return str(cloud.compute.get_server(server_id).status) in ("ACTIVE", "ERROR")


def test_nova_calls_it_active_on_the_destination(
    cloud: openstack.connection.Connection, server_id: str
) -> None:
    server = cloud.compute.get_server(server_id)
    assert (server.status, server.compute_host) == ("ACTIVE", DESTINATION), server.fault


def test_it_runs_there_only_and_answers(server_id: str, address: str) -> None:
    assert "postcopy-lab-" in node(DESTINATION).check_output("virsh list --name")
    assert "postcopy-lab-" not in node(SOURCE).check_output("virsh list --name")
    assert wait_until(30, lambda: answers(address))


def test_it_answers_nobody_but_the_prober(server_id: str, address: str) -> None:
    said = what_a_stranger_gets(node(DESTINATION).check_output, address)
    assert address_in_mac(address) in said
    assert "answered" not in said


def test_novas_logs_have_the_marks_that_the_report_reads(server_id: str) -> None:
    logs = {
        name: parse_nova_log(
            node(name).check_output(f"cat {LOG}").encode().splitlines(), "zed-backports", server_id
        )
        for name in (SOURCE, DESTINATION)
    }
    expected = {"source_prepared", "source_switches_over", "source_operation_ends", "source_ends"}
    assert expected <= set(logs[SOURCE].marks)
    assert {"destination_begins", "destination_ends"} <= set(logs[DESTINATION].marks)
    assert logs[DESTINATION].marks["destination_begins"] < logs[SOURCE].marks["source_ends"]


def test_memory_of_the_whole_cloud() -> None:
    """Without guests under 8 GiB: what the nodes' processes have for themselves (they share one machine)."""
    sum_of_pss = "cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss:/ {s += $2} END {print s}'"
    kib = sum(int(node(name).check_output(sum_of_pss)) for name in (PROBER, SOURCE, DESTINATION))
    assert kib < 8 << 20
