#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Ask the kernel what the user that QEMU runs as may do."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: qemu_user_access
short_description: Ask the kernel what the user that QEMU runs as may do
description:
  - Becomes that user, with its groups and without capabilities, as libvirt does before it starts QEMU, and
    opens what QEMU will open. Changes nothing.
  - Post-copy needs userfaultfd with faults of the kernel included, which an unprivileged user has only with
    C(vm.unprivileged_userfaultfd = 1). Where it is missing, libvirt says no more than "migration job failed".
options:
  user:
    description: The user that QEMU runs as.
    type: str
    required: true
  group:
    description: The group that QEMU runs as.
    type: str
    required: true
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Look whether QEMU may use userfaultfd
  postcopy.lab.qemu_user_access:
    user: libvirt-qemu
    group: libvirt-qemu
"""

RETURN = r"""
userfaultfd:
  description: None when it can be used, else why not.
  returned: success
  type: str
kvm:
  description: None when KVM's device can be opened, else why not.
  returned: success
  type: str
"""

import ctypes
import grp
import os
import platform
import pwd

from ansible.module_utils.basic import AnsibleModule

# System call numbers: Linux, arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
USERFAULTFD = {"x86_64": 323, "aarch64": 282}


def open_userfaultfd():
    """Open a userfaultfd as QEMU does; raise OSError where the kernel refuses."""
    number = USERFAULTFD.get(platform.machine())
    if number is None:
        raise OSError(0, "number of the system call is not known for %s" % platform.machine())
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.syscall(ctypes.c_long(number), ctypes.c_int(os.O_NONBLOCK))
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    os.close(descriptor)


def open_kvm():
    """Open KVM's device for reading and writing."""
    os.close(os.open("/dev/kvm", os.O_RDWR))


def refusal_as(user, gid, action):
    """Do something as a user, in a process of its own; return None, or one line saying why it failed."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        text = ""
        try:
            os.close(readable)
            # As libvirt does (virGetGroupList): the user's groups with its primary one, which is kvm in
            # Debian and listed nowhere else; then the group that QEMU is given.
            os.initgroups(user.pw_name, user.pw_gid)
            os.setgid(gid)
            os.setuid(user.pw_uid)
            action()
        except Exception as error:  # whatever happens in here is the answer
            text = str(error) or type(error).__name__
        finally:
            os.write(writable, text.encode("utf-8"))
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as stream:
        answer = stream.read().decode("utf-8")
    os.waitpid(child, 0)
    return answer or None


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str", "required": True},
            "group": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        user = pwd.getpwnam(module.params["user"])
        gid = grp.getgrnam(module.params["group"]).gr_gid
    except KeyError as error:
        module.fail_json(msg=str(error).strip("\"'"))
    module.exit_json(
        changed=False,
        userfaultfd=refusal_as(user, gid, open_userfaultfd),
        kvm=refusal_as(user, gid, open_kvm),
    )


if __name__ == "__main__":
    main()
