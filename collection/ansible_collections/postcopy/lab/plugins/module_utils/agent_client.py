# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Asking the agent in the guest: one request line, one JSON answer, connection closed."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import socket
import time

from ansible_collections.postcopy.lab.plugins.module_utils.node import monotonic

# A guest that died while it was asked sends nothing any more: these probes end its silence after 20 s. The
# kernel of one that is only busy answers them.
KEEP_ALIVE_IDLE_SECONDS = 5
KEEP_ALIVE_PROBES = 3


class AgentError(Exception):
    """The agent did not answer, or answered that it could not; one line."""


def ask(address, port, request, timeout_seconds):
    """The agent's answer to one request.

    :raises AgentError: no connection, no complete answer in time, or an answer that is not ok
    """
    deadline = monotonic.seconds() + timeout_seconds
    chunks = []
    try:
        connection = socket.create_connection((address, port), timeout=timeout_seconds)
        try:
            keep_alive(connection)
            connection.sendall((request + "\n").encode("ascii"))
            while True:
                connection.settimeout(max(0.001, deadline - monotonic.seconds()))
                chunk = connection.recv(1 << 16)
                if not chunk:
                    break
                chunks.append(chunk)
        finally:
            connection.close()
    except (socket.error, socket.timeout) as error:
        raise AgentError("%s: no answer from %s port %d: %s" % (request, address, port, error))
    try:
        answer = json.loads(b"".join(chunks).decode("utf-8"))
    except ValueError:
        raise AgentError("%s: the answer is not JSON" % request)
    if not isinstance(answer, dict) or answer.get("ok") is not True:
        reason = answer.get("error") if isinstance(answer, dict) else None
        raise AgentError("%s: %s" % (request, reason or "refused"))
    return answer


def keep_alive(connection):
    """Have the kernel end a connection whose other end is gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_ALIVE_IDLE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEP_ALIVE_IDLE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEP_ALIVE_PROBES)


def ask_until_answered(address, port, request, timeout_seconds, pause_seconds=0.05):
    """The first answer of an agent that may not be up yet.

    Each attempt waits longer than the one before: the first ones so that a guest is seen soon after it is
    up, the later ones so that a guest on a busy machine, which takes seconds for an answer, is not called
    unreachable.
    """
    started = monotonic.seconds()
    while True:
        elapsed = monotonic.seconds() - started
        patience_seconds = min(max(1.0, elapsed), max(1.0, timeout_seconds - elapsed))
        try:
            return ask(address, port, request, patience_seconds)
        except AgentError:
            if monotonic.seconds() - started + pause_seconds >= timeout_seconds:
                raise
            time.sleep(pause_seconds)
