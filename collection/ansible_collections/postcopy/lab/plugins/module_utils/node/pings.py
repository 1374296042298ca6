# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Pinging the guest from its first answer on."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import signal
import socket
import subprocess
import sys

from . import processes

# Requests wait in the kernel for as long as it asks who has the guest's address: 3 s, after which it drops
# them (arp(7)). By itself ping has room for some ten, and sends nothing until those are gone.
SEND_BUFFER_BYTES = 65536


def command(ping, address):
    """The article's is iputils' ping: numeric, each line with its time, and one for each answer that is late.

    :param ping: {"period": seconds, "payload": bytes, "steady": whether it must keep its period}; a length of
        its own tells its packets from the others'
    """
    if ping["steady"]:
        settings = {"address": address, "period": ping["period"], "payload": ping["payload"]}
        return [sys.executable, "-m", __package__ + ".steady_ping", json.dumps(settings, sort_keys=True)]
    lengths = ["-s", "%d" % ping["payload"], "-S", "%d" % SEND_BUFFER_BYTES]
    return ["ping", "-n", "-D", "-O", "-i", "%g" % ping["period"]] + lengths + [address]


def guest_answers(address, port):
    try:
        socket.create_connection((address, port), timeout=0.3).close()
    except (socket.error, socket.timeout):
        return False
    return True


def run(pings, address, port, run_directory, stop):
    """Ping until the event is set, and tell of each ping that ended before.

    Losses while the guest boots are none: its first answer is waited for.

    :param pings: {file name: see command()}
    """
    while not guest_answers(address, port):
        if stop.wait(0.1):
            return
    running = []
    for name, ping in sorted(pings.items()):
        with open(os.path.join(run_directory, name), "ab", 0) as output:
            process = subprocess.Popen(
                command(ping, address),
                stdout=output,
                stderr=output,
                preexec_fn=processes.die_with_parent,
                # ping speaks the node's language, and its log is read by a parser.
                env=dict(os.environ, LC_ALL="C"),
                close_fds=True,
            )
            running.append((name, process))
    stop.wait()
    still = [process for _name, process in running if process.poll() is None]
    for process in still:
        # ping's own way to end: it prints its summary.
        process.send_signal(signal.SIGINT)
    for name, process in running:
        if process not in still:
            how = processes.ending_of(process.returncode)
            sys.stderr.write("%s: ping: %s before it was stopped\n" % (name, how))
    for process in still:
        process.wait()
