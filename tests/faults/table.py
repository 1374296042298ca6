"""Every fault that is provoked in a study of the lab, and what must come of it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from control.plan import NODE_RUNS_DIRECTORY
from tests.faults.faulty_lab import DESTINATION, PROBER, SOURCE, FaultyLab, RunningStudy
from tests.faults.steps import AFTER, BOOT, COLLECT, FILL, POSTCOPY, PRECOPY, SWITCHOVER, Step
from tests.lab import Lab

Act = Callable[[FaultyLab, RunningStudy], None]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that befalls a lab in a run.

    `strike`: what happens in step `at`. `prepare`: what is so before the study begins; it is given the folder
    of its results. `mend`, `mend_after`: what an administrator does in step `mend_at` (None: when the run is
    recorded), and when the study has stopped.

    `exit_code` of the study. `outcome`, `cause`, `valid` of the struck run; an outcome of None: it has no
    run.json, and is made when the study goes on; valid of None: either. `said`: what its record or the
    command's line contains. `leaves`: whether something may be left until the study goes on. `unprovisioned`:
    whether the lab must be provisioned for that.
    """

    group: str
    name: str
    at: Step
    strike: Act
    exit_code: int
    outcome: str | None
    cause: str | None = None
    valid: bool | None = True
    said: str = ""
    leaves: bool = False
    unprovisioned: bool = False
    mend: Act | None = None
    mend_at: Step | None = None
    prepare: Callable[[FaultyLab, Path], None] | None = None
    mend_after: Act | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    quick: bool = False

    @property
    def label(self) -> str:
        return f"{self.name} in {self.at.name}".replace(" ", "-").replace("'", "").replace(",", "")


def _nothing(_lab: FaultyLab, _study: RunningStudy) -> None:
    """What befalls the study was so before."""


def _kill(node: str, pattern: str) -> Act:
    return lambda lab, _study: lab.node[node].kill(pattern)


def _cut(node: str, seconds: float) -> Act:
    def act(lab: FaultyLab, _study: RunningStudy) -> None:
        lab.set_link(node, "down")
        time.sleep(seconds)
        lab.set_link(node, "up")

    return act


def _link(node: str, state: str) -> Act:
    return lambda lab, _study: lab.set_link(node, state)


def _sh(node: str, script: str) -> Act:
    def act(lab: FaultyLab, _study: RunningStudy) -> None:
        lab.node[node].sh(script)

    return act


def _pause(node: str, seconds: float) -> Act:
    def act(lab: FaultyLab, _study: RunningStudy) -> None:
        lab.node[node].podman("pause")
        time.sleep(seconds)
        lab.node[node].podman("unpause")

    return act


QEMU = "guest=postcopy-lab-hybrid"
LIBVIRTD = "/libvirtd"
FINE_PING = "node.steady_ping"
PING = "^ping "
PROBES = "node.probe "
STOP_STRESSOR = (
    "python3 -c \"import socket; s = socket.create_connection(('{address}', 7300), 10); "
    "s.sendall(b'stressor stop\\n'); print(s.recv(4096))\""
)


def _stop_stressor(lab: FaultyLab, study: RunningStudy) -> None:
    (address,) = {
        word.partition("=")[2].split("/")[0]
        for word in _kernel_command_line(lab).split()
        if word.startswith("lab.address=")
    }
    lab.node[PROBER].sh(STOP_STRESSOR.format(address=address))


def _kernel_command_line(lab: FaultyLab) -> str:
    return lab.node[SOURCE].sh(f"ps -eo args | grep '{QEMU}' | grep -v grep | head -1")


