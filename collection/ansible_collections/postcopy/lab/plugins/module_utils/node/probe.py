# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""The measuring process of a node: counters, libvirt's events and statistics, links, pings, captures, clocks.

Takes its settings as one JSON argument, says "ready" on standard output once everything is watched (pings
start later, with the guest's first answer), and measures until SIGTERM or until its deadline: a study that
was killed leaves no process behind for good.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import signal
import sys
import threading
import time

from . import captures, clocks, libvirt_events, links, monotonic, pings, processes, qmp, vcpus
from .errors import described
from .jsonl import JsonLines
from .ticks import ticks

HERTZ = 20


def read_counters(text, interfaces):
    """The counters of some interfaces from the text of /proc/net/dev (proc(5)), as records of nic.jsonl."""
    records = []
    for line in text.splitlines():
        name, colon, counters = line.partition(":")
        name = name.strip()
        if not colon or name not in interfaces:
            continue
        fields = [int(counter) for counter in counters.split()]
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


def connect():
    """libvirt's binding and a connection whose events are dealt with in a thread of their own.

    :raises ImportError, libvirtError: no libvirt here
    """
    import libvirt

    # Errors are dealt with where they occur; the binding would print each of them as well.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    return libvirt, libvirt_events.open_connection(libvirt)


def record_events(libvirt, connection, domain_name, path):
    """Record the events of a domain that is yet to come; returns what is set while it is present."""
    events = JsonLines(path)
    # Asking for a domain that is not there is an error in libvirtd's log: its events say when to ask.
    present = threading.Event()

    def receive(record, at):
        events.write(record, at)
        if record.get("name") == "STARTED":
            present.set()
        elif record.get("name") == "STOPPED":
            present.clear()

    libvirt_events.subscribe(libvirt, connection, domain_name, receive)
    return present


def capture_tap(libvirt, connection, domain_name, present, recorder, ports, stop):
    """Capture at a domain's tap as soon as there is one.

    :param ports: JsonLines, told which interface the tap is; None where nobody wants to know
    """
    while not stop.is_set():
        if present.wait(0.05):
            try:
                tap = recorder.start_tap(connection.lookupByName(domain_name))
                if tap is not None and ports is not None:
                    ports.write({"tap": tap})
                recorder.ended.wait()
            except libvirt.libvirtError:
                # Its event comes a little before it can be found.
                stop.wait(0.02)


def have_guest_yield(name, nice, present, stop):
    """As soon as the guest is on this host: /proc is not looked through for a guest that is yet to come."""
    was_there = False
    while not stop.wait(0.05):
        was_there = was_there or present.is_set()
        if present.is_set() and vcpus.make_yield(name, nice):
            return
    if was_there:
        sys.stderr.write(
            "nice value %d was not applied: no thread of the guest's processors was found\n" % nice
        )


def ask_for_blocktime(path, stop):
    """Tell the destination's QEMU to measure what post-copy blocks, as soon as it can be told."""
    while not stop.wait(0.02):
        if os.path.exists(path):
            try:
                qmp.measure_blocktime(path)
            except qmp.QmpError as error:
                sys.stderr.write("QEMU: %s\n" % error)
            return


def start_thread(what, target, *arguments):
    """Run it in a thread of its own; what it dies of is told in one line.

    :param what: what it is for; the file that it writes where it writes one
    """

    def run():
        try:
            target(*arguments)
        except Exception as error:
            sys.stderr.write("%s: %s\n" % (what, described(error)))

    thread = threading.Thread(target=run)
    thread.daemon = True
    thread.start()
    return thread


def say_ready():
    """Tell the starter and let go of its pipe."""
    os.write(1, b"ready\n")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def start_threads(settings, recorder, stop):
    """Everything that is watched, each in a thread of its own; returns the threads."""
    directory = settings["run_directory"]
    threads = []
    if settings["interfaces"]:
        path = os.path.join(directory, "nic.jsonl")
        threads.append(start_thread("nic.jsonl", sample_counters, path, settings["interfaces"], stop))
    if settings["capture"]:
        recorder.start(settings["capture"]["interface"], settings["capture"]["file"], stays=True)
    ports = None
    if settings["links"]:
        ports = JsonLines(os.path.join(directory, "links.jsonl"))
        ports.write({"uplink": settings["links"]})
        threads.append(start_thread("links.jsonl", links.record, links.open_socket(), ports, stop))
    name = settings["domain"]
    # A guest whose events are not recorded is there already.
    present = threading.Event()
    if not settings["events"]:
        present.set()
    if settings["events"] or settings["tap"]:
        libvirt, connection = connect()
        if settings["events"]:
            present = record_events(libvirt, connection, name, os.path.join(directory, "events.jsonl"))
            path = os.path.join(directory, "job.jsonl")
            threads.append(
                start_thread("job.jsonl", sample_jobs, libvirt, connection, name, path, present, stop)
            )
        if settings["tap"]:
            threads.append(
                start_thread(
                    "icmp.pcap", capture_tap, libvirt, connection, name, present, recorder, ports, stop
                )
            )
    if settings["vcpu_nice"]:
        threads.append(
            start_thread("vcpu_nice", have_guest_yield, name, settings["vcpu_nice"], present, stop)
        )
    if settings["blocktime"]:
        threads.append(start_thread("blocktime", ask_for_blocktime, qmp.socket_path(name), stop))
    if settings["pings"]:
        arguments = (settings["pings"], settings["guest_address"], settings["guest_port"], directory, stop)
        threads.append(start_thread("pings", pings.run, *arguments))
    if settings["clock_nodes"]:
        lines = JsonLines(os.path.join(directory, "clock.jsonl"))
        pace = ticks(clocks.HERTZ, stop)
        asking = {name: clocks.open_asking(address) for name, address in settings["clock_nodes"].items()}
        threads.append(start_thread("clock.jsonl", clocks.exchange, asking, lines, pace))
    if settings["clock_asker"]:
        answering = clocks.open_answering(settings["clock_asker"])
        threads.append(start_thread("clock", clocks.serve, answering, stop))
    return threads


def main(settings):
    """
    :param settings: run_directory, deadline_seconds; interfaces (may be empty); domain, with events and tap
        that say whether its events are recorded (it is yet to come then) and its tap is captured, and
        blocktime, whether its QEMU is asked to measure that; vcpu_nice, how much its processors yield (0: not
        at all); capture (null, or interface and file); links (null, or the interface by which guests' packets
        come in: the ports of bridges are recorded); pings (see pings.run, may be empty), guest_address,
        guest_port; clock_nodes ({name: address}, may be empty), clock_asker (address of the node that asks
        this one, may be null)
    """
    stop, asked = threading.Event(), []
    # A handler that set the event itself would wait for ever where it interrupts who holds the event's lock.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: asked.append(True))
    processes.write_pid("probe")
    recorder = captures.Captures(settings["run_directory"])
    threads = start_threads(settings, recorder, stop)
    say_ready()
    # Short waits: Python 2 handles signals only between them.
    deadline = monotonic.seconds() + settings["deadline_seconds"]
    while not asked:
        time.sleep(0.02)
        if monotonic.seconds() > deadline:
            sys.stderr.write(
                "nobody stopped it within %g s: it ended by itself\n" % settings["deadline_seconds"]
            )
            break
    stop.set()
    for fault in recorder.stop():
        sys.stderr.write(fault + "\n")
    for thread in threads:
        thread.join(3)
    processes.remove_pid("probe")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
