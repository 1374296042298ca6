#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Start and stop the measuring process of a node."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: probes
short_description: Start and stop the measuring process of a node
description:
  - V(started) ends whatever an earlier run left behind, empties the run's directory and starts one process
    that measures until it is stopped. The task ends when everything is being watched.
  - V(stopped) ends it, tells the state of the guest on this host and removes the guest, and packs the run's
    directory into one archive.
  - V(absent) ends it, and a migration that runs, and removes the records of all runs from this node.
  - Needs the programs that C(playbooks/tasks/node_programs.yml) installs.
options:
  state:
    description: Whether the probes measure.
    type: str
    choices: [started, stopped, absent]
    default: started
  run_directory:
    description:
      - Where the records go, on this node. The archive is beside it, with the ending C(.tar.gz).
      - Needed but for V(absent).
    type: path
  probes:
    description:
      - What to measure. V(nic) is the byte and packet counters of O(interfaces), 20 times a second.
      - V(events) is libvirt's events of the guest and its job statistics, 20 times a second; for the
        destination, the source's own are recorded by M(postcopy.lab.migration).
      - V(ping) and V(ping_fine) ping the guest every 100 ms and every 10 ms, from its first answer on; the
        latter's packets are shorter (16 bytes of payload in place of 56). The first is iputils' ping, the
        second the kit's own, which keeps its period.
      - V(icmp) captures pings and announcements (ARP, RARP) at O(guest_interface) and, with O(guest), at the
        guest's tap, with tcpdump.
      - V(links) is the bridge that each interface is a port of, from the kernel, and each change of it.
      - V(blocktime) has the destination's QEMU measure how long post-copy blocks the guest's processors,
        where it is the kit's own guest (M(postcopy.lab.guest)).
      - V(clock) answers questions of O(clock_asker), and of nobody else, for this node's time on UDP port
        7301, or, with O(clock_nodes), asks them once a second from UDP port 7302.
    type: list
    elements: str
    choices: [nic, events, ping, ping_fine, icmp, links, blocktime, clock]
    default: [nic]
  interfaces:
    description: Interfaces whose counters are recorded. V(stopped) tells which of them lost carrier.
    type: list
    elements: str
    default: []
  guest:
    description: Name of the guest; on a compute.
    type: str
  vcpu_nice:
    description:
      - Nice value of O(guest)'s virtual processors on this host. Where nodes share few processors, a busy
        guest of many leaves its own migration none.
    type: int
    default: 0
  guest_interface:
    description: This node's interface to the guest network; for the captures.
    type: str
  clock_nodes:
    description: Names of nodes whose clocks are compared with this one's, each with its address.
    type: dict
    default: {}
  clock_asker:
    description: Address of the node that asks for this one's time, or its name on this node.
    type: str
  console:
    description: File with the guest's console on this host, where it is not the kit's own. It is copied.
    type: path
  logs:
    description: Logs of this node. What they get from the start to the stop goes into the run's directory.
    type: list
    elements: path
    default: []
  guest_address:
    description: Address of the guest; for the pings.
    type: str
  guest_port:
    description: TCP port that tells that the guest is up.
    type: int
    default: 7300
  deadline_seconds:
    description: The process ends by itself after so long, should nobody stop it.
    type: float
    default: 3600
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Watch the destination
  postcopy.lab.probes:
    run_directory: /var/lib/postcopy-lab/runs/example/01
    probes: [nic, events]
    interfaces: [migration0, guest0]
    guest: postcopy-lab-example

- name: Stop watching and pack the files
  postcopy.lab.probes:
    state: stopped
    run_directory: /var/lib/postcopy-lab/runs/example/01
    guest: postcopy-lab-example

- name: Leave nothing of an interrupted run
  postcopy.lab.probes:
    state: absent
"""

RETURN = r"""
archive:
  description: The packed run directory.
  returned: V(stopped)
  type: str
guest_state:
  description: V(running), V(paused), V(other) or V(absent) before the guest was removed; null without a
    guest's name.
  returned: V(stopped)
  type: str
was_running:
  description: Whether the measuring process was still there when it was stopped.
  returned: V(stopped)
  type: bool
provisioned:
  description:
    - The fingerprint that C(playbooks/provision.yml) left; null if the node was started anew since then.
  returned: V(stopped)
  type: str
lost_carriers:
  description: The interfaces whose carrier went or came since the start.
  returned: V(stopped)
  type: list
  elements: str
finished_at:
  description: When the module was done, UTC epoch seconds of this node.
  returned: always
  type: float
