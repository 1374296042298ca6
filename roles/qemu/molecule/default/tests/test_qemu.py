"""QEMU on a node, seen from outside."""

from __future__ import annotations

import base64
import json
import os
import re
from typing import Any

import pytest
import yaml
from testinfra.host import Host

from tests.conftest import PROJECT
from tests.roles.builds import refused, start

testinfra_hosts = ["ansible://compute"]

RELEASE_FILE = PROJECT / "releases" / f"{os.environ.get('LAB_RELEASE', 'epoxy')}.yml"
RELEASE: dict[str, Any] = yaml.safe_load(RELEASE_FILE.read_text())
BINARY = RELEASE["qemu_binary"]
MODULE_UTILS = "ansible_collections/postcopy/lab/plugins/module_utils"
# What decides about KVM, and what it imports.
BOOT_PROBE = (f"{MODULE_UTILS}/boot_probe.py", f"{MODULE_UTILS}/node/monotonic.py")


def put(host: Host, content: bytes, path: str) -> None:
    host.check_output(
        f"mkdir -p $(dirname {path}) && echo {base64.b64encode(content).decode()} | base64 -d > {path}"
    )


@pytest.fixture
def fact(host: Host) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(
        host.file("/etc/ansible/facts.d/postcopy_lab_qemu.fact").content_string
    )
    return answer


def test_the_release_runs(host: Host, fact: dict[str, Any]) -> None:
    said = host.check_output(f"{BINARY} --version").splitlines()[0]
    assert re.match(rf"QEMU emulator version {RELEASE['qemu_expected_version']}(\.|$)", said)
    assert re.search(rf"version {fact['qemu_version']}( |$)", said)


def test_it_is_where_it_should_be_from(host: Host) -> None:
    """Packaged, or built: by a user who has nothing to say in what was installed, and with qemu-img."""
    built = RELEASE["qemu_source"] != "package"
    path = host.check_output(f"readlink -f {BINARY}")
    assert path.startswith("/opt/postcopy-lab/qemu/" if built else "/usr/bin/")
    assert host.exists("qemu-img") or not built
    assert not host.check_output("find /opt/postcopy-lab ! -user root 2>/dev/null || true")


def test_the_accelerator_is_known_with_its_reason(host: Host, fact: dict[str, Any]) -> None:
    assert fact["accelerator"] in ("kvm", "tcg")
    assert fact["binary"] == BINARY
    assert fact["reason"]
    assert "\n" not in fact["reason"]
    # Ansible would run an executable fact.
    assert host.file("/etc/ansible/facts.d/postcopy_lab_qemu.fact").mode == 0o644
    # KVM is not believed without Linux.
    assert fact["accelerator"] == "tcg" or "Linux reached user space" in fact["reason"]


def test_a_boot_sector_of_our_own_boots(host: Host, fact: dict[str, Any]) -> None:
    """Byte for byte: mov dx,0xf4; mov al,0x10; out dx,al; QEMU then exits with (0x10 << 1) | 1."""
    put(host, bytes.fromhex("baf400b010eef4").ljust(510, b"\0") + b"\x55\xaa", "/tmp/boot")
    done = host.run(
        f"timeout 60 {BINARY} -accel {fact['accelerator']} -nodefaults -display none"
        " -device isa-debug-exit,iobase=0xf4,iosize=4 -drive file=/tmp/boot,format=raw,if=floppy"
    )
    assert done.rc == 33, done.stderr


def test_the_probe_tells_a_linux_that_boots_from_one_that_does_not(host: Host, fact: dict[str, Any]) -> None:
    """What decides about KVM, tried on a real kernel with the accelerator that works here."""
    for path in BOOT_PROBE:
        put(host, (PROJECT / "collection" / path).read_bytes(), f"/tmp/{path}")
    host.check_output(
        "cd /tmp && apt-get update -qq && apt-get download -qq"
        " $(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: linux-image/linux-image/p')"
        " && dpkg-deb --extract linux-image-*.deb kernel && cp kernel/boot/vmlinuz-* vmlinuz"
    )
    accelerator = fact["accelerator"]
    tries = [
        (BINARY, accelerator, "/tmp/vmlinuz", 240),
        (BINARY, accelerator, "/tmp/vmlinuz", 0.1),
        (BINARY, accelerator, "/etc/passwd", 240),
    ]
    package = MODULE_UTILS.replace("/", ".")
    command = (
        f"import json; from {package} import boot_probe as b; "
        f"print(json.dumps([b.try_linux(*one) for one in {tries!r}]))"
    )
    answers = json.loads(host.check_output("cd /tmp && python3 -c %s", command))
    seconds, complaint = answers[0]
    assert complaint is None
    assert 0 < seconds < 240
    assert answers[1] == [None, "a Linux kernel did not boot within 0.1 s"]
    assert answers[2][1].startswith("a Linux kernel did not boot: QEMU ended with status 1: ")
    assert not host.check_output(
        "pgrep qemu-system || true; ls -d /tmp/postcopy-lab-probe-* 2>/dev/null || true"
    )


def test_group_kvm_opens_its_device(host: Host) -> None:
    device = host.file("/dev/kvm")
    if device.exists:
        assert (device.group, device.mode) == ("kvm", 0o660)


def test_another_version_is_refused_in_one_line() -> None:
    message = refused(start({"qemu_expected_version": "2.1", "qemu_source": "package"}))
    wanted = r"qemu_expected_version \(releases/[\w-]+.yml\) allows 2.1"
    assert re.fullmatch(rf"{BINARY} on qemu1 is version '[0-9.]+'; {wanted}", message), message
