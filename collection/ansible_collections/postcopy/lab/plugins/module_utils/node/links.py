# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""A node's network interfaces and the bridge that each is a port of, as its kernel tells (rtnetlink(7)).

links.jsonl has every interface as it is at first, then each change at the moment it was told.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import glob
import os
import socket
import struct

# linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if.h
RTMGRP_LINK = 1
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NEW_LINK, DELETE_LINK, GET_LINK = 16, 17, 18
NAME_ATTRIBUTE, MASTER_ATTRIBUTE = 3, 10
UP = 1
AF_BRIDGE = 7
HEADER = struct.Struct("=IHHII")
# Family, type of device, index, flags, changed flags.
LINK = struct.Struct("=BxHiII")
ATTRIBUTE = struct.Struct("=HH")
BUFFER_BYTES = 1 << 16
POLL_SECONDS = 0.1


def aligned(length):
    return (length + 3) & ~3


def messages(data):
    """(type, body) of each message of a datagram."""
    while len(data) >= HEADER.size:
        length, kind, _flags, _sequence, _port = HEADER.unpack_from(data)
        if length < HEADER.size:
            return
        yield kind, data[HEADER.size : length]
        data = data[aligned(length) :]


def attributes(data):
    """{type: content} of what follows a message's own header."""
    found = {}
    while len(data) >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(data)
        if length < ATTRIBUTE.size:
            break
        found[kind] = data[ATTRIBUTE.size : length]
        data = data[aligned(length) :]
    return found


def names_by_index():
    """The interfaces that there are: a port may be told of before its bridge."""
    found = {}
    for path in glob.glob("/sys/class/net/*/ifindex"):
        try:
            with open(path) as stream:
                found[int(stream.read())] = os.path.basename(os.path.dirname(path))
        except EnvironmentError:
            # It is gone.
            continue
    return found


class Links:
    """What is known of the interfaces, by their index.

    :param names: {index: name} of interfaces that were not told of yet
    """

    def __init__(self, names):
        self._names = dict(names)
        self._known = {}

    def told(self, kind, body):
        """The record that a message makes, None if it tells nothing new.

        :return: {"link", "master", "up"}; master: the bridge's name, null for none. {"link", "gone": true}
            for an interface that was removed
        """
        family, _type, index, flags, _changed = LINK.unpack_from(body)
        found = attributes(body[LINK.size :])
        known = self._known.get(index)
        if kind == DELETE_LINK and family != AF_BRIDGE:
            self._known.pop(index, None)
            return {"link": known["link"], "gone": True} if known else None
        if NAME_ATTRIBUTE not in found:
            return None
        master = None
        # A bridge that loses a port tells of its port's end; the interface itself stays.
        if kind == NEW_LINK and MASTER_ATTRIBUTE in found:
            (number,) = struct.unpack("=I", found[MASTER_ATTRIBUTE])
            master = self._names.get(number, "interface %d" % number)
        self._names[index] = found[NAME_ATTRIBUTE].rstrip(b"\0").decode("ascii", "replace")
        record = {"link": self._names[index], "master": master, "up": bool(flags & UP)}
        if record == known:
            return None
        self._known[index] = record
        return dict(record)


def open_socket():
    """A socket that is told of every change from now on.

    :raises OSError, socket.error: the kernel does not tell
    """
    channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    channel.bind((0, RTMGRP_LINK))
    channel.settimeout(POLL_SECONDS)
    return channel


def record(channel, lines, stop):
    """Write every interface and each change until `stop`; what was lost on the way is asked for anew."""
    links = Links(names_by_index())
    ask(channel)
    while not stop.is_set():
        try:
            data = channel.recv(BUFFER_BYTES)
        except socket.timeout:
            continue
        except EnvironmentError as error:
            if error.errno != errno.ENOBUFS:
                raise
            ask(channel)
            continue
        for kind, body in messages(data):
            if kind in (NEW_LINK, DELETE_LINK):
                told = links.told(kind, body)
                if told is not None:
                    lines.write(told)
    channel.close()


def ask(channel):
    """Ask for all interfaces as they are."""
    body = LINK.pack(0, 0, 0, 0, 0)
    flags = NLM_F_REQUEST | NLM_F_DUMP
    channel.send(HEADER.pack(HEADER.size + len(body), GET_LINK, flags, 0, 0) + body)