"""

import binascii
import glob
import json
import os
import re
import shutil
import tarfile
import threading
import time

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.postcopy.lab.plugins.module_utils import guest_domain, node_programs, provisioned
from ansible_collections.postcopy.lab.plugins.module_utils.node import processes, qmp

try:
    import libvirt

    LIBVIRT_ERROR = libvirt.libvirtError
except ImportError:
    libvirt = None
    LIBVIRT_ERROR = ()

# The article's ping, with ping's own default payload, and a finer one, which iputils' ping sends too seldom.
PINGS = {
    "ping": {"period": 0.1, "payload": 56, "steady": False},
    "ping_fine": {"period": 0.01, "payload": 16, "steady": True},
}
# What a guest's QEMU had to say, and where libvirt puts it on a host (NAME.log).
QEMU_LOG = "qemu.log"
QEMU_LOGS_DIRECTORY = "/var/log/libvirt/qemu"
# What the measuring process itself had to say.
PROBE_LOG = "probe.log"
RUNS_DIRECTORY = "/var/lib/postcopy-lab/runs"
# A run's evidence has some MB on each node.
ROOM_BYTES = 8 * 1024 * 1024
START_PATIENCE_SECONDS = 10


LOG_MARKS_FILE = "/var/lib/postcopy-lab/log_marks.json"
# By interface, how often its carrier had changed when the run began.
CARRIERS_FILE = "/var/lib/postcopy-lab/carriers.json"
INTERFACES_DIRECTORY = "/sys/class/net"


# How much of a log before its mark tells that it is still the same log.
LOG_SIGNATURE_BYTES = 256


def signature(path, mark):
    """The bytes of a file before a place, in hex; None where there is no file that long."""
    if not os.path.exists(path) or os.path.getsize(path) < mark:
        return None
    with open(path, "rb") as log:
        log.seek(max(0, mark - LOG_SIGNATURE_BYTES))
        return binascii.hexlify(log.read(min(mark, LOG_SIGNATURE_BYTES))).decode("ascii")


def mark_logs(paths):
    """Remember where the logs end now, and by which bytes to know them again."""
    marks = {}
    for path in paths:
        size = os.path.getsize(path) if os.path.exists(path) else 0
        marks[path] = [size, signature(path, size)]
    with open(LOG_MARKS_FILE, "w") as stream:
        json.dump(marks, stream)


def grown(path, mark, known):
    """What a log got since its mark, and what is wrong with it (None if nothing is).

    A log that was rotated meanwhile (renamed, or copied and emptied) goes on in the file that was rotated.
    """
    content, fault = b"", None
    if known is not None and signature(path, mark) != known:
        old = [other for other in glob.glob(glob_escape(path) + "?*") if signature(other, mark) == known]
        if old:
            content = read_from(old[0], mark)
        else:
            name = os.path.basename(path)
            fault = "%s: was rotated during the run, its lines from before that are lost" % name
        mark = 0
    if os.path.exists(path):
        content += read_from(path, mark)
    return content, fault


def glob_escape(path):
    """glob.escape, which Python 2 lacks."""
    return re.sub(r"([*?[])", r"[\1]", path)


def read_from(path, place):
    with open(path, "rb") as log:
        log.seek(place)
        return log.read()


def keep_logs(directory):
    """What the logs got since they were marked; returns what is wrong with them, one line each."""
    if not os.path.exists(LOG_MARKS_FILE):
        return []
    with open(LOG_MARKS_FILE) as stream:
        marks = json.load(stream)
    os.unlink(LOG_MARKS_FILE)
    faults = []
    for path, (mark, known) in sorted(marks.items()):
        content, fault = grown(path, mark, known)
        if fault:
            faults.append(fault)
        if content or os.path.exists(path):
            is_qemus = os.path.dirname(path) == QEMU_LOGS_DIRECTORY
            name = QEMU_LOG if is_qemus else os.path.basename(path)
            with open(os.path.join(directory, name), "wb") as stream:
                stream.write(content)
    return faults


def qemu_log(guest):
    return os.path.join(QEMU_LOGS_DIRECTORY, guest + ".log")


def remove_qemu_logs(guest):
    """Remove what the run's evidence has: libvirt keeps a log for each name that a guest ever had.

    nova's guests have other names, and their logs stay.
    """
    if guest_domain.name_error(guest) is None:
        for path in glob.glob(glob_escape(qemu_log(guest)) + "*"):
            os.unlink(path)


def carrier_changes(interface):
    """How often the carrier of an interface has changed; None where there is no such interface."""
    path = os.path.join(INTERFACES_DIRECTORY, interface, "carrier_changes")
    if not os.path.exists(path):
        return None
    with open(path) as stream:
        return int(stream.read())


def mark_carriers(interfaces):
    with open(CARRIERS_FILE, "w") as stream:
        json.dump({interface: carrier_changes(interface) for interface in interfaces}, stream)


def lost_carriers():
    """The interfaces whose carrier changed since it was marked."""
    if not os.path.exists(CARRIERS_FILE):
        return []
    with open(CARRIERS_FILE) as stream:
        marked = json.load(stream)
    os.unlink(CARRIERS_FILE)
    return sorted(interface for interface in marked if carrier_changes(interface) != marked[interface])


def end_programs():
    """End what measures and what migrates."""
    for name in ("probe", "migrate"):
        processes.stop(name)


def remove():
    """Leave nothing of any run; a node whose disk is full gets its space back."""
    end_programs()
    shutil.rmtree(RUNS_DIRECTORY, ignore_errors=True)
    for path in (LOG_MARKS_FILE, CARRIERS_FILE):
        if os.path.exists(path):
            os.unlink(path)
    return {}


def start(params):
    end_programs()
    mark_logs(params["logs"] + ([qemu_log(params["guest"])] if params["guest"] else []))
    # The nodes keep the newest run only: the evidence is fetched, and their disks are not the place for it.
    shutil.rmtree(RUNS_DIRECTORY, ignore_errors=True)
    os.makedirs(params["run_directory"])
    check_room(params["run_directory"])
    mark_carriers(params["interfaces"])
    probes = params["probes"]
    # A compute node captures where the guest's packets come in, and at the guest itself.
    capture_file = "icmp_uplink.pcap" if params["guest"] else "icmp.pcap"
    capture = {"interface": params["guest_interface"], "file": capture_file}
    settings = {
        "run_directory": params["run_directory"],
        "deadline_seconds": params["deadline_seconds"],
        "interfaces": params["interfaces"] if "nic" in probes else [],
        "domain": params["guest"],
        "events": "events" in probes,
        "tap": "icmp" in probes and params["guest"] is not None,
        "blocktime": "blocktime" in probes,
        "vcpu_nice": params["vcpu_nice"] if params["guest"] else 0,
        "capture": capture if "icmp" in probes else None,
        "links": params["guest_interface"] if "links" in probes else None,
        "pings": {name + ".log": PINGS[name] for name in probes if name in PINGS},
        "guest_address": params["guest_address"],
        "guest_port": params["guest_port"],
        "clock_nodes": params["clock_nodes"] if "clock" in probes else {},
        "clock_asker": params["clock_asker"] if "clock" in probes else None,
    }
    log = os.path.join(params["run_directory"], PROBE_LOG)
    node_programs.start_detached("probe", settings, log, START_PATIENCE_SECONDS)
    return {}


def check_room(directory):
    """Find out before the run whether its evidence can be written.

    :raises EnvironmentError: it cannot
    """
    path = os.path.join(directory, "room")
    try:
        with open(path, "wb") as stream:
            stream.write(b"\0" * ROOM_BYTES)
            stream.flush()
            os.fsync(stream.fileno())
    finally:
        if os.path.exists(path):
            os.unlink(path)


def stop(params):
    """End everything, and only then say what could not be kept: nothing goes on where a disk is full."""
    directory = params["run_directory"]
    problems = []
    try:
        if not os.path.isdir(directory):
            os.makedirs(directory)
        if params["guest"]:
            keep_qemus_statistics(params["guest"], directory)
    except EnvironmentError as error:
        problems.append(error)
    # Ending QEMU takes libvirt some tenths of a second, in which everything else is done.
    removal = Removal(params["guest"]) if params["guest"] else None
    was_running = processes.stop("probe")
    processes.stop("migrate")
    archive = None
    try:
        archive = keep(params, directory)
    except EnvironmentError as error:
        problems.append(error)
    state = removal.wait() if removal else None
    if problems:
        raise problems[0]
    if params["guest"]:
        remove_qemu_logs(params["guest"])
    return {
        "archive": archive,
        "guest_state": state,
        "was_running": was_running,
        "provisioned": provisioned.fingerprint(),
        "lost_carriers": lost_carriers(),
    }


def keep(params, directory):
    """Gather what was logged; returns the archive of the run's directory."""
    if params["guest"]:
        keep_console(params["guest"], params["console"], directory)
    log = os.path.join(directory, PROBE_LOG)
    with open(log, "a") as stream:
        stream.writelines(line + "\n" for line in keep_logs(directory))
    if os.path.getsize(log) == 0:
        os.unlink(log)
    return pack(directory)


