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


def read(path):
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except (IOError, OSError):
        return b""


def is_of_guest(command_line, guest_name):
    """Whether /proc/PID/cmdline is that of the guest's QEMU, as libvirt starts it (-name guest=NAME,...)."""
    words = command_line.split(b"\0")
    if b"-name" not in words[:-1]:
        return False
    return words[words.index(b"-name") + 1].split(b",")[0] == b"guest=" + guest_name.encode("utf-8")


def thread_ids(guest_name, proc="/proc"):
    """Threads of the guest's virtual processors on this host, named by QEMU ("CPU 0/KVM", "CPU 0/TCG")."""
    found = []
    for directory in glob.glob(os.path.join(proc, "[0-9]*")):
        if is_of_guest(read(os.path.join(directory, "cmdline")), guest_name):
            for task in glob.glob(os.path.join(directory, "task", "*")):
                if read(os.path.join(task, "comm")).startswith((b"CPU ", b"ALL CPUs")):
                    found.append(os.path.basename(task))
    return sorted(found, key=int)


def make_yield(guest_name, nice):
    """Give the guest's virtual processors this nice value; returns how many there are."""
    threads = thread_ids(guest_name)
    if threads:
        subprocess.check_output(["renice", "-n", "%d" % nice, "-p"] + threads)
    return len(threads)
