"""The containers, from the machine that they run on and from inside by ssh."""

from __future__ import annotations

import json
import os
import stat
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


def test_systemd_runs(host: Host) -> None:
    assert host.run("systemctl is-system-running --wait").stdout.strip() == "running"


def test_every_processor_of_the_machine_is_theirs(host: Host) -> None:
    """Mitogen would keep itself, and what it starts, on a part of them."""
    assert int(host.check_output("nproc")) == len(os.sched_getaffinity(0))


def test_the_journal_takes_little_memory(host: Host) -> None:
    """journald says at its start how much it may take."""
    said = host.check_output("journalctl --output cat --identifier systemd-journald")
    assert [line for line in said.splitlines() if line.startswith("System Journal") and "max 16M" in line]


def test_interfaces_and_routes(host: Host) -> None:
    links = {link["ifname"]: link for link in json.loads(host.check_output("ip -json address"))}
    number = {"one": "11", "two": "12"}[host.check_output("hostname")]
    for interface, network in {"mgmt0": 0, "migration0": 1, "guest0": 2}.items():
        (address,) = (a["local"] for a in links[interface]["addr_info"] if a["family"] == "inet")
        assert address.split(".")[2:] == [str(network), number]
        # The same after a restart, by which its neighbours go on to reach it.
        numbers = ":".join(f"{int(part):02x}" for part in address.split("."))
        assert links[interface]["address"] == f"52:56:{numbers}"
    (route,) = json.loads(host.check_output("ip -json -4 route show default"))
    assert route["dev"] == "mgmt0"


def test_packages_can_be_installed(host: Host) -> None:
    """Name servers, routes, proxies and certificates are right when the package lists can be fetched."""
    assert host.run("apt-get update --error-on=any").rc == 0


def test_devices(host: Host, machine: Host) -> None:
    for device in ("/dev/kvm", "/dev/net/tun", "/dev/userfaultfd"):
        assert host.file(device).exists == machine.file(device).exists


def test_nothing_acts_on_the_machines_devices(host: Host) -> None:
    for unit in ("systemd-udevd", "systemd-sysctl", "systemd-modules-load"):
        assert host.check_output(f"systemctl is-enabled {unit}.service || true") == "masked"


def test_only_the_labs_key_comes_in(host: Host) -> None:
    public = (STATE / "ssh/id_ed25519.pub").read_text()
    assert host.file("/root/.ssh/authorized_keys").content_string == public
    assert stat.S_IMODE((STATE / "ssh/id_ed25519").stat().st_mode) == 0o600
    assert stat.S_IMODE(STATE.stat().st_mode) == 0o700
    assert "passwordauthentication no" in host.check_output("sshd -T")


def test_host_keys_are_known_and_differ(host: Host) -> None:
    own = host.file("/etc/ssh/ssh_host_ed25519_key.pub").content_string.split()[1]
    known = [line.split()[2] for line in (STATE / "ssh/known_hosts").read_text().splitlines()]
    assert own in known
    assert len(set(known)) == 2


def test_networks(machine: Host) -> None:
    for name, internal in {"management": False, "migration": True, "guest": True}.items():
        (network,) = json.loads(machine.check_output(f"podman network inspect postcopy-lab-{LAB}-{name}"))
        assert network["internal"] is internal
        ports = Path("/sys/class/net", network["network_interface"], "brif").glob("*/hairpin_mode")
        modes = [port.read_text().strip() for port in ports]
        assert modes == ["0", "0"], "a frame must not go back where it came from"
