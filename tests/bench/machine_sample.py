"""What a machine holds at a moment, read from /proc and its folders; printed as one JSON object.

It has the standard library only and is one file, so that a node's own python3 can read it from its standard
input. tests/bench/many_runs.py says what the figures are for.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Where a node writes: everything but what its packages brought, and what is no disk.
WRITTEN = ("/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/var")
KIT = "/var/lib/postcopy-lab"
# libvirt's daemons: libvirtd, or virtqemud and its like; with virtlogd, which holds a file for each guest.
LIBVIRT = re.compile(r"libvirtd|virt\w+d$")
# Guests come and go with the runs: at the moment of a sample the next one may have begun to boot.
GUEST = re.compile(r"qemu-")


@dataclass(frozen=True)
class Process:
    """One process. `memory_bytes`: what is its own, files that it has mapped left out."""

    pid: int
    name: str
    memory_bytes: int
    files: int
    sockets: int


def processes() -> list[Process]:
    """All processes of this machine or container but this one and the kernel's own threads."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) == os.getpid():
            continue
        try:
            fields = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
            if "RssAnon" not in fields:
                continue
            targets = [str(entry.readlink()) for entry in (folder / "fd").iterdir()]
        except OSError:
            continue
        found.append(
            Process(
                pid=int(folder.name),
                name=fields["Name"].strip(),
                memory_bytes=1024 * sum(int(fields[key].split()[0]) for key in ("RssAnon", "RssShmem")),
                files=len(targets),
                sockets=sum(target.startswith("socket:") for target in targets),
            )
        )
    return found


def started_with(variable: str, found: Iterable[Process]) -> list[Process]:
    """Those with this NAME=VALUE in their environment: what was started with it, and what these started."""
    mark = variable.encode()
    members = []
    for process in found:
        try:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        except OSError:
            continue
        if mark in environment.split(b"\0"):
            members.append(process)
    return members


def size_of(folder: str | Path) -> tuple[int, int]:
    """(bytes on the disk, number of files) below a folder, with other file systems that are mounted there."""
    size = count = 0
    for place, _folders, names in os.walk(folder):
        for name in names:
            try:
                status = Path(place, name).lstat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                size += status.st_blocks * 512
                count += 1
    return size, count


def sample() -> dict[str, int]:
    """Every figure of a node."""
    own = [process for process in processes() if not GUEST.match(process.name)]
    libvirt = [process for process in own if LIBVIRT.match(process.name)]
    sizes = [size_of(folder) for folder in WRITTEN]
    kit_bytes, kit_files = size_of(KIT)
    sockets = re.search(r"^sockets: used (\d+)", Path("/proc/net/sockstat").read_text(), re.MULTILINE)
    assert sockets is not None
    disciplines = subprocess.run(["tc", "qdisc", "show"], capture_output=True, text=True, check=True).stdout
    return {
        "processes": len(own),
        "sockets": int(sockets.group(1)),
        "memory_bytes": sum(process.memory_bytes for process in own),
        "libvirt_memory_bytes": sum(process.memory_bytes for process in libvirt),
        "libvirt_open_files": sum(process.files for process in libvirt),
        "disk_bytes": sum(size for size, _ in sizes),
        "disk_files": sum(count for _, count in sizes),
        "kit_bytes": kit_bytes,
        "kit_files": kit_files,
        "queue_disciplines": len(disciplines.splitlines()),
    }


if __name__ == "__main__":
    print(json.dumps(sample()))
