# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""The measuring process of one node: counters, libvirt's events and job statistics, and pings.

Takes its settings as one JSON argument, says "ready" on standard output once everything is watched (pings
start later, with the guest's first answer), and measures until SIGTERM or until its deadline: a study that
was killed leaves no process behind for good.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from . import libvirt_events, processes
from .jsonl import JsonLines
from .ticks import ticks

HERTZ = 20
PR_SET_PDEATHSIG = 1  # prctl(2)


def read_counters(text, interfaces):
    """The counters of some interfaces from the text of /proc/net/dev (proc(5)), as records of nic.jsonl."""
    records = []
    for line in text.splitlines():
        name, colon, figures = line.partition(":")
        name = name.strip()
        if not colon or name not in interfaces:
            continue
        fields = [int(figure) for figure in figures.split()]
        records.append(
            {
                "interface": name,
                "rx_bytes": fields[0],
                "rx_packets": fields[1],
                "tx_bytes": fields[8],
                "tx_packets": fields[9],
            }
        )
    return records


def sample_counters(path, interfaces, stop):
    lines = JsonLines(path)
    for _tick in ticks(HERTZ, stop):
        with open("/proc/net/dev") as stream:
            now = time.time()
            text = stream.read()
        for record in read_counters(text, interfaces):
            lines.write(record, now)
    lines.close()


def sample_jobs(libvirt, connection, domain_name, path, present, stop):
    """Job statistics of a domain while it is present; only what differs from an idle job is kept."""
    lines = JsonLines(path)
    for _tick in ticks(HERTZ, stop):
        if not present.is_set():
            continue
        try:
            job = connection.lookupByName(domain_name).jobStats()
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:
                # Upstream's libvirt has statistics of a migration on its source only; wp3's on the
                # destination.
                break
            continue
        if job.get("type"):
            lines.write({"job": job})
    lines.close()


def watch_domain(domain_name, run_directory, stop):
    """Record events and job statistics of a domain that is yet to come; returns the thread that samples.

    :raises ImportError, libvirtError: no libvirt here
    """
    import libvirt

    # Errors are dealt with where they occur; the binding would print each of them as well.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    libvirt_events.start_event_loop(libvirt)
    connection = libvirt.open("qemu:///system")
    events = JsonLines(os.path.join(run_directory, "events.jsonl"))
    # Asking for a domain that is not there is an error in libvirtd's log: its events say when to ask.
    present = threading.Event()

    def receive(record, at):
        events.write(record, at)
        if record.get("name") == "STARTED":
            present.set()
        elif record.get("name") == "STOPPED":
            present.clear()

    libvirt_events.subscribe(libvirt, connection, domain_name, receive)
    path = os.path.join(run_directory, "job.jsonl")
    return start_thread(sample_jobs, libvirt, connection, domain_name, path, present, stop)


def die_with_parent():
    ctypes.CDLL("libc.so.6").prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def guest_answers(address, port):
    try:
        socket.create_connection((address, port), timeout=0.3).close()
    except (socket.error, socket.timeout):
        return False
    return True


def run_pings(pings, address, port, run_directory, stop):
    """Ping the guest from its first answer on: losses while it boots are no losses.

    :param pings: {file name: period in seconds}
    """
    while not guest_answers(address, port):
        if stop.wait(0.1):
            return
    running = []
    for name, period in sorted(pings.items()):
        command = ["ping", "-n", "-D", "-O", "-i", "%g" % period, address]
        with open(os.path.join(run_directory, name), "ab", 0) as output:
            running.append(
                subprocess.Popen(
                    command, stdout=output, stderr=output, preexec_fn=die_with_parent, close_fds=True
                )
            )
    stop.wait()
    for process in running:
        # ping's own way to end: it prints its summary.
        process.send_signal(signal.SIGINT)
    for process in running:
        process.wait()


def start_thread(target, *arguments):
    thread = threading.Thread(target=target, args=arguments)
    thread.daemon = True
    thread.start()
    return thread


def say_ready():
    """Tell the starter and let go of its pipe."""
    os.write(1, b"ready\n")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def main(settings):
    """
    :param settings: run_directory, deadline_seconds, interfaces (may be empty), domain (null for no libvirt),
        pings ({file: seconds}, may be empty), guest_address, guest_port
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    signal.signal(signal.SIGINT, lambda _number, _frame: stop.set())
    processes.write_pid("probe")
    directory = settings["run_directory"]
    threads = []
    if settings["interfaces"]:
        path = os.path.join(directory, "nic.jsonl")
        threads.append(start_thread(sample_counters, path, settings["interfaces"], stop))
    if settings["domain"]:
        threads.append(watch_domain(settings["domain"], directory, stop))
    if settings["pings"]:
        threads.append(
            start_thread(
                run_pings,
                settings["pings"],
                settings["guest_address"],
                settings["guest_port"],
                directory,
                stop,
            )
        )
    say_ready()
    # Short waits: Python 2 handles signals only between them.
    deadline = time.time() + settings["deadline_seconds"]
    while not stop.wait(0.1):
        if time.time() > deadline:
            stop.set()
    for thread in threads:
        thread.join(3)
    processes.remove_pid("probe")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
