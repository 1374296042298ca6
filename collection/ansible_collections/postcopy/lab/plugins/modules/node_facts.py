#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""What a node really runs, now."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: node_facts
short_description: What a node really runs, now
description:
  - Tells what C(lab.json) keeps of a node and what a study's checks need, in one quick look that no cache
    answers.
  - Versions of QEMU and libvirt come from the running libvirtd where there is one.
author:
  - postcopy-lab contributors
attributes:
  check_mode:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Look at every node
  postcopy.lab.node_facts:
  register: node
"""

RETURN = r"""
node:
  description:
    - kernel, os, cpu_model, cpus, memory_bytes, memory_available_bytes, services_bytes and
      guests_bytes (memory of the node's own processes, shared memory in shares; QEMU's counts as
      the guests'; 0 before Linux 4.14), mtu_bytes (of each network interface), boot_id (the same
      on nodes of one machine), provisioned (the fingerprint that C(playbooks/provision.yml) left;
      null if it has not come to its end since the node's start), python_version, qemu_version,
      libvirt_version, packages (name and version of those that matter) and local_facts (those of
      this kit's roles).
  returned: always
  type: dict
"""

import glob
import json
import os
import platform
import subprocess

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.postcopy.lab.plugins.module_utils import guest_domain, node_texts, provisioned
from ansible_collections.postcopy.lab.plugins.module_utils.node import migrate

try:
    import libvirt
except ImportError:
    libvirt = None

FACTS = "/etc/ansible/facts.d/postcopy_lab_*.fact"
PACKAGES = (
    "qemu*",
    "libvirt*",
    "python3-libvirt",
    "python-libvirt",
    "iputils-ping",
    "nova-*",
    "openvswitch*",
)


def read(path):
    try:
        with open(path) as stream:
            return stream.read()
    except (IOError, OSError):
        return ""


def running_versions():
    """QEMU's and libvirt's versions from libvirtd, {} without one."""
    if libvirt is None:
        return {}
    try:
        connection = guest_domain.connect(libvirt)
    except libvirt.libvirtError:
        return {}
    try:
        return migrate.versions(connection)
    except libvirt.libvirtError:
        return {}
    finally:
        connection.close()


def process_memory():
    """services_bytes and guests_bytes. Where nodes share a machine, /proc/meminfo is that machine's."""
    used = {"services_bytes": 0, "guests_bytes": 0}
    for directory in glob.glob("/proc/[0-9]*"):
        whose = "guests_bytes" if read(directory + "/comm").startswith("qemu-system") else "services_bytes"
        used[whose] += node_texts.proportional_bytes(read(directory + "/smaps_rollup"))
    return used


def packages():
    try:
        process = subprocess.Popen(
            ("dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Package} ${Version}\\n") + PACKAGES,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError:
        return {}
    return node_texts.installed_packages(process.communicate()[0].decode("utf-8", "replace"))


def mtus():
    """{interface: its largest IP packet in bytes}; it says how many segments counted bytes were.

    Without those that come and go with guests (taps) and other containers: a lab is described by what stays.
    """
    found = {}
    for path in glob.glob("/sys/class/net/*/mtu"):
        text = read(path).strip()
        passing = path.split("/")[-2].startswith("veth") or os.path.exists(path[: -len("mtu")] + "tun_flags")
        if text.isdigit() and not passing:
            found[path.split("/")[-2]] = int(text)
    return found


def local_facts():
    facts = {}
    for path in sorted(glob.glob(FACTS)):
        try:
            facts[os.path.basename(path)[: -len(".fact")]] = json.loads(read(path))
        except ValueError:
            continue
    return facts


def main():
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    node = {
        "kernel": platform.release(),
        "os": node_texts.os_name(read("/etc/os-release")),
        "boot_id": read("/proc/sys/kernel/random/boot_id").strip(),
        "python_version": platform.python_version(),
        "packages": packages(),
        "local_facts": local_facts(),
        # The folder is empty again after the node's next start.
        "provisioned": provisioned.fingerprint(),
        "qemu_version": None,
        "libvirt_version": None,
    }
    node["mtu_bytes"] = mtus()
    node.update(node_texts.processors(read("/proc/cpuinfo")))
    node.update(node_texts.memory(read("/proc/meminfo")))
    node.update(process_memory())
    node.update(running_versions())
    module.exit_json(changed=False, node=node)


if __name__ == "__main__":
    main()