LOST_CARRIER = "migration0 of compute2 lost carrier"
LINK = (
    [
        Fault(
            group="migration link",
            name="cut for 3 s",
            at=step,
            strike=_cut(DESTINATION, 3),
            exit_code=3,
            outcome="completed",
            valid=False,
            said=LOST_CARRIER,
        )
        for step in (PRECOPY, SWITCHOVER, POSTCOPY)
    ]
    + [
        Fault(
            group="migration link",
            name="cut for good",
            at=step,
            strike=_link(DESTINATION, "down"),
            mend=_link(DESTINATION, "up"),
            # Later it would befall the next run too.
            mend_at=COLLECT,
            exit_code=3,
            outcome="failed",
            cause="migration_failed",
            valid=False,
            said=LOST_CARRIER,
        )
        for step in (PRECOPY, SWITCHOVER, POSTCOPY)
    ]
    + [
        Fault(
            group="migration link",
            name="cut for 60 s, with postcopy_recovery_seconds: 120",
            at=POSTCOPY,
            strike=_cut(DESTINATION, 60),
            exit_code=3,
            outcome="completed",
            valid=False,
            said="post-copy lost its connection",
            defaults={"postcopy_recovery_seconds": 120},
        )
    ]
)
HYPERVISOR = [
    Fault(
        group="hypervisor",
        name="the destination's QEMU is killed",
        at=step,
        strike=_kill(DESTINATION, QEMU),
        exit_code=3,
        outcome="failed",
        cause="migration_failed",
    )
    for step in (PRECOPY, POSTCOPY)
] + [
    Fault(
        group="hypervisor",
        name=f"the {whose}'s libvirtd is {done}",
        at=step,
        strike=strike,
        exit_code=3,
        outcome="failed",
        cause="migration_failed",
        quick=(whose, done, step) == ("source", "restarted", PRECOPY),
    )
    for step in (PRECOPY, POSTCOPY)
    for whose, node in (("source", SOURCE), ("destination", DESTINATION))
    for done, strike in (
        ("restarted", _sh(node, "systemctl restart libvirtd")),
        ("killed", _kill(node, LIBVIRTD)),
    )
]
GUEST = [
    Fault(
        group="guest",
        name="its QEMU is killed",
        at=FILL,
        strike=_kill(SOURCE, QEMU),
        exit_code=3,
        outcome="failed",
        cause="boot_failed",
        quick=True,
    ),
    Fault(
        group="guest",
        name="its QEMU is killed",
        at=PRECOPY,
        strike=_kill(SOURCE, QEMU),
        exit_code=3,
        outcome="failed",
        cause="migration_failed",
    ),
    Fault(
        group="guest",
        name="the source's QEMU is killed",
        at=POSTCOPY,
        strike=_kill(SOURCE, QEMU),
        exit_code=3,
        outcome="failed",
        cause="migration_failed",
    ),
    Fault(
        group="guest",
        name="its QEMU is killed",
        at=AFTER,
        strike=_kill(DESTINATION, QEMU),
        exit_code=3,
        outcome="failed",
        cause="guest_lost",
    ),
    Fault(
        group="guest",
        name="its stressor is stopped",
        at=PRECOPY,
        strike=_stop_stressor,
        exit_code=3,
        outcome="failed",
        cause="guest_unchecked",
        said="no answer about the stressor",
    ),
]
PROBE = [
    Fault(
        group="probes",
        name="ping is killed",
        at=PRECOPY,
        strike=_kill(PROBER, PING),
        exit_code=0,
        outcome="completed",
        said="killed by signal 9",
    ),
    Fault(
        group="probes",
        name="the fine ping is killed",
        at=PRECOPY,
        strike=_kill(PROBER, FINE_PING),
        exit_code=0,
        outcome="completed",
        said="killed by signal 9",
        quick=True,
    ),
    Fault(
        group="probes",
        name="the prober's tcpdump is killed",
        at=PRECOPY,
        strike=_kill(PROBER, "^tcpdump "),
        exit_code=0,
        outcome="completed",
        said="killed by signal 9",
    ),
    Fault(
        group="probes",
        name="the source's tcpdumps are killed",
        at=PRECOPY,
        strike=_kill(SOURCE, "^tcpdump "),
        exit_code=0,
        outcome="completed",
        said="killed by signal 9",
    ),
    Fault(
        group="probes",
        name="the source's measuring process is killed",
        at=PRECOPY,
        strike=_kill(SOURCE, PROBES),
        exit_code=0,
        outcome="completed",
        said="had ended before the run did",
    ),
    Fault(
        group="probes",
        name="the destination's measuring process is killed",
        at=POSTCOPY,
        strike=_kill(DESTINATION, PROBES),
        exit_code=0,
        outcome="completed",
        said="had ended before the run did",
    ),
    Fault(
        group="probes",
        name="the prober's measuring process is killed",
        at=PRECOPY,
        strike=_kill(PROBER, PROBES),
        exit_code=0,
        outcome="completed",
        said="had ended before the run did",
    ),
]


def _restart(node: str) -> Act:
    def act(lab: FaultyLab, _study: RunningStudy) -> None:
        lab.node[node].restart()

    return act


NODE = [
    Fault(
        group="node",
        name="the source is paused for 20 s",
        at=PRECOPY,
        strike=_pause(SOURCE, 20),
        exit_code=3,
        outcome="completed",
        valid=False,
        said="stood still",
    ),
    Fault(
        group="node",
        name="the destination is paused for 20 s",
        at=PRECOPY,
        strike=_pause(DESTINATION, 20),
        exit_code=3,
        outcome="completed",
        valid=False,
        said="stood still",
    ),
    Fault(
        group="node",
        name="the destination is restarted",
        at=PRECOPY,
        strike=_restart(DESTINATION),
        exit_code=1,
        outcome="failed",
        cause="migration_failed",
        valid=None,
        said="compute2",
        leaves=True,
        unprovisioned=True,
    ),
    Fault(
        group="node",
        name="the source is restarted",
        at=POSTCOPY,
        strike=_restart(SOURCE),
        exit_code=1,
        outcome="aborted",
        cause="lab_fault",
        valid=False,
        said="error: compute1: started anew",
        leaves=True,
        unprovisioned=True,
    ),
]


def _kill_command(_lab: FaultyLab, study: RunningStudy) -> None:
    study.process.kill()


def _kill_playbook(_lab: FaultyLab, study: RunningStudy) -> None:
    os.kill(study.playbook_pid(), signal.SIGKILL)


