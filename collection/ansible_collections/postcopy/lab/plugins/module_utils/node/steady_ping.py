# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""A ping that keeps its period: iputils' own sends every 10 ms only every 10 to 16.

Prints what iputils' `ping -n -D -O` prints, so that one parser reads both: an answer with the time at which
it came, "no answer yet" when the next request goes out, the summary at its end (SIGINT or SIGTERM). Requests
leave at whole periods after the first one: what could not leave in time is left out, not made up for.
Formats: RFC 792 (ICMP), RFC 791 (IPv4), RFC 1071 (checksum), icmp(7) (filter).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import ctypes
import errno
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import time

ECHO_REPLY, UNREACHABLE, ECHO_REQUEST, TIME_EXCEEDED = 0, 3, 8, 11
HEADER = struct.Struct("!BBHHH")
SEQUENCE_RANGE = 1 << 16
SOL_RAW, ICMP_FILTER = 255, 1  # linux/icmp.h
UNREACHABLE_WORDS = {0: "Destination Net Unreachable", 1: "Destination Host Unreachable"}
SCHED_FIFO = 1  # sched(7)
# Where there is none (Python 2) a clock that is set costs a few periods.
clock = getattr(time, "monotonic", time.time)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def request(identifier, sequence, payload):
    """An echo request with so many bytes behind its header."""
    data = b"\0" * payload
    header = HEADER.pack(ECHO_REQUEST, 0, 0, identifier, sequence)
    return HEADER.pack(ECHO_REQUEST, 0, checksum(header + data), identifier, sequence) + data


def read_packet(packet, identifier):
    """(sequence, bytes, ttl, None) of an answer to our request, (sequence, 0, 0, words) of an error about it.

    None for any other packet. What comes from a raw socket begins with its IP header.
    """
    octets = bytearray(packet)
    if len(octets) < 20:
        return None
    start = 4 * (octets[0] & 15)
    if len(octets) < start + HEADER.size:
        return None
    kind, code, _sum, its_identifier, sequence = HEADER.unpack(packet[start : start + HEADER.size])
    if kind == ECHO_REPLY:
        return (sequence, len(octets) - start, octets[8], None) if its_identifier == identifier else None
    if kind not in (UNREACHABLE, TIME_EXCEEDED):
        return None
    # Behind an error's header is what it is about: an IP header, and eight bytes at least.
    inner = read_about(packet[start + HEADER.size :], identifier)
    if inner is None:
        return None
    words = "Time to live exceeded"
    if kind == UNREACHABLE:
        words = UNREACHABLE_WORDS.get(code, "Destination Unreachable, code %d" % code)
    return inner, 0, 0, words


def read_about(packet, identifier):
    """The sequence number of our request that an error quotes, None if it quotes something else."""
    octets = bytearray(packet)
    start = 4 * (octets[0] & 15) if octets else 0
    if len(octets) < start + HEADER.size or start < 20:
        return None
    kind, _code, _sum, its_identifier, sequence = HEADER.unpack(packet[start : start + HEADER.size])
    return sequence if kind == ECHO_REQUEST and its_identifier == identifier else None


def next_due(due, now, period):
    """When to send next, on the grid of the first request: who is late skips, and does not catch up."""
    due += period
    if due - now > period or now - due > 1000 * period:
        # The clock was set.
        return now + period
    if now >= due:
        due += period * (int((now - due) / period) + 1)
    return due


class Pinger:
    """Sends to one address and writes the log; counts what ping's summary tells."""

    def __init__(self, address, period, payload, write):
        self.address, self.period, self.payload, self.write = address, period, payload, write
        self.identifier = os.getpid() & 0xFFFF
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.socket.setblocking(False)
        # What waits for the guest's hardware address waits here; the kernel gives what it may.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        wanted = 1 << ECHO_REPLY | 1 << UNREACHABLE | 1 << TIME_EXCEEDED
        self.socket.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("=I", ~wanted & 0xFFFFFFFF))
        self.sent = self.answered = self.errors = 0
        # When each request went out, by its number on the wire, and which of them were answered.
        self.sent_at = {}
        self.done = set()

    def run(self, stopped):
        """Until `stopped()`. The first lines and the summary are ping's own."""
        lengths = (self.address, self.address, self.payload, self.payload + 28)
        self.write("PING %s (%s) %d(%d) bytes of data.\n" % lengths)
        begun = due = clock()
        while not stopped():
            left = due - clock()
            if left <= 0:
                self.send()
                due = next_due(due, clock(), self.period)
            elif self.readable(min(left, self.period)):
                self.receive()
        self.summarize(clock() - begun)

    def readable(self, seconds):
        try:
            return bool(select.select([self.socket], [], [], seconds)[0])
        except select.error as error:
            # A signal, under Python 2.
            if error.args[0] != errno.EINTR:
                raise
            return False

    def send(self):
        last = self.sent % SEQUENCE_RANGE
        if self.sent and last not in self.done:
            self.write("[%.6f] no answer yet for icmp_seq=%d\n" % (time.time(), last))
        self.sent += 1
        number = self.sent % SEQUENCE_RANGE
        self.done.discard(number)
        self.sent_at[number] = clock()
        try:
            self.socket.sendto(request(self.identifier, number, self.payload), (self.address, 0))
        except socket.error as error:
            self.write("ping: sendmsg: %s\n" % os.strerror(error.errno))

    def receive(self):
        try:
            packet, sender = self.socket.recvfrom(4096)
        except socket.error:
            return
        now, at = clock(), time.time()
        found = read_packet(packet, self.identifier)
        if found is None or found[0] not in self.sent_at:
            return
        sequence, length, ttl, error = found
        if error is not None:
            self.errors += 1
            self.write("[%.6f] From %s icmp_seq=%d %s\n" % (at, sender[0], sequence, error))
            return
        repeated = " (DUP!)" if sequence in self.done else ""
        self.answered += not repeated
        self.done.add(sequence)
        taken = max(0.0, now - self.sent_at[sequence]) * 1000
        self.write(
            "[%.6f] %d bytes from %s: icmp_seq=%d ttl=%d time=%.3f ms%s\n"
            % (at, length, sender[0], sequence, ttl, taken, repeated)
        )

    def summarize(self, seconds):
        lost = 100.0 * (self.sent - self.answered) / self.sent if self.sent else 0.0
        errors = ", +%d errors" % self.errors if self.errors else ""
        self.write(
            "\n--- %s ping statistics ---\n%d packets transmitted, %d received%s, %g%% packet loss, "
            "time %dms\n" % (self.address, self.sent, self.answered, errors, lost, seconds * 1000)
        )


def hurry():
    """Run before all else on this node (a hundredth of a processor): who waits his turn keeps no period."""
    priority = ctypes.c_int(1)
    if ctypes.CDLL("libc.so.6").sched_setscheduler(0, SCHED_FIFO, ctypes.byref(priority)):
        try:
            os.nice(-19)
        except OSError:
            # What the period suffers shows in the log.
            pass


def main(settings):
    """
    :param settings: address, period (seconds), payload (bytes)
    """
    ended = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ended.append(True))
    gc.disable()
    hurry()
    Pinger(
        settings["address"],
        settings["period"],
        settings["payload"],
        lambda text: os.write(1, text.encode("ascii")),
    ).run(lambda: bool(ended))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
