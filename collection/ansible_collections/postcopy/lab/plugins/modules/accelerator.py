#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Find out which accelerator really runs guests on a node."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: accelerator
short_description: Find out which accelerator really runs guests
description:
  - Boots something for a few seconds, because the device file of KVM proves nothing. KVM is chosen when a
    boot sector and then a Linux kernel ran under it, up to a program of user space; TCG otherwise.
  - The answer is kept as a local fact. It is looked for again only when the QEMU binary, the running kernel,
    the presence of KVM's device, the Linux kernel used or the request has changed.
  - Never waits longer than its limits.
options:
  binary:
    description: The QEMU system emulator.
    type: path
    required: true
  accelerator:
    description:
      - V(auto) tries KVM and falls back to TCG.
      - V(kvm) fails where KVM does not work.
      - V(tcg) does not try KVM.
    type: str
    choices: [auto, kvm, tcg]
    default: auto
  kernels:
    description:
      - Linux kernels to try with, as paths or shell patterns; the first that exists is booted.
      - Without any, KVM is not chosen by itself.
    type: list
    elements: str
    default: []
  kvm_limit_seconds:
    description: Longest wait for each boot under KVM, in seconds.
    type: int
    default: 15
  tcg_limit_seconds:
    description: Longest wait for each boot under TCG, in seconds.
    type: int
    default: 120
  fact_file:
    description: Where the answer is kept.
    type: path
    default: /etc/ansible/facts.d/postcopy_lab_qemu.fact
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Find the accelerator
  postcopy.lab.accelerator:
    binary: /usr/bin/qemu-system-x86_64
    kernels: [/var/lib/postcopy-lab/guest/vmlinuz, /boot/vmlinuz-*]
"""

RETURN = r"""
accelerator:
  description: What runs guests, V(kvm) or V(tcg).
  returned: success
  type: str
reason:
  description: Why, in one line.
  returned: success
  type: str
qemu_version:
  description: Version of the binary.
  returned: success
  type: str
"""

import glob
import json
import os
import re
import subprocess

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.postcopy.lab.plugins.module_utils import boot_probe

KVM_DEVICE = "/dev/kvm"


class ProbeFailed(Exception):
    """No accelerator that was allowed runs a guest; the text is one line."""


def identity(path):
    """Return what tells one version of a file from another, or None without a file."""
    if path is None or not os.path.exists(path):
        return None
    status = os.stat(path)
    return {"path": path, "bytes": status.st_size, "modified_at": int(status.st_mtime)}


def first_existing(patterns):
    """Return the first file that one of the patterns names, or None."""
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            if os.access(path, os.R_OK):
                return path
    return None


def circumstances(params, guest_kernel):
    """Return everything that the answer depends on."""
    system = os.uname()
    return {
        "requested": params["accelerator"],
        "binary": identity(params["binary"]),
        "running_kernel": "%s %s" % (system[2], system[3]),
        "kvm_device": os.path.exists(KVM_DEVICE),
        "guest_kernel": identity(guest_kernel),
    }


def kept(params):
    """Return the kept answer if it still holds, else None."""
    try:
        with open(params["fact_file"]) as stream:
            answer = json.load(stream)
        tried_with = answer["probed_with"]["guest_kernel"]
    except (IOError, OSError, ValueError, KeyError, TypeError):
        return None
    # A kernel that comes up later does not make a trial with another one invalid.
    kernel = tried_with["path"] if tried_with else first_existing(params["kernels"])
    return answer if answer["probed_with"] == circumstances(params, kernel) else None


def qemu_version(binary):
    """Return the version that a QEMU binary says it has, for example "10.0.2"."""
    try:
        output = subprocess.check_output([binary, "--version"], stderr=subprocess.STDOUT)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ProbeFailed("%s: cannot be run: %s" % (binary, error))
    text = output.decode("utf-8", "replace")
    found = re.search(r"version (\d[\w.]*)", text)
    if not found:
        raise ProbeFailed("%s: says no version: %s" % (binary, text.strip()[:200]))
    return found.group(1)


def complaint_of(accelerator, params, guest_kernel):
    """Boot under one accelerator; return (None, what was seen) or (why it is not usable, None)."""
    if accelerator == "kvm" and not os.path.exists(KVM_DEVICE):
        return "there is no %s" % KVM_DEVICE, None
    limit = params[accelerator + "_limit_seconds"]
    complaint = boot_probe.try_boot_sector(params["binary"], accelerator, limit)
    if complaint is not None:
        return complaint, None
    if guest_kernel is None:
        if accelerator == "kvm":
            return "no Linux kernel to try it with (%s)" % ", ".join(params["kernels"]), None
        return None, "a boot sector ran (no Linux kernel at hand to try)"
    seconds, complaint = boot_probe.try_linux(params["binary"], accelerator, guest_kernel, limit)
    if complaint is not None:
        return complaint, None
    return None, "Linux reached user space in %.1f s" % seconds


def probe(params, guest_kernel):
    """Return (accelerator, reason), or raise ProbeFailed."""
    complaints = []
    for accelerator in {"auto": ("kvm", "tcg"), "kvm": ("kvm",), "tcg": ("tcg",)}[params["accelerator"]]:
        complaint, seen = complaint_of(accelerator, params, guest_kernel)
        if complaint is None:
            if params["accelerator"] != "auto":
                complaints.append("asked for by name")
            return accelerator, "; ".join(complaints + ["%s: %s" % (accelerator, seen)])
        complaints.append("%s: %s" % (accelerator, complaint))
    raise ProbeFailed("no guest boots with %s: %s" % (params["binary"], "; ".join(complaints)))


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "binary": {"type": "path", "required": True},
            "accelerator": {"type": "str", "choices": ["auto", "kvm", "tcg"], "default": "auto"},
            "kernels": {"type": "list", "elements": "str", "default": []},
            "kvm_limit_seconds": {"type": "int", "default": 15},
            "tcg_limit_seconds": {"type": "int", "default": 120},
            "fact_file": {"type": "path", "default": "/etc/ansible/facts.d/postcopy_lab_qemu.fact"},
        },
        supports_check_mode=True,
    )
    params = module.params
    answer = kept(params)
    if answer is not None:
        module.exit_json(changed=False, **answer)
    if module.check_mode:
        module.exit_json(changed=True, accelerator=None, reason="not tried in check mode", qemu_version=None)
    guest_kernel = first_existing(params["kernels"])
    try:
        version = qemu_version(params["binary"])
        accelerator, reason = probe(params, guest_kernel)
    except ProbeFailed as error:
        module.fail_json(msg=str(error))
    answer = {
        "accelerator": accelerator,
        "reason": reason,
        "qemu_version": version,
        "binary": params["binary"],
        "probed_with": circumstances(params, guest_kernel),
    }
    write(module, params["fact_file"], answer)
    module.exit_json(changed=True, **answer)


def write(module, path, answer):
    """Put the answer where Ansible gathers local facts from."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.makedirs(folder, 0o755)
    staged = os.path.join(module.tmpdir, "postcopy_lab_qemu.fact")
    with open(staged, "w") as stream:
        json.dump(answer, stream, indent=2, sort_keys=True)
        stream.write("\n")
    module.atomic_move(staged, path)
    # Readable, and not executable: Ansible would run it.
    os.chmod(path, 0o644)


if __name__ == "__main__":
    main()
