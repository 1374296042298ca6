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
  limit_seconds:
    description: Longest wait for Linux to boot under KVM, in seconds.
    type: int
    default: 30
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
# A boot sector needs a fraction of a second. KVM that hangs is given up soon; TCG has no alternative, so a
# busy machine is waited for.
KVM_LIMIT_SECONDS = 10
TCG_LIMIT_SECONDS = 60


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


def circumstances(params):
    """Return everything that the answer depends on, apart from the Linux kernel that was booted."""
    system = os.uname()
    return {
        "requested": params["accelerator"],
        "binary": identity(params["binary"]),
        "running_kernel": "%s %s" % (system[2], system[3]),
        "kvm_device": os.path.exists(KVM_DEVICE),
    }


def kept(params):
    """Return the kept answer if it still holds, else None."""
    try:
        with open(params["fact_file"]) as stream:
            answer = json.load(stream)
        linux = answer["linux"]
        booted = linux and linux["kernel"]
        if booted:
            holds = booted == identity(booted["path"])
        else:
            # Where Linux was wanted and there was none, one that has come up since changes the answer.
            holds = linux is None or first_existing(params["kernels"]) is None
        holds = holds and answer["probed_with"] == circumstances(params)
    except (IOError, OSError, ValueError, KeyError, TypeError):
        return None
    return answer if holds else None


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


class Probe(object):
    """One look for the accelerator.

    ``linux`` says afterwards whether booting Linux mattered: None, or the kernel (None for want of one).
    """

    def __init__(self, params):
        self.params = params
        self.linux = None

    def run(self):
        """Return (accelerator, reason), or raise ProbeFailed."""
        requested = self.params["accelerator"]
        complaints = [] if requested == "auto" else ["%s was asked for" % requested]
        for accelerator in ("kvm", "tcg") if requested == "auto" else (requested,):
            complaint, seen = self.kvm() if accelerator == "kvm" else self.tcg()
            reason = "; ".join(complaints + ["%s: %s" % (accelerator, complaint or seen)])
            if complaint is None:
                return accelerator, reason
            complaints.append("%s: %s" % (accelerator, complaint))
        raise ProbeFailed("no guest boots with %s: %s" % (self.params["binary"], reason))

    def tcg(self):
        """Return (None, what was seen) or (why it is not usable, None)."""
        complaint = boot_probe.try_boot_sector(self.params["binary"], "tcg", TCG_LIMIT_SECONDS)
        return complaint, "a boot sector ran"

    def kvm(self):
        """Return the same for KVM."""
        if not os.path.exists(KVM_DEVICE):
            return "there is no %s" % KVM_DEVICE, None
        complaint = boot_probe.try_boot_sector(self.params["binary"], "kvm", KVM_LIMIT_SECONDS)
        if complaint is not None:
            return complaint, None
        kernel = first_existing(self.params["kernels"])
        self.linux = {"kernel": identity(kernel)}
        if kernel is None:
            return "no Linux kernel to try it with (%s)" % ", ".join(self.params["kernels"]), None
        seconds, complaint = boot_probe.try_linux(
            self.params["binary"], "kvm", kernel, self.params["limit_seconds"]
        )
        return complaint, None if complaint else "Linux reached user space in %.1f s" % seconds


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "binary": {"type": "path", "required": True},
            "accelerator": {"type": "str", "choices": ["auto", "kvm", "tcg"], "default": "auto"},
            "kernels": {"type": "list", "elements": "str", "default": []},
            "limit_seconds": {"type": "int", "default": 30},
            "fact_file": {"type": "path", "default": "/etc/ansible/facts.d/postcopy_lab_qemu.fact"},
        },
        supports_check_mode=True,
    )
    params = module.params
    answer = kept(params)
    if answer is not None:
        module.exit_json(changed=False, **answer)
    if module.check_mode:
        module.exit_json(changed=True, accelerator=None, reason="not tried in check mode")
    probe = Probe(params)
    try:
        version = qemu_version(params["binary"])
        accelerator, reason = probe.run()
    except ProbeFailed as error:
        module.fail_json(msg=str(error))
    answer = {
        "accelerator": accelerator,
        "reason": reason,
        "qemu_version": version,
        "binary": params["binary"],
        "probed_with": circumstances(params),
        "linux": probe.linux,
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
