"""A real lab in which faults are provoked from outside: its nodes, a study in it, what is left afterwards.

The nodes are containers of this machine, so their files are looked at through /proc, and what befalls them
(a link cut, a process killed, a node paused) befalls them as it would befall a machine.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from control.plan import NODE_RUNS_DIRECTORY
from control.study import resolve_cases, run_order, validate
from tests.conftest import PROJECT
from tests.lab import Lab

LINK_RATE = "500mbit"
SOURCE, DESTINATION, PROBER = "compute1", "compute2", "controller"
NODES = (SOURCE, DESTINATION, PROBER)
MIGRATION_INTERFACE = "migration0"
# A guest that takes 6 s of pre-copy and 4 s of post-copy at LINK_RATE: time enough to be struck in.
STRUCK, NEXT = "hybrid", "precopy"
STRUCK_CASE = {
    "mode": [STRUCK],
    "flavor": ["s"],
    "stressor": ["stress"],
    "stress_threads": [1],
    "stress_thread_mib": [192],
}
# The run after it shows that the lab is as before. An idle guest is soon through.
NEXT_CASE = {"mode": [NEXT], "flavor": ["s"], "stress_threads": [0]}
PRECOPY_BYTES = 20_000_000
POLL_SECONDS = 0.02
STEP_SECONDS = 240
STUDY_SECONDS = 600
COMMAND_SECONDS = 120
# What may be left, by its command line.
PROGRAMS = {
    "guest=postcopy-lab": "a guest",
    "-m node[.]migrate": "a migration",
    "-m node[.]probe": "the measuring process",
    "^ping |node[.]steady_ping": "ping",
    "^tcpdump ": "tcpdump",
}
LIST_PROCESSES = "ps -eo args"
LIST_RATES = f"tc qdisc show dev {MIGRATION_INTERFACE}"
LIST_DOMAINS = "timeout 20 virsh list --all --name"
LIST_SOCKETS = "ls /var/lib/postcopy-lab/qmp 2>/dev/null"
# A line that none of them prints.
BETWEEN = "----"
# How long what an ended study leaves may take to go.
LEAVING_SECONDS = 20


@dataclass(frozen=True)
class Node:
    """A node of the lab, as this machine sees it."""

    name: str
    container: str

    @property
    def pid(self) -> int:
        """Of its first process, as this machine counts."""
        return int(podman("inspect", "--format", "{{.State.Pid}}", self.container))

    def sh(self, script: str, *, check: bool = True) -> str:
        """What a shell of the node prints."""
        return self._exec(["sh", "-c", script], check)

    def answers(self, *scripts: str) -> list[str]:
        """What the node's shell prints for each of these, whether it fails or not."""
        return self.sh(f"\necho {BETWEEN}\n".join(scripts), check=False).split(f"{BETWEEN}\n")

    def _exec(self, command: list[str], check: bool) -> str:
        done = subprocess.run(
            ["podman", "exec", self.container, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert not check or done.returncode == 0, (self.name, command, done.stdout, done.stderr)
        return done.stdout

    def pids(self, pattern: str) -> list[int]:
        """The processes of the node whose command line has this pattern."""
        return [int(line) for line in self._exec(["pgrep", "-f", "--", pattern], check=False).split()]

    def kill(self, pattern: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the processes with this pattern. There must be one."""
        pids = self.pids(pattern)
        assert pids, f"{self.name}: no process has {pattern} in its command line"
        self.sh(f"kill -{int(number)} {' '.join(map(str, pids))}")

    def podman(self, *verb: str) -> None:
        podman(*verb, self.container)

    def restart(self) -> None:
        """As by its power switch: a migration would be over before a node has shut down."""
        self.podman("restart", "--time", "0")


def podman(*arguments: str) -> str:
    return subprocess.run(["podman", *arguments], text=True, capture_output=True, check=True).stdout.strip()


class RunningStudy:
    """`postcopy-lab study` as a user has it in the foreground."""

    def __init__(self, lab: FaultyLab, study: Path, *options: str) -> None:
        self.lab = lab
        self.study = study
        self.output = study.with_suffix(f".{time.monotonic_ns()}.out")
        # Which repetition of the struck case is being made, or made next.
        self.repetition = 1
        self._known_logs = set(lab.logs())
        self._log_of_earlier_runs = 0
        # A program started in the background ignores SIGINT, and hands that on.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with self.output.open("wb") as stream:
            self.process = subprocess.Popen(
                [
                    os.fspath(Path(sys.executable).parent / "postcopy-lab"),
                    *("study", os.fspath(study), "--resume"),
                    *("--inventory", os.fspath(lab.lab.inventory), *options),
                ],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> RunningStudy:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=STUDY_SECONDS)

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    @property
    def last_line(self) -> str:
        """What the user reads last: the error, or how the study ended."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def line_of(self, repetition: int) -> str:
        """Its line of a struck run, empty if it has said nothing of it."""
        lines = [line.strip() for line in self.text.splitlines() if f"{STRUCK}-s" in line]
        return next((line for line in reversed(lines) if f"  {repetition:02d}  " in line), "")

    def log(self) -> str:
        """The log of its playbook, of the run that is struck alone; empty as long as there is none."""
        logs = [
            path for path in self.lab.logs() if path not in self._known_logs and "-study-" in path.parent.name
        ]
        if not logs:
            return ""
        return logs[0].read_text(encoding="utf-8", errors="replace")[self._log_of_earlier_runs :]

    def playbook_pid(self) -> int:
        """The ansible-playbook that it started."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _parent_of(entry) == self.process.pid:
                return int(entry.name)
        raise AssertionError("no ansible-playbook runs")

    def wait_until(self, what: str, reached: Callable[[], bool], seconds: float = STEP_SECONDS) -> None:
        """Wait for something in the study, which must not end before."""
        deadline = time.monotonic() + seconds
        while not reached():
            assert self.process.poll() is None, f"the study ended before {what}: {self.text[-3000:]}"
            assert time.monotonic() < deadline, f"no {what} within {seconds} s: {self.text[-3000:]}"
            time.sleep(POLL_SECONDS)

    def struck(self) -> dict[str, Any] | None:
        """The run.json of the struck case's repetition; None as long as there is none."""
        for run in self.lab.lab.runs(self.study.stem):
            if (run["spec"]["mode"], run["repetition"]) == (STRUCK, self.repetition):
                return dict(run)
        return None

    def wait_until_recorded(self) -> None:
        """Wait for the run.json of the struck run."""
        self.wait_until("the run's record", lambda: self.struck() is not None)

    def turn_to_the_next_run(self) -> None:
        """What is waited for from now on is of the next repetition. The run before it is recorded."""
        self._log_of_earlier_runs += len(self.log())
        self.repetition += 1

    def end(self, seconds: float = STUDY_SECONDS) -> int:
        """Its exit code."""
        return self.process.wait(timeout=seconds)


def _parent_of(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def seed_by_which_the_struck_case_is_first(document: Mapping[str, Any]) -> int:
    """The order of a study's cases depends on its seed and on their names, which tell their settings."""
    cases = [case.case for case in resolve_cases(validate(document, "faults"), "faults")]
    first = (run_order(cases, repetitions=1, order_seed=seed)[0] for seed in itertools.count())
    return next(seed for seed, (name, _) in enumerate(first) if name.startswith(f"{STRUCK}-"))


def _rates(printed: str) -> list[str]:
    """The rates in what tc shows."""
    return re.findall(r"rate \S+", printed)


def _found_after_a_while(look: Callable[[], list[str]]) -> list[str]:
    """What is still found after LEAVING_SECONDS, if anything is."""
    deadline = time.monotonic() + LEAVING_SECONDS
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(1)
    return found


@dataclass
class FaultyLab:
    """The lab, and what it is like when nothing has befallen it."""

    lab: Lab
    studies: Path
    node: dict[str, Node] = field(init=False)
    _shaped: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.node = {name: Node(name, f"postcopy-lab-{self.lab.name}-{name}") for name in NODES}
        self._shaped = {name: self.shape(name) for name in NODES}

    def shape(self, name: str) -> list[str]:
        """The rates that the node's link is shaped to."""
        return _rates(self.node[name].sh(LIST_RATES))

    def logs(self) -> list[Path]:
        return sorted((self.lab.state_dir / "runner").glob("*/stdout"))

    def write_study(self, name: str, **defaults: Any) -> Path:
        """A study of the run that is struck, and of the one after it."""
        return self._write_study(name, [STRUCK_CASE, NEXT_CASE], 1, defaults)

    def write_study_of_runs(self, name: str, runs: int) -> Path:
        """A study in which each run is to be struck but the last."""
        return self._write_study(name, [STRUCK_CASE], runs, {})

    def _write_study(
        self, name: str, matrix: list[dict[str, Any]], repetitions: int, defaults: Mapping[str, Any]
    ) -> Path:
        document = {
            "schema": 2,
            "name": name,
            "title": "A fault, and the run after it",
            "reference": None,
            "repetitions": repetitions,
            "order_seed": 0,
            "flavors": {"s": {"vcpus": 1, "ram_mib": 512}},
            "defaults": {
                "stressor": "stress",
                "link_rate": LINK_RATE,
                "limit_seconds": 120,
                "pattern_mib": 4,
                **defaults,
            },
            "matrix": matrix,
        }
        document["order_seed"] = seed_by_which_the_struck_case_is_first(document)
        path = self.studies / f"{name}.yml"
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return path

    def begin(self, study: Path, *options: str) -> RunningStudy:
        return RunningStudy(self, study, *options)

    def events(self, name: str) -> str:
        """What a node has recorded of libvirt's events in the run that is being made."""
        root = Path(f"/proc/{self.node[name].pid}/root{NODE_RUNS_DIRECTORY}")
        return "".join(path.read_text() for path in root.glob("*/*/events.jsonl"))

    def sent_bytes(self, name: str) -> int:
        """What a node has sent over its migration link since it was started."""
        for line in Path(f"/proc/{self.node[name].pid}/net/dev").read_text().splitlines():
            interface, _, counters = line.partition(":")
            if interface.strip() == MIGRATION_INTERFACE:
                return int(counters.split()[8])
        raise AssertionError(f"{name}: no {MIGRATION_INTERFACE}")

    def runs(self, study: str) -> dict[str, dict[str, Any]]:
        """Each run.json of a study, by the mode of its case."""
        return {run["spec"]["mode"]: run for run in self.lab.runs(study)}

    def left(self) -> list[str]:
        """What a study that ended has left on the nodes and on this machine: nothing, after a while."""
        return _found_after_a_while(self.left_at_once)

    def left_of(self, run: Mapping[str, Any]) -> list[str]:
        """What a run of a study that goes on has left on the nodes, in which the next one's guest may be."""
        guest = run["guest"]
        names = (guest["name"], f"{run['case']}/{run['repetition']:02d}", guest["address"])
        return _found_after_a_while(lambda: self._that_name(names))

    def _that_name(self, names: Sequence[str]) -> list[str]:
        """Processes, domains and sockets of QEMU on the nodes with one of these in what they are called."""
        lists = "; ".join((LIST_PROCESSES, LIST_DOMAINS, LIST_SOCKETS))
        return sorted(
            f"{name}: {line}"
            for name, node in self.node.items()
            for line in node.sh(lists, check=False).splitlines()
            if any(word in line for word in names)
        )

    def left_at_once(self) -> list[str]:
        """As `left`, without waiting."""
        found = set()
        for name, node in self.node.items():
            # The prober has no libvirt, and so no answer to the last.
            processes, rates, sockets, domains = node.answers(
                LIST_PROCESSES, LIST_RATES, LIST_SOCKETS, LIST_DOMAINS
            )
            for words in processes.splitlines():
                found |= {
                    f"{name}: {what}" for pattern, what in PROGRAMS.items() if re.search(pattern, words)
                }
            if _rates(rates) != self._shaped[name]:
                found.add(f"{name}: the rate of the run")
            if sockets:
                found.add(f"{name}: a socket of QEMU")
            if domains.split():
                found.add(f"{name}: a domain")
        if self.playbook_runs():
            found.add("this machine: ansible-playbook")
        return sorted(found)

    def playbook_runs(self) -> bool:
        """Whether an ansible-playbook works on the lab, and so keeps it from every command."""
        inventory = os.fsencode(self.lab.inventory)
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().split(b"\0")
            except OSError:
                continue
            if inventory in words and any(word.endswith(b"/ansible-playbook") for word in words[:2]):
                return True
        return False

    def wait_until_free(self) -> None:
        """Wait for the end of an ansible-playbook whose command was killed."""
        deadline = time.monotonic() + STUDY_SECONDS
        while self.playbook_runs():
            assert time.monotonic() < deadline, "ansible-playbook does not end"
            time.sleep(1)

    def digests(self) -> dict[str, str]:
        """The checksum of every file of finished runs."""
        runs = [path.parent for path in self.lab.results_dir.rglob("run.json")]
        files = [path for run in runs for path in run.rglob("*") if path.is_file()]
        return {os.fspath(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def link_peer(self, name: str) -> str:
        """This machine's end of a node's migration link."""
        index = self.node[name].sh(f"cat /sys/class/net/{MIGRATION_INTERFACE}/iflink").strip()
        for line in subprocess.check_output(["ip", "-o", "link"], text=True).splitlines():
            if line.startswith(f"{index}: "):
                return line.split()[1].split("@")[0].rstrip(":")
        raise AssertionError(f"{name}: no interface {index} on this machine")

    def set_link(self, name: str, state: str) -> None:
        subprocess.run(["ip", "link", "set", self.link_peer(name), state], check=True)
