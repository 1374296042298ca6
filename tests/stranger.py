"""Somebody on the guest network who is not the prober asks a guest."""

from __future__ import annotations

from collections.abc import Callable

# The agent's port; see roles/guest_image/files/guest/guest-agent.c.
CONNECT = "timeout 5 bash -c ': < /dev/tcp/{guest}/7300'"
ASK = """
bridge=$(basename "$(readlink /sys/class/net/guest0/master)")
ip address add {stranger}/24 dev "$bridge"
{connect} 2>/dev/null && echo answered
ip neighbour show {guest} dev "$bridge"
ip address delete {stranger}/24 dev "$bridge"
"""


def what_a_stranger_gets(run: Callable[[str], str], guest: str) -> str:
    """What somebody with an address of his own got from a guest's agent, and the guest's hardware address.

    :param run: carries out a shell script on the compute node where the guest is, and returns what it printed
    :param guest: IPv4 address of the guest
    :return: "answered" if the guest let itself be asked; below it `ip neighbour`'s line of the guest
    """
    stranger = f"{guest.rpartition('.')[0]}.250"
    return run(ASK.format(stranger=stranger, guest=guest, connect=CONNECT.format(guest=guest)))
