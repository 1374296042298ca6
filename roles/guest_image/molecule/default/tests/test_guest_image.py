"""The guest as the nodes got it, seen from outside."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

from testinfra.host import Host

testinfra_hosts = ["ansible://lab"]

DIRECTORY = "/var/lib/postcopy-lab/guest"
EXCHANGE = Path(__file__).parents[5] / ".lab/m-guest-image/guest"
FILES = ("vmlinuz", "initrd.img", "manifest.txt")


def test_every_node_has_the_same_guest(host: Host) -> None:
    for name in FILES:
        file = host.file(f"{DIRECTORY}/{name}")
        assert file.mode == 0o644
        assert file.sha256sum == hashlib.sha256((EXCHANGE / name).read_bytes()).hexdigest()


def test_nothing_of_it_is_installed(host: Host) -> None:
    for package in ("gcc", "stress-ng", "busybox-static", "linux-image-cloud-amd64"):
        assert not host.package(package).is_installed


def test_the_kernel_is_of_the_nodes_release(host: Host) -> None:
    kernel = host.file(f"{DIRECTORY}/manifest.txt").content_string.splitlines()[0].removeprefix("kernel ")
    assert f"Depends: linux-image-{kernel}" in host.check_output("apt-cache depends linux-image-cloud-amd64")


def test_what_the_guest_holds() -> None:
    archive = gzip.decompress((EXCHANGE / "initrd.img").read_bytes())
    for name in (b"init", b"bin/guest-agent", b"usr/bin/stress", b"usr/bin/stress-ng", b"lib/modules/order"):
        assert name + b"\0" in archive
    assert b"virtio_net.ko" in archive
