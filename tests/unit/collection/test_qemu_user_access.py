"""As whom the module tries what QEMU may do."""

from __future__ import annotations

import grp
import os
import pwd

import pytest
from ansible_collections.postcopy.lab.plugins.modules import qemu_user_access


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_the_users_primary_group_counts_beside_the_one_that_qemu_is_given() -> None:
    """Debian's libvirt-qemu has kvm as its primary group, and QEMU is given the group libvirt-qemu."""
    user, given = pwd.getpwnam("games"), grp.getgrnam("users").gr_gid
    assert user.pw_gid != given

    def say_groups() -> None:
        raise OSError(" ".join(str(number) for number in [os.getgid(), *os.getgroups()]))

    said = qemu_user_access.refusal_as(user, given, say_groups)
    first, *others = (int(number) for number in said.split())
    assert first == given and user.pw_gid in others
