"""A fault ends the run, not the study: each task of a run fails in turn, in a real ansible-playbook."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT, run_tool
from tests.lab import write_inventory

# What the nodes of a real run answered.
ANSWERS = PROJECT / "tests/data/run-results/hybrid-completed.json"
# A run of this case has every task that a run of the backend libvirt can have.
STUDY = """
schema: 2
name: rehearsal
title: Every task of a run fails in turn
reference: null
repetitions: {repetitions}
order_seed: 1
flavors:
  s: {{vcpus: 1, ram_mib: 2048}}
defaults: {{stressor: stress, limit_seconds: 120, pattern_mib: 32}}
matrix:
  - mode: [hybrid]
    flavor: [s]
    stress_threads: [1]
    stress_thread_mib: [256]
    network: [delayed_announcement]
"""
# What keeps the faults of all others, on the control machine alone: where it fails, the study ends.
FRAME = (
    "Forget the last run",
    "Look for the nodes",
    "Report that the run begins",
    "Keep the fault",
    "Judge",
    "Report how the run ended",
)
# It is of the next run.
BOOT = "Start the guest"
MIGRATE = "Migrate"
WAIT_FOR_ONE_NODE = ("Fill", MIGRATE, "Announce the guest", "Check")
HOSTS = ("compute1", "compute2", "controller")
# On the node where the task before failed in the run before: all others have the rate already.
ON_THE_SAME_NODE = {"Check the rate", "Set the speed of the links", "Remember the link's rate"}
ON_EACH_NODE = {
    "Start the probes",
    "Stop the probes and remove the guest",
    "Fetch",
}


@dataclass(frozen=True)
class Fault:
    """What a task returns instead, the first time and so on. `host`: None for one that runs once, on any."""

    task: str
    host: str | None
    results: tuple[dict[str, Any], ...]


def failure(task: str, host: str | None = None) -> Fault:
    return Fault(task, host, ({"failed": True, "msg": f"{task} was told to fail"},))


def silence(task: str, host: str | None = None) -> Fault:
    return Fault(task, host, ({"unreachable": True, "msg": f"{task} found no route"},))


@dataclass(frozen=True)
class Rehearsal:
    """Exit code and output of ansible-playbook, names of tasks of runs, each run.json by its number."""

    code: int
    output: str
    tasks: list[str]
    runs: dict[int, dict[str, Any]]


def rehearse(directory: Path, *faults: Sequence[Fault]) -> Rehearsal:
    """A study with a run for each of these; the control machine's part is real (strategy/rehearsal.py)."""
    directory.mkdir()
    archive, log, study = (directory / name for name in ("archive.tar.gz", "tasks", "rehearsal.yml"))
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(ANSWERS, arcname="events.jsonl")
    settings = {
        "results": json.loads(ANSWERS.read_text(encoding="utf-8"))["results"],
        "archive": os.fspath(archive),
        "log": os.fspath(log),
        "faults": {number: [asdict(fault) for fault in some] for number, some in enumerate(faults, 1)},
    }
    (directory / "rehearsal.json").write_text(json.dumps(settings), encoding="utf-8")
    study.write_text(STUDY.format(repetitions=len(faults)), encoding="utf-8")
    folders = {f"lab_{name}_dir": os.fspath(directory / name) for name in ("results", "state")}
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    inventory = write_inventory(directory, {"lab_name": "rehearsal", **folders, **local})
    done = run_tool(
        "ansible-playbook",
        "--inventory",
        os.fspath(inventory),
        "playbooks/study.yml",
        "--extra-vars",
        json.dumps({"study": os.fspath(study), "study_fingerprint": ""}),
        extra_env={
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_STRATEGY": "rehearsal",
            "ANSIBLE_STRATEGY_PLUGINS": os.fspath(Path(__file__).parent / "strategy"),
            "REHEARSAL": os.fspath(directory / "rehearsal.json"),
        },
    )
    runs = {}
    for path in (directory / "results").glob("rehearsal/rehearsal/runs/*/*/run.json"):
        runs[int(path.parent.name)] = json.loads(path.read_text(encoding="utf-8"))
    tasks = [line.split(" ", 2)[2] for line in log.read_text(encoding="utf-8").splitlines()]
    return Rehearsal(done.returncode, done.stdout, tasks, runs)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every task that may fail in a run, in order: as a study without a fault carries them out."""
    made = rehearse(tmp_path_factory.mktemp("whole") / "study", [], [])
    assert made.code == 0, made.output[-6000:]
    assert [run["outcome"] for run in made.runs.values()] == ["completed", "completed"], made.output[-6000:]
    names = list(dict.fromkeys(made.tasks))
    assert set(FRAME) - set(names) == {"Keep the fault"}
    return [name for name in names if name not in FRAME]


def assert_the_study_went_on(
    directory: Path, faults: Sequence[Fault], after_migration: Sequence[str]
) -> None:
    """Each fault is the cause of its run and of no other.

    `after_migration`: tasks that do not fail before the migration has given its result.
    """
    # After them all: a guest that does not boot is the next run's fault, and then all is well.
    made = rehearse(directory, *([fault] for fault in faults), [failure(BOOT)], [], [])
    assert made.code == 0, made.output[-6000:]
    assert sorted(made.runs) == list(range(1, len(faults) + 4))
    for number, fault in enumerate(faults, 1):
        run = made.runs[number]
        assert (run["outcome"], run["cause"]) == ("aborted", "lab_fault"), (fault, run)
        assert run["cause_detail"].startswith(fault.task), run["cause_detail"]
        assert fault.results[0]["msg"] in run["cause_detail"]
        # What the migration gave is kept, whatever failed after it.
        assert (run["driver"]["finished_at"] is not None) == (fault.task in after_migration), (fault, run)
    booted, refused, last = (made.runs[len(faults) + 1 + place] for place in range(3))
    assert (booted["outcome"], last["outcome"]) == ("completed", "completed")
    assert (refused["cause"], refused["cause_detail"]) == ("boot_failed", f"{BOOT} was told to fail")


@pytest.mark.small
def test_a_fault_ends_the_run_and_the_study_goes_on(tmp_path: Path) -> None:
    """On one node before the migration and after it, and a node that is silent in it."""
    faults = [
        failure("Set the speed of the links", "compute1"),
        failure("Fetch", "compute2"),
        silence(MIGRATE),
    ]
    assert_the_study_went_on(tmp_path / "study", faults, ["Fetch"])


@pytest.mark.long
def test_each_task_fails_and_the_study_goes_on(tmp_path: Path, tasks: list[str]) -> None:
    assert tasks.index("Start the probes") < tasks.index("Fill") < tasks.index(MIGRATE) < tasks.index("Check")
    hosts = cycle(HOSTS)

    def host_of(task: str) -> str | None:
        if task in ON_THE_SAME_NODE:
            return HOSTS[0]
        return next(hosts) if task in ON_EACH_NODE else None

    faults = [failure(task, host_of(task)) for task in tasks if task != BOOT]
    faults += [silence(task) for task in WAIT_FOR_ONE_NODE]
    after = tasks[tasks.index(MIGRATE) + 1 :]
    assert_the_study_went_on(tmp_path / "study", faults, after)


def test_a_node_that_is_lost_ends_the_study_and_its_run_is_recorded(tmp_path: Path) -> None:
    made = rehearse(tmp_path / "study", [silence("Start the probes", "compute2")], [])
    assert made.code != 0
    (run,) = made.runs.values()
    assert (run["outcome"], run["cause"]) == ("aborted", "lab_fault")
    assert run["cause_detail"] == "Stop the probes: lost the connection to compute2"
    assert "msg: lost the connection to compute2" in made.output


def test_a_node_that_was_started_anew_ends_the_study_and_its_run_is_invalid(tmp_path: Path) -> None:
    """It answers, and has lost what provisioning set: the rate of its link."""
    answer = json.loads(ANSWERS.read_text(encoding="utf-8"))["results"]["stopped"]["destination"]
    anew = {**answer, "archive": os.fspath(tmp_path / "study/archive.tar.gz"), "provisioned": None}
    stop = "Stop the probes and remove the guest"
    made = rehearse(tmp_path / "study", [Fault(stop, "compute2", (anew,))], [])
    assert made.code != 0
    (run,) = made.runs.values()
    assert (run["outcome"], run["valid"]) == ("completed", False)
    assert run["invalid_reason"] == "compute2 was started anew in the run, without its link's rate"
    assert "msg: 'compute2: started anew in the study" in made.output


def test_a_guest_is_waited_for_only_while_it_is_there(tmp_path: Path) -> None:
    """Two that do not answer at first: one is running, and answers later; the other's QEMU has ended."""
    answers = json.loads(ANSWERS.read_text(encoding="utf-8"))["results"]
    silent = {"answered": False, "error": "status: no answer", "ready_at": None}
    silent["finished_at"] = answers["boot"]["started_at"] + 20
    running = {"rc": 0, "stdout": "running", "stderr": ""}
    gone = {"rc": 1, "stdout": "", "stderr": "error: failed to get domain 'postcopy-lab-x'"}
    waited = [Fault("Fill", None, (silent,) * 2), Fault("Look for the guest", None, (running,) * 2)]
    ended = [Fault("Fill", None, (silent,) * 9), Fault("Look for the guest", None, (running, gone))]
    made = rehearse(tmp_path / "study", waited, ended)
    assert made.code == 0, made.output[-6000:]
    assert made.runs[1]["outcome"] == "completed"
    assert (made.runs[2]["cause"], made.runs[2]["driver"]["requested_at"]) == ("boot_failed", None)
    assert made.runs[2]["cause_detail"] == "the guest's QEMU ended on the source: it left no word"
    assert made.tasks.count("Fill") == 3 + 2
