# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Captures of a node's pings and of who announces the guest's address, by tcpdump."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import signal
import subprocess
import threading
from xml.etree import ElementTree

from . import processes

# Pings, and what tells switches where an address is: gratuitous ARP, and the RARP by which QEMU announces a
# guest.
FILTER = "icmp or arp or rarp"
# Ethernet, IPv4 and ICMP headers take 42 bytes; with the time stamp that ping puts behind them it is 58.
SNAPSHOT_BYTES = 64


def command(interface, path):
    """tcpdump for one interface: each packet is written at once, as the user who started it."""
    return (
        ["tcpdump", "-n", "-p", "-U", "-Z", "root", "-s", "%d" % SNAPSHOT_BYTES]
        + ["-i", interface, "-w", path]
        + FILTER.split()
    )


def taps_of(domain_xml):
    """Names of a running domain's interfaces on its host, from its XML (libvirt: interface/target/@dev)."""
    targets = ElementTree.fromstring(domain_xml).findall("devices/interface/target")
    return [target.get("dev") for target in targets if target.get("dev")]


class Captures:
    """The captures of one node."""

    def __init__(self, run_directory):
        self._directory = run_directory
        self._running = []
        # Set when all captures have ended: the thread that started one has to live until then.
        self.ended = threading.Event()

    def start(self, interface, file_name):
        self._running.append(
            subprocess.Popen(
                command(interface, os.path.join(self._directory, file_name)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                preexec_fn=processes.die_with_parent,
                close_fds=True,
            )
        )

    def start_tap(self, domain):
        """The guest's first interface; a guest that is gone again has none."""
        taps = taps_of(domain.XMLDesc(0))
        if taps:
            self.start(taps[0], "icmp.pcap")

    def stop(self):
        """End all; returns what went wrong with each, one line a capture, [] if all went well.

        tcpdump ends by itself, with a failure, when its interface goes away: a guest that has left takes its
        tap along, which is no fault.
        """
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        faults = []
        for process in self._running:
            said = process.communicate()[1].decode("utf-8", "replace").strip().splitlines()
            if process.returncode != 0 and "disappeared" not in " ".join(said):
                faults.append("tcpdump: %s" % (said[-1] if said else "ended with %d" % process.returncode))
        self.ended.set()
        return faults
