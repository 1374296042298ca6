"""A node of a lab, seen from outside."""

from __future__ import annotations

from testinfra.host import Host

from tests.roles.outside import nodes

testinfra_hosts = ["ansible://lab"]


def test_nodes_know_each_other(host: Host) -> None:
    for name in nodes("lab"):
        assert host.run(f"ping -c 1 -W 2 {name}").rc == 0
        assert host.run(f"ping -c 1 -W 2 {name}-migration").rc == 0


def test_userfaultfd_is_open(host: Host) -> None:
    assert host.file("/proc/sys/vm/unprivileged_userfaultfd").content_string.strip() == "1"
    assert "vm.unprivileged_userfaultfd=1" in host.file("/etc/sysctl.d/90-postcopy-lab.conf").content_string


def test_folders(host: Host) -> None:
    assert host.file("/var/lib/postcopy-lab/runs").is_directory


def test_a_container_keeps_no_clock(host: Host) -> None:
    assert not host.package("chrony").is_installed
