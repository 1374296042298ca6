# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""The threads of a guest's virtual processors, and making them yield to everything else.

A hypervisor host has processors to spare for a migration. Where nodes share a few, a guest of many busy
virtual processors leaves its own migration a small share, and the link stays half empty.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import glob
import os
import subprocess

from . import qmp


def read(path):
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except (IOError, OSError):
        return b""


def is_of_guest(command_line, guest_name):
    """Whether /proc/PID/cmdline is that of the guest's QEMU, as libvirt starts it.

    That is -name guest=NAME,... where QEMU knows names of threads, and -name NAME where it does not.
    """
    words = command_line.split(b"\0")
    if b"-name" not in words[:-1]:
        return False
    name = guest_name.encode("utf-8")
    return words[words.index(b"-name") + 1].split(b",")[0] in (b"guest=" + name, name)


def named_threads(guest_name, proc="/proc"):
    """Threads of the guest's virtual processors on this host, named by QEMU ("CPU 0/KVM", "CPU 0/TCG")."""
    found = []
    for directory in glob.glob(os.path.join(proc, "[0-9]*")):
        if is_of_guest(read(os.path.join(directory, "cmdline")), guest_name):
            for task in glob.glob(os.path.join(directory, "task", "*")):
                if read(os.path.join(task, "comm")).startswith((b"CPU ", b"ALL CPUs")):
                    found.append(os.path.basename(task))
    return sorted(found, key=int)


def reported_threads(guest_name):
    """The same as QEMU reports them, over a monitor of the kit's own; [] where there is none.

    query-cpus-fast is known since QEMU 2.12, query-cpus until 5.2.
    """
    for command, key in (("query-cpus-fast", "thread-id"), ("query-cpus", "thread_id")):
        try:
            answer = qmp.execute(qmp.socket_path(guest_name), command)
        except qmp.QmpError:
            continue
        return sorted({"%d" % processor[key] for processor in answer}, key=int)
    return []


def make_yield(guest_name, nice):
    """Give the guest's virtual processors this nice value; returns how many threads they are."""
    threads = named_threads(guest_name) or reported_threads(guest_name)
    if not threads:
        return 0
    try:
        subprocess.check_output(["renice", "-n", "%d" % nice, "-p"] + threads, stderr=subprocess.STDOUT)
    except (OSError, subprocess.CalledProcessError):
        # The guest has left meanwhile.
        return 0
    return len(threads)
