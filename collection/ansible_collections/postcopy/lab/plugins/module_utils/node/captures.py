# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Captures of a node's pings and of who announces the guest's address, by tcpdump."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import signal
import subprocess
import threading
from xml.etree import ElementTree

from . import processes

# Pings, and what tells switches where an address is: gratuitous ARP, and the RARP by which QEMU announces a
# guest; where guests' packets travel in tunnels (VXLAN), what is in them.
FILTER = "icmp or arp or rarp or udp port 4789"
# Ethernet, IPv4 and ICMP headers take 42 bytes; with the time stamp that ping puts behind them it is 58. A
# tunnel's headers are 50 more.
SNAPSHOT_BYTES = 112
# What tcpdump says besides its reason: what it listens on, and its counts at the end.
_TALK = re.compile(r"listening on |verbose output suppressed|\d+ packets? (captured|received|dropped)")
_DROPPED = re.compile(r"[1-9]\d* packets? dropped by .*")


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


def reason_of(said, returncode):
    """Why tcpdump ended, in one line: the signal, or its own words.

    :param said: its standard error
    :param returncode: as subprocess has it: negative where a signal ended it
    """
    if returncode < 0:
        return "tcpdump: %s" % processes.ending_of(returncode)
    reasons = [line for line in said.splitlines() if line.strip() and not _TALK.search(line)]
    if reasons:
        return reasons[-1].strip()
    return "tcpdump: %s" % processes.ending_of(returncode)


class Captures:
    """The captures of one node."""

    def __init__(self, run_directory):
        self._directory = run_directory
        self._running = []
        # Set when all captures have ended: the thread that started one has to live until then.
        self.ended = threading.Event()

    def start(self, interface, file_name, stays=False):
        """
        :param stays: whether the interface outlives the capture: a guest that leaves takes its tap along
        """
        process = subprocess.Popen(
            command(interface, os.path.join(self._directory, file_name)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=processes.die_with_parent,
            close_fds=True,
        )
        self._running.append((process, file_name, stays))

    def start_tap(self, domain):
        """The guest's first interface; returns its name, None for a guest that is gone again."""
        taps = taps_of(domain.XMLDesc(0))
        if not taps:
            return None
        self.start(taps[0], "icmp.pcap")
        return taps[0]

    def stop(self):
        """End all; returns what went wrong, one line each, [] if all went well.

        tcpdump ends by itself, with a failure, when its interface goes away: a guest that has left takes its
        tap along, which is no fault.
        """
        still = [running for running in self._running if running[0].poll() is None]
        for process, _file_name, _stays in still:
            process.send_signal(signal.SIGINT)
        faults = []
        for running in self._running:
            process, file_name, stays = running
            said = process.communicate()[1].decode("utf-8", "replace")
            if "disappeared" in said and not stays:
                continue
            if running not in still or process.returncode != 0:
                faults.append("%s: %s" % (file_name, reason_of(said, process.returncode)))
            dropped = _DROPPED.search(said)
            if dropped:
                faults.append("%s: tcpdump: %s" % (file_name, dropped.group(0)))
        self.ended.set()
        return faults
