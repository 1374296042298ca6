"""libvirt on two compute nodes, seen from outside."""

from __future__ import annotations

import os
import re
import stat
from typing import Any

import pytest
import yaml
from testinfra.host import Host

from tests.conftest import PROJECT
from tests.roles.builds import finish, start
from tests.roles.outside import LAB_FOLDER, address, node

testinfra_hosts = ["ansible://compute"]

RELEASE: dict[str, Any] = yaml.safe_load(
    (PROJECT / "releases" / f"{os.environ.get('LAB_RELEASE', 'epoxy')}.yml").read_text()
)
AUTHORITY = LAB_FOLDER / "ca"
DISKLESS = """<domain type="qemu"><name>tiny</name><memory unit="MiB">64</memory>
<os><type arch="x86_64" machine="pc">hvm</type></os>
<devices><serial type="file"><source path="/var/log/postcopy-lab/console/tiny.log" append="on"/></serial>
<memballoon model="none"/></devices></domain>"""


@pytest.fixture
def name(host: Host) -> str:
    return host.check_output("hostname")


@pytest.fixture
def peer(name: str) -> str:
    return {"virt1": "virt2", "virt2": "virt1"}[name]


def test_the_release_runs(host: Host) -> None:
    said = host.check_output("virsh version --daemon")
    assert re.search(rf"daemon: {RELEASE['libvirt_expected_version']}(\.|$)", said), said


def test_daemon_library_and_binding_are_of_one_origin(host: Host) -> None:
    """Packaged or built, and never a mixture of both."""
    origin = "/usr/" if RELEASE["libvirt_source"] == "package" else "/opt/postcopy-lab/"
    daemon = host.check_output("pidof libvirtd")
    used = [
        host.check_output(f"readlink /proc/{daemon}/exe"),
        host.check_output(f"awk '/libvirt\\.so/ {{print $6; exit}}' /proc/{daemon}/maps"),
        host.check_output("readlink -f $(command -v virsh)"),
        host.check_output("python3 -c 'import libvirtmod; print(libvirtmod.__file__)'"),
    ]
    assert all(path.startswith(origin) for path in used), used


def test_identities_differ() -> None:
    uuids = {
        node(name).check_output("virsh capabilities | sed -n 's/ *<uuid>//p'") for name in ("virt1", "virt2")
    }
    assert len(uuids) == 2


def test_nodes_reach_each_other_by_tls(host: Host, peer: str) -> None:
    assert host.check_output(f"virsh -c qemu+tls://{peer}-migration/system hostname") == peer


def test_a_name_that_the_certificate_does_not_have_is_refused(host: Host, peer: str) -> None:
    host.check_output(
        f"grep -q impostor /etc/hosts || echo {address(node(peer), 'migration0')} impostor >> /etc/hosts"
    )
    refused = host.run("virsh -c qemu+tls://impostor/system hostname")
    assert refused.rc != 0
    assert "impostor" in refused.stderr


def test_a_stranger_is_refused(host: Host, peer: str) -> None:
    """A client with a certificate of another authority gets no connection, whatever it trusts."""
    host.check_output(
        "rm -rf /root/stranger && mkdir /root/stranger && cd /root/stranger"
        " && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=stranger -days 1"
        " -keyout clientkey.pem -out clientcert.pem 2>/dev/null && cp /etc/pki/CA/cacert.pem ."
    )
    uri = f"qemu+tls://{peer}-migration/system?pkipath=/root/stranger"
    assert host.run(f"virsh -c '{uri}' hostname").rc != 0
    assert host.run(f"virsh -c 'qemu+tls://{peer}-migration/system' hostname").rc == 0


def test_only_tls_listens_and_only_on_the_migration_network(host: Host, peer: str) -> None:
    listening = {line.split()[3] for line in host.check_output("ss -Hlnt").splitlines()}
    libvirt = {one for one in listening if one.endswith((":16509", ":16514"))}
    assert libvirt == {f"{address(host, 'migration0')}:16514"}
    assert host.run(f"virsh -c qemu+tcp://{peer}-migration/system hostname").rc != 0
    assert host.check_output("systemctl is-enabled libvirtd-tcp.socket || true") == "masked"