def keep_qemus_statistics(guest, directory):
    """The migration by this host's QEMU, if the guest is here and has a monitor of the kit's own."""
    path = qmp.socket_path(guest)
    if not os.path.exists(path):
        return
    try:
        record = {"t": time.time(), "migrate": qmp.execute(path, "query-migrate")}
    except qmp.QmpError:
        # The guest has left this host, or has ended.
        return
    with open(os.path.join(directory, "qemu_migrate.json"), "w") as stream:
        json.dump(record, stream, sort_keys=True)


class Removal:
    """Ending a guest in a thread of its own; the guest's state before that is its result."""

    def __init__(self, name):
        self.name = name
        self.state = None
        self.error = None
        self.connection = guest_domain.connect(libvirt)
        self.state = guest_domain.state_name(libvirt, self.connection, name)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            guest_domain.destroy(libvirt, self.connection, self.name)
        except libvirt.libvirtError as error:
            self.error = error
        finally:
            self.connection.close()

    def wait(self):
        self.thread.join()
        if self.error is not None:
            raise self.error
        return self.state


def keep_console(name, other_console, directory):
    """The guest's console goes into the run's directory, unless one was put there before the migration."""
    target = os.path.join(directory, "console.log")
    own = guest_domain.console_path(name)
    if os.path.exists(own):
        shutil.copyfile(own, target)
        os.unlink(own)
    elif other_console and os.path.exists(other_console) and not os.path.exists(target):
        shutil.copyfile(other_console, target)


