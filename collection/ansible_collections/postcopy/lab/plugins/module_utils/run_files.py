# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""A run's directory of evidence: unpacking what the nodes packed, checksums, reading consoles."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import hashlib
import os
import shutil
import tarfile

CHECKSUM_FILE = "SHA256SUMS"
# A console is read for its kernel's complaints; a guest that prints for ever must not fill the memory.
MOST_CONSOLE_BYTES = 4 * 1024 * 1024
# Besides these there may be the destination's job.jsonl (libvirt has statistics on one side only) and
# consoles, on which a guest need not print anything.
EXPECTED = {
    "source": ("job.jsonl", "events.jsonl", "nic.jsonl", "icmp.pcap", "icmp_uplink.pcap"),
    "destination": ("events.jsonl", "nic.jsonl", "icmp.pcap", "icmp_uplink.pcap"),
    "prober": ("ping.log", "ping_fine.log", "icmp.pcap", "clock.jsonl"),
    "guest": ("progress.jsonl", "kernel_log.txt"),
}
# There only where the guest came: its tap is captured as soon as there is one.
DESTINATION_TAP = "destination/icmp.pcap"
# What a run that nova made has besides.
NOVA_LOGS = ("source/nova-compute.log", "destination/nova-compute.log")
# What the measuring process of a node had to say, if anything.
PROBE_LOG = "probe.log"
# What a guest's QEMU had to say, and where libvirt puts it on a host (NAME.log).
QEMU_LOG = "qemu.log"
QEMU_LOGS_DIRECTORY = "/var/log/libvirt/qemu"
# What a run with basic probes does without.
BEYOND_BASIC = ["prober/ping_fine.log", "prober/clock.jsonl"] + [
    role + "/" + name for role in EXPECTED for name in EXPECTED[role] if name.endswith(".pcap")
]


def unpack(archives, directory):
    """Unpack each role's archive into DIRECTORY/ROLE, what the prober has of the guest into DIRECTORY/guest.

    :param archives: {"source" | "destination" | "prober": path}; a missing file is left out
    """
    for role, path in sorted(archives.items()):
        target = os.path.join(directory, role)
        os.makedirs(target)
        if not os.path.exists(path):
            continue
        with tarfile.open(path) as archive:
            for member in archive.getmembers():
                # Only what our own packing makes: plain files below the directory.
                if member.isfile() and not member.name.startswith("/") and ".." not in member.name.split("/"):
                    archive.extract(member, target)
    guest = os.path.join(directory, "prober", "guest")
    if os.path.isdir(guest):
        shutil.move(guest, os.path.join(directory, "guest"))


def missing_files(directory, backend="libvirt"):
    """Evidence that a whole run has and this one lacks, as ROLE/NAME; an empty file is missing too."""
    names = [role + "/" + name for role in sorted(EXPECTED) for name in EXPECTED[role]]
    if backend == "nova":
        names += NOVA_LOGS
    return [name for name in names if not _has_content(os.path.join(directory, name))]


def _has_content(path):
    return os.path.exists(path) and os.path.getsize(path) > 0


def read_lines(path):
    """The lines of a log that may hold anything, [] if it is not there."""
    try:
        with open(path, "rb") as stream:
            return stream.read(MOST_CONSOLE_BYTES).decode("utf-8", "replace").splitlines()
    except (IOError, OSError):
        return []


def logs_cut_short(directory):
    """Logs of which `read_lines` reads a part only, as ROLE/NAME."""
    found = []
    for role in sorted(os.listdir(directory)):
        folder = os.path.join(directory, role)
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if (
                name.endswith((".log", ".txt"))
                and os.path.getsize(os.path.join(folder, name)) > MOST_CONSOLE_BYTES
            ):
                found.append(role + "/" + name)
    return [name for name in found if not name.startswith("prober/ping")]


def write_checksums(directory):
    """SHA256SUMS over all files of the directory, in the form of sha256sum(1)."""
    lines = []
    for parent, _directories, names in os.walk(directory):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as stream:
                digest = hashlib.sha256(stream.read()).hexdigest()
            lines.append("%s  %s\n" % (digest, os.path.relpath(path, directory)))
    with open(os.path.join(directory, CHECKSUM_FILE), "w") as stream:
        stream.write("".join(sorted(lines, key=lambda line: line[66:])))