def test_keys_are_private(host: Host, name: str) -> None:
    for key in ("serverkey", "clientkey"):
        file = host.file(f"/etc/pki/libvirt/private/{key}.pem")
        assert (file.user, file.mode) == ("root", 0o600)
    assert stat.S_IMODE(AUTHORITY.stat().st_mode) == 0o700
    for key in AUTHORITY.glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    # The authority's key stays where it was made.
    secret = (AUTHORITY / "ca.key").read_text().splitlines()[1]
    assert host.run(f"grep -rqsF '{secret}' /etc /root /var/lib/libvirt /tmp").rc == 1


def test_the_daemon_stays(host: Host) -> None:
    assert host.service("libvirtd").is_running
    assert "--timeout" not in host.check_output("ps -o args= -C libvirtd")


def test_a_daemon_that_was_killed_too_often_listens_again_when_it_is_started(host: Host, peer: str) -> None:
    # systemd gives up after five starts in ten seconds, and every socket of the daemon with it.
    host.check_output(
        "for i in $(seq 40); do systemctl is-failed --quiet libvirtd && break;"
        " systemctl kill --signal KILL libvirtd; virsh list >/dev/null 2>&1; sleep 0.2; done"
    )
    assert host.check_output("systemctl is-failed libvirtd") == "failed"
    assert host.run("systemctl is-active --quiet libvirtd-tls.socket").rc != 0
    host.check_output("systemctl reset-failed && systemctl start libvirtd")
    test_only_tls_listens_and_only_on_the_migration_network(host, peer)


def test_a_guest_migrates_with_postcopy_over_tls() -> None:
    """A guest without a disk; the connection between the daemons is TLS, and the console goes on."""
    source, destination = node("virt1"), node("virt2")
    source.check_output("cat > /tmp/tiny.xml <<'END'\n%s\nEND" % DISKLESS)  # noqa: UP031
    source.check_output("virsh create /tmp/tiny.xml")
    try:
        # Slowed down, so that the switch comes before the memory is through.
        said = source.check_output(
            "(virsh migrate --live --p2p --postcopy --bandwidth 1 tiny qemu+tls://virt2-migration/system"
            " >/tmp/migrate.log 2>&1 && echo migrated) & "
            "for i in $(seq 100); do virsh migrate-postcopy tiny >/dev/null 2>&1 && echo switched && break;"
            " sleep 0.1; done; wait"
        )
        assert said.split() == ["switched", "migrated"], source.check_output("cat /tmp/migrate.log")
        assert destination.check_output("virsh domstate tiny") == "running"
        assert source.run("virsh domstate tiny").rc != 0
        for one in (source, destination):
            assert one.file("/var/log/postcopy-lab/console/tiny.log").exists
    finally:
        for one in (source, destination):
            one.run("virsh destroy tiny")


def test_certificates_are_renewed_and_the_old_ones_are_refused() -> None:
    """One playbook's call: another authority on all nodes, whose daemons know only what it signed."""
    nodes = [node("virt1"), node("virt2")]
    source = nodes[0]
    before = [one.file("/etc/pki/libvirt/clientcert.pem").content_string for one in nodes]
    source.check_output(
        "rm -rf /root/old && mkdir /root/old"
        " && cp /etc/pki/libvirt/clientcert.pem /etc/pki/libvirt/private/clientkey.pem /root/old"
    )
    finish(start({"libvirt_renew_certificates": True}))
    after = [one.file("/etc/pki/libvirt/clientcert.pem").content_string for one in nodes]
    assert not set(before) & set(after)
    assert source.check_output("virsh -c qemu+tls://virt2-migration/system hostname") == "virt2"
    source.check_output("cp /etc/pki/CA/cacert.pem /root/old")
    assert source.run("virsh -c 'qemu+tls://virt2-migration/system?pkipath=/root/old' hostname").rc != 0
    assert stat.S_IMODE((AUTHORITY / "ca.key").stat().st_mode) == 0o600
    recap = [line for line in finish(start({})).splitlines() if "changed=" in line]
    assert recap and all("changed=0" in line for line in recap), recap