def pack(directory):
    path = directory.rstrip("/") + ".tar.gz"
    # Level 1: four times faster than the default for logs that shrink to a tenth either way.
    archive = tarfile.open(path, "w:gz", compresslevel=1)
    try:
        for name in sorted(os.listdir(directory)):
            archive.add(os.path.join(directory, name), arcname=name)
    finally:
        archive.close()
    return path


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"choices": ["started", "stopped", "absent"], "default": "started"},
            "run_directory": {"type": "path"},
            "probes": {
                "type": "list",
                "elements": "str",
                "choices": ["nic", "events", "ping", "ping_fine", "icmp", "links", "blocktime", "clock"],
                "default": ["nic"],
            },
            "interfaces": {"type": "list", "elements": "str", "default": []},
            "guest": {"type": "str"},
            "guest_interface": {"type": "str"},
            "vcpu_nice": {"type": "int", "default": 0},
            "clock_nodes": {"type": "dict", "default": {}},
            "clock_asker": {"type": "str"},
            "console": {"type": "path"},
            "logs": {"type": "list", "elements": "path", "default": []},
            "guest_address": {"type": "str"},
            "guest_port": {"type": "int", "default": 7300},
            "deadline_seconds": {"type": "float", "default": 3600},
        },
        required_if=[("state", state, ("run_directory",)) for state in ("started", "stopped")],
    )
    params = module.params
    if params["guest"] and libvirt is None:
        module.fail_json(msg=missing_required_lib("libvirt"))
    if "icmp" in params["probes"] and params["state"] == "started" and not params["guest_interface"]:
        module.fail_json(msg="guest_interface: is missing, probes: icmp needs it")
    clock_peers = params["clock_nodes"] or params["clock_asker"]
    if "clock" in params["probes"] and params["state"] == "started" and not clock_peers:
        module.fail_json(msg="clock_asker: is missing, probes: clock needs it, or clock_nodes")
    if params["state"] != "absent" and not params["run_directory"].startswith(RUNS_DIRECTORY + "/"):
        module.fail_json(msg="run_directory: must be below %s" % RUNS_DIRECTORY)
    try:
        if params["state"] == "absent":
            result = remove()
        else:
            result = start(params) if params["state"] == "started" else stop(params)
    except node_programs.ProgramError as error:
        module.fail_json(msg=str(error))
    except EnvironmentError as error:
        place = error.filename or params["run_directory"] or RUNS_DIRECTORY
        module.fail_json(msg="%s: %s" % (place, error.strerror or error))
    except LIBVIRT_ERROR as error:
        module.fail_json(msg="libvirt: %s" % " ".join(str(error).split()))
    module.exit_json(changed=True, finished_at=time.time(), **result)


if __name__ == "__main__":
    main()