COMMAND = [
    Fault(
        group="command",
        name="ansible-playbook is killed",
        at=PRECOPY,
        strike=_kill_playbook,
        exit_code=1,
        outcome=None,
        said="killed by SIGKILL",
        quick=True,
    ),
    Fault(
        group="command",
        name="postcopy-lab is killed",
        at=PRECOPY,
        strike=_kill_command,
        exit_code=-9,
        leaves=True,
        outcome=None,
    ),
]


def _small_results(_lab: FaultyLab, folder: Path) -> None:
    folder.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder))


def _more_room(lab: FaultyLab, study: RunningStudy) -> None:
    _mount("-o", "remount,size=200m", str(lab.lab.results(study.study.stem)))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


DISK = [
    Fault(
        group="disk",
        name="the results' is full",
        at=BOOT,
        strike=_nothing,
        prepare=_small_results,
        mend_after=_more_room,
        exit_code=1,
        outcome=None,
        said="cannot be written: No space left on device",
        quick=True,
    ),
    Fault(
        group="disk",
        name="the source's is full",
        at=BOOT,
        strike=_sh(SOURCE, f"mount -t tmpfs -o size=64k tmpfs {NODE_RUNS_DIRECTORY}"),
        mend=_sh(SOURCE, f"umount -l {NODE_RUNS_DIRECTORY}"),
        exit_code=3,
        outcome="aborted",
        cause="lab_fault",
        said="No space left",
    ),
]
FAULTS = (*LINK, *HYPERVISOR, *GUEST, *PROBE, *NODE, *DISK, *COMMAND)


def _in_a_chain(fault: Fault) -> bool:
    """Whether its study goes on, so that the next run can be struck by another."""
    return fault.exit_code in (0, 3) and fault.at != BOOT and fault.prepare is None and not fault.defaults


ALONE = tuple(fault for fault in FAULTS if not _in_a_chain(fault))
# What a chain shows too, alone: for `make test`.
SMALL = tuple(fault for fault in FAULTS if fault.quick and _in_a_chain(fault))
# Faults that strike the runs of one study in turn, by their group. Such a study has one exit code.
CHAINS = {
    group.replace(" ", "-"): tuple(fault for fault in FAULTS if fault.group == group and _in_a_chain(fault))
    for group in dict.fromkeys(fault.group for fault in FAULTS if _in_a_chain(fault))
}


# The study that is interrupted, then made whole, then damaged.
INTERRUPTED = "interrupted"


@dataclass(frozen=True, kw_only=True)
class Damage:
    """A file of the lab or of a finished study that is missing or cut, and what a command says of it."""

    name: str
    verb: str
    path: Callable[[Lab], Path]
    harm: Callable[[Path], None]
    exit_code: int
    said: str

    @property
    def label(self) -> str:
        return f"{self.name} {self.verb}".replace(" ", "-")

    def arguments(self, study: Path) -> tuple[str, ...]:
        return (self.verb, str(study)) if self.verb in ("study", "report") else (self.verb,)


def _cut_file(path: Path) -> None:
    """As a full disk or a crash leaves it: its first half."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _result(name: str) -> Callable[[Lab], Path]:
    return lambda lab: next(iter(sorted(lab.results(INTERRUPTED).glob(name))))


def _state(name: str) -> Callable[[Lab], Path]:
    return lambda lab: lab.state_dir / name


DAMAGES = (
    Damage(
        name="link.json is cut",
        verb="status",
        path=_state("link.json"),
        harm=_cut_file,
        exit_code=0,
        said="link.json: is no measurement",
    ),
    Damage(
        name="link.json is missing",
        verb="status",
        path=_state("link.json"),
        harm=Path.unlink,
        exit_code=0,
        said="link: not measured yet",
    ),
    Damage(
        name="study.json is cut",
        verb="study",
        path=_result("study.json"),
        harm=_cut_file,
        exit_code=2,
        said="study.json: cannot be read as JSON",
    ),
    Damage(
        name="lab.json is cut",
        verb="report",
        path=_result("lab.json"),
        harm=_cut_file,
        exit_code=2,
        said="lab.json: garbled",
    ),
    Damage(
        name="run.json is cut",
        verb="report",
        path=_result("runs/hybrid*/01/run.json"),
        harm=_cut_file,
        exit_code=0,
        said="1 run excluded from the medians",
    ),
    Damage(
        name="run.json is missing",
        verb="report",
        path=_result("runs/hybrid*/01/run.json"),
        harm=Path.unlink,
        exit_code=0,
        said="1 of 2 planned runs have a result",
    ),
    Damage(
        name="a capture is cut",
        verb="report",
        path=_result("runs/hybrid*/01/prober/icmp.pcap"),
        harm=_cut_file,
        exit_code=0,
        said="see the warnings",
    ),
)
# How a user ends a study: the signal, and how often it is sent.
INTERRUPTS = (
    ("Ctrl-C", signal.SIGINT, 1),
    ("SIGTERM", signal.SIGTERM, 1),
    ("Ctrl-C twice", signal.SIGINT, 2),
)
