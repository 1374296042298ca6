# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Facts from the texts of a node's own files (proc(5), os-release(5), dpkg-query(1)). Pure."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re


def os_name(os_release):
    """PRETTY_NAME of /etc/os-release, None without one."""
    match = re.search(r"^PRETTY_NAME=(.*)$", os_release, re.MULTILINE)
    return match.group(1).strip().strip("\"'") if match else None


def processors(cpuinfo):
    """cpus (how many) and cpu_model from /proc/cpuinfo."""
    models = re.findall(r"^model name\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    return {
        "cpus": len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE)),
        "cpu_model": models[0].strip() if models else None,
    }


def memory(meminfo):
    """memory_bytes and memory_available_bytes from /proc/meminfo, whose "kB" are 1024 bytes."""
    kilobytes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", meminfo, re.MULTILINE))
    return {
        "memory_bytes": int(kilobytes.get("MemTotal", 0)) * 1024,
        "memory_available_bytes": int(kilobytes.get("MemAvailable", kilobytes.get("MemFree", 0))) * 1024,
    }


def proportional_bytes(smaps_rollup):
    """Memory of one process from /proc/<pid>/smaps_rollup (Linux 4.14), what it shares in shares; else 0."""
    match = re.search(r"^Pss:\s+(\d+) kB$", smaps_rollup, re.MULTILINE)
    return int(match.group(1)) * 1024 if match else 0


def installed_packages(text):
    """{name: version} from lines of status, name and version; only what is installed."""
    found = {}
    for line in text.splitlines():
        if line.startswith("ii "):
            name, _space, version = line[3:].strip().partition(" ")
            found[name] = version
    return found
