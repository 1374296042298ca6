#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Start or remove a guest on a compute."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: guest
short_description: Start or remove a guest
description:
  - Starts a guest without disks as a transient libvirt domain, or ends guests of this kit.
  - The guest's console goes to C(/var/log/postcopy-lab/console/NAME.log) on the host it runs on.
  - Does not wait until the guest has booted; M(postcopy.lab.guest_agent) does.
  - Guests of other names than C(postcopy-lab-*) are never touched.
options:
  state:
    description: Whether the guest runs on this host.
    type: str
    choices: [running, absent]
    default: running
  name:
    description: Name of the guest, beginning with C(postcopy-lab-). Without a name V(absent) ends all of
      them.
    type: str
  vcpus:
    description: Number of virtual processors.
    type: int
    default: 1
  memory_bytes:
    description: Memory of the guest, in bytes.
    type: int
  address:
    description: IPv4 address of the guest.
    type: str
  prober_address:
    description: IPv4 address on the guest network that the guest answers; it answers no other.
    type: str
  mac:
    description: Hardware address of the guest's interface.
    type: str
  bridge:
    description: Bridge of this host that the guest is connected to.
    type: str
    default: br-guest
  accelerator:
    description: What runs the guest's instructions. V(auto) is what M(postcopy.lab.accelerator) found on
      this host.
    type: str
    choices: [auto, kvm, tcg]
    default: auto
  machine:
    description: QEMU's machine type; its default model fits guests without disks and is the article's.
    type: str
    default: pc
  emulator:
    description: The QEMU binary.
    type: path
    default: /usr/bin/qemu-system-x86_64
  kernel:
    description: The guest's kernel.
    type: path
    default: /var/lib/postcopy-lab/guest/vmlinuz
  initrd:
    description: The guest's initial ramdisk, which is all it has.
    type: path
    default: /var/lib/postcopy-lab/guest/initrd.img
  qemu_arguments:
    description: Further words of QEMU's command line.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Says whether a guest would be started or ended.
    support: full
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Start a small guest
  postcopy.lab.guest:
    name: postcopy-lab-example
    memory_bytes: 2147483648
    address: 10.91.2.100
    prober_address: 10.91.2.10
    mac: "52:54:00:91:02:00"

- name: Remove every guest of this kit from the host
  postcopy.lab.guest:
    state: absent
"""

RETURN = r"""
started_at:
  description: When the start was asked for, UTC epoch seconds of this host.
  returned: when a guest was started
  type: float
accelerator:
  description: What runs the guest's instructions.
  returned: when a guest was started
  type: str
error:
  description: Why the guest could not be started, one line; null if it was.
  returned: V(running)
  type: str
removed:
  description: Names of the guests that were ended.
  returned: V(absent)
  type: list
  elements: str
"""

import json
import os
import time

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.postcopy.lab.plugins.module_utils import guest_domain
from ansible_collections.postcopy.lab.plugins.module_utils.node import qmp

try:
    import libvirt
except ImportError:
    libvirt = None


ACCELERATOR_FACT = "/etc/ansible/facts.d/postcopy_lab_qemu.fact"


def found_accelerator():
    """What the role qemu found to work here; TCG works everywhere."""
    try:
        with open(ACCELERATOR_FACT) as stream:
            return json.load(stream)["accelerator"]
    except (IOError, OSError, ValueError, KeyError):
        return "tcg"


def start(module, connection):
    name = module.params["name"]
    if guest_domain.state_name(libvirt, connection, name) == "running":
        module.exit_json(changed=False, error=None)
    if module.check_mode:
        module.exit_json(changed=True, error=None)
    guest_domain.destroy(libvirt, connection, name)
    if not os.path.isdir(guest_domain.CONSOLE_DIRECTORY):
        os.makedirs(guest_domain.CONSOLE_DIRECTORY)
    settings = dict(module.params)
    if os.path.isdir(qmp.DIRECTORY):
        settings["qemu_arguments"] = settings["qemu_arguments"] + qmp.arguments(name)
    if settings["accelerator"] == "auto":
        settings["accelerator"] = found_accelerator()
    started_at = time.time()
    error = None
    try:
        connection.createXML(guest_domain.domain_xml(settings), 0)
    except libvirt.libvirtError as problem:
        error = " ".join(str(problem).split())
    module.exit_json(
        changed=error is None, started_at=started_at, error=error, accelerator=settings["accelerator"]
    )


def remove(module, connection):
    name = module.params["name"]
    if module.check_mode:
        removed = [domain.name() for domain in guest_domain.find(connection, name)]
    else:
        removed = guest_domain.destroy(libvirt, connection, name)
    module.exit_json(changed=bool(removed), removed=removed)


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"choices": ["running", "absent"], "default": "running"},
            "name": {"type": "str"},
            "vcpus": {"type": "int", "default": 1},
            "memory_bytes": {"type": "int"},
            "address": {"type": "str"},
            "prober_address": {"type": "str"},
            "mac": {"type": "str"},
            "bridge": {"type": "str", "default": "br-guest"},
            "accelerator": {"choices": ["auto", "kvm", "tcg"], "default": "auto"},
            "machine": {"type": "str", "default": "pc"},
            "emulator": {"type": "path", "default": "/usr/bin/qemu-system-x86_64"},
            "kernel": {"type": "path", "default": "/var/lib/postcopy-lab/guest/vmlinuz"},
            "initrd": {"type": "path", "default": "/var/lib/postcopy-lab/guest/initrd.img"},
            "qemu_arguments": {"type": "list", "elements": "str", "default": []},
        },
        required_if=[("state", "running", ("name", "memory_bytes", "address", "prober_address", "mac"))],
        supports_check_mode=True,
    )
    if libvirt is None:
        module.fail_json(msg=missing_required_lib("libvirt"))
    unfit = guest_domain.name_error(module.params["name"])
    if unfit:
        module.fail_json(msg=unfit)
    try:
        connection = guest_domain.connect(libvirt)
        try:
            (start if module.params["state"] == "running" else remove)(module, connection)
        finally:
            connection.close()
    except libvirt.libvirtError as error:
        module.fail_json(msg="libvirt: %s" % " ".join(str(error).split()))


if __name__ == "__main__":
    main()
