# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Pinging the guest from its first answer on."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import signal
import socket
import subprocess

from . import processes


def command(ping, address):
    """iputils ping: numeric, each line with its time, and a line for each answer that is late.

    :param ping: {"period": seconds, "payload": bytes}; a length of its own tells its packets from the others'
    """
    return ["ping", "-n", "-D", "-O", "-i", "%g" % ping["period"], "-s", "%d" % ping["payload"], address]


def guest_answers(address, port):
    try:
        socket.create_connection((address, port), timeout=0.3).close()
    except (socket.error, socket.timeout):
        return False
    return True


def run(pings, address, port, run_directory, stop):
    """Ping until the event is set. Losses while the guest boots are none: its first answer is waited for.

    :param pings: {file name: {"period": seconds, "payload": bytes}}
    """
    while not guest_answers(address, port):
        if stop.wait(0.1):
            return
    running = []
    for name, ping in sorted(pings.items()):
        with open(os.path.join(run_directory, name), "ab", 0) as output:
            running.append(
                subprocess.Popen(
                    command(ping, address),
                    stdout=output,
                    stderr=output,
                    preexec_fn=processes.die_with_parent,
                    close_fds=True,
                )
            )
    stop.wait()
    for process in running:
        # ping's own way to end: it prints its summary.
        process.send_signal(signal.SIGINT)
    for process in running:
        process.wait()
