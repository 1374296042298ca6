# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Comparing nodes' clocks: the prober asks every compute node for its time once a second, as NTP does.

A datagram goes out at t1 and comes in at t2, its answer goes out at t3 and comes in at t4; t1 and t4 are of
the prober's clock, t2 and t3 of the node's. The node's offset is ((t2 - t1) + (t3 - t4)) / 2, and wrong by at
most half the time on the way, ((t4 - t1) - (t3 - t2)) / 2 (RFC 5905, section 8). What is recorded is the four
times.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import socket
import struct
import time

# A node answers from the one, the prober asks from the other.
NODE_PORT = 7301
PROBER_PORT = 7302
MARK = b"plab"
# Mark, number, t1, t2, t3.
DATAGRAM = struct.Struct("!4sIddd")
HERTZ = 1
ANSWER_PATIENCE_SECONDS = 0.2


def answer(datagram, received_at, now):
    """The answer to a question, None for anything that is none."""
    if len(datagram) != DATAGRAM.size:
        return None
    mark, number, sent_at, _received, _answered = DATAGRAM.unpack(datagram)
    if mark != MARK:
        return None
    return DATAGRAM.pack(MARK, number, sent_at, received_at, now)


def read_answer(datagram, number, returned_at):
    """The four times as a record of clock.jsonl; None for anything but the answer to this question."""
    if len(datagram) != DATAGRAM.size:
        return None
    mark, its_number, sent_at, received_at, answered_at = DATAGRAM.unpack(datagram)
    if mark != MARK or its_number != number:
        return None
    return {
        "sent_at": sent_at,
        "received_at": received_at,
        "answered_at": answered_at,
        "returned_at": returned_at,
    }


def open_socket(port, peer, peer_port, patience_seconds):
    """A socket that hears its peer alone: the kernel drops what others send, so this node is open to nobody.

    :raises socket.error: the peer's name has no address, or the port is taken
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.settimeout(patience_seconds)
    try:
        opened.bind(("", port))
        opened.connect((peer, peer_port))
    except socket.error:
        opened.close()
        raise
    return opened


def open_answering(prober):
    """The socket of a node whose time the prober asks for."""
    return open_socket(NODE_PORT, prober, PROBER_PORT, ANSWER_PATIENCE_SECONDS)


def open_asking(node):
    """The prober's socket for one node."""
    return open_socket(PROBER_PORT, node, NODE_PORT, ANSWER_PATIENCE_SECONDS)


def serve(answering, stop):
    """Answer until the event is set."""
    while not stop.is_set():
        try:
            reply = answer(answering.recv(256), time.time(), time.time())
            if reply is not None:
                answering.send(reply)
        except socket.error:
            # No question in time, or word from the prober that its end is closed.
            continue
    answering.close()


def ask(asking, number):
    """One exchange; None without an answer in time."""
    try:
        asking.send(DATAGRAM.pack(MARK, number, time.time(), 0.0, 0.0))
        while True:
            datagram = asking.recv(256)
            record = read_answer(datagram, number, time.time())
            if record is not None:
                return record
    except socket.error:
        return None


def exchange(nodes, lines, ticks):
    """Ask every node at every tick.

    :param nodes: {name: socket of open_asking}
    :param lines: JsonLines that gets a record an answer
    :param ticks: what to wait for before each question
    """
    number = 0
    for _tick in ticks:
        for name, asking in sorted(nodes.items()):
            number += 1
            record = ask(asking, number)
            if record is not None:
                lines.write(dict(record, node=name), record["returned_at"])
    for asking in nodes.values():
        asking.close()
    lines.close()
