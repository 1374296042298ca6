# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""A QMP monitor of the kit's own beside libvirt's: what libvirt has no words for.

QEMU measures how long post-copy blocks the guest's processors only if the destination is told so before the
migration begins, while libvirt lets nobody at its own monitor (QEMU's docs/interop/qmp-spec, capability
postcopy-blocktime of its migration schema).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import socket

# Where the role libvirt lets QEMU make its sockets.
DIRECTORY = "/var/lib/postcopy-lab/qmp"
PATIENCE_SECONDS = 2.0


class QmpError(Exception):
    """The monitor is not there, or refused; one line."""


def socket_path(guest_name):
    return os.path.join(DIRECTORY, guest_name)


def arguments(guest_name):
    """QEMU's words for such a monitor."""
    return ["-qmp", "unix:%s,server=on,wait=off" % socket_path(guest_name)]


def remove_sockets(alive):
    """Remove the sockets of guests that have ended: a QEMU that is killed leaves its own.

    :param alive: names of the guests that are on this host
    """
    if os.path.isdir(DIRECTORY):
        for name in set(os.listdir(DIRECTORY)) - set(alive):
            os.unlink(socket_path(name))


def execute(path, command, command_arguments=None):
    """One command's answer ("return").

    :raises QmpError:
    """
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(PATIENCE_SECONDS)
    try:
        client.connect(path)
        stream = client.makefile("rwb")
        stream.readline()
        for request in (
            {"execute": "qmp_capabilities"},
            {"execute": command, "arguments": command_arguments or {}},
        ):
            stream.write((json.dumps(request) + "\n").encode("ascii"))
            stream.flush()
            answer = read_answer(stream)
        return answer
    except (socket.error, ValueError) as error:
        raise QmpError("%s: %s" % (command, error))
    finally:
        client.close()


def read_answer(stream):
    """The next answer, past events.

    :raises QmpError: it is a refusal; ValueError if it is no JSON or the connection has ended
    """
    while True:
        message = json.loads(stream.readline().decode("utf-8"))
        if "error" in message:
            raise QmpError(message["error"].get("desc", "refused"))
        if "return" in message:
            return message["return"]


def measure_blocktime(path):
    """Have the destination of a migration measure what post-copy blocks.

    :raises QmpError: this QEMU does not know how
    """
    capability = {"capability": "postcopy-blocktime", "state": True}
    execute(path, "migrate-set-capabilities", {"capabilities": [capability]})
