"""A machine, from the machine that it runs on and from inside by ssh."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

testinfra_hosts = ["ansible://lab"]

LAB = f"m-{Path(os.environ['MOLECULE_PROJECT_DIRECTORY']).name.replace('_', '-')}"
STATE = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]).parent.parent / ".lab" / LAB


@pytest.fixture
def machine() -> Host:
    return testinfra.get_host("local://")


def test_kernel_and_clock_are_its_own(host: Host, machine: Host) -> None:
    boot_id = "cat /proc/sys/kernel/random/boot_id"
    assert host.check_output(boot_id) != machine.check_output(boot_id)
    assert host.check_output("systemd-detect-virt --container || true") == "none"


def test_it_runs_on_every_processor() -> None:
    pid = int(Path(f"/run/postcopy-lab-{LAB}.one.pid").read_text())
    assert os.sched_getaffinity(pid) == os.sched_getaffinity(1)


def test_interfaces_and_routes(host: Host) -> None:
    addresses = {
        link["ifname"]: [a["local"] for a in link["addr_info"] if a["family"] == "inet"]
        for link in json.loads(host.check_output("ip -json address"))
    }
    (management,) = addresses["mgmt0"]
    assert management.endswith(".0.11")
    # What comes first on real machines too: cards without addresses. The role lab_network gives them theirs.
    assert addresses["migration0"] == addresses["guest0"] == []
    (route,) = json.loads(host.check_output("ip -json -4 route show default"))
    assert route["dev"] == "uplink0"


def test_packages_can_be_installed(host: Host) -> None:
    assert host.run("apt-get update --error-on=any").rc == 0


def test_modules_of_its_own_kernel_load(host: Host) -> None:
    for module in ("nfsd", "openvswitch", "sch_netem", "kvm"):
        assert host.run(f"modprobe {module}").rc == 0, module


def test_only_the_labs_key_comes_in(host: Host) -> None:
    public = (STATE / "ssh/id_ed25519.pub").read_text()
    assert host.file("/home/lab/.ssh/authorized_keys").content_string == public
    assert not host.file("/root/.ssh/authorized_keys").exists
    assert "passwordauthentication no" in host.check_output("sshd -T")
    own = host.file("/etc/ssh/ssh_host_ed25519_key.pub").content_string.split()[1]
    assert own in (STATE / "ssh/known_hosts").read_text()


def test_internal_networks_do_not_reach_this_machine(machine: Host) -> None:
    aliases = {
        path.parent.name: path.read_text().strip() for path in Path("/sys/class/net").glob("*/ifalias")
    }
    prefix = f"postcopy-lab-{LAB}-"
    bridges = {
        aliases[link["ifname"]].removeprefix(prefix): link
        for link in json.loads(machine.check_output("ip -json address show type bridge"))
        if aliases[link["ifname"]].startswith(prefix)
    }
    assert set(bridges) == {"management", "migration", "guest"}
    for name, link in bridges.items():
        addresses = [a["local"] for a in link["addr_info"] if a["family"] == "inet"]
        assert (addresses != []) is (name == "management"), name
