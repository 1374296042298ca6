"""How long a large study takes to plan and to resume: `make bench-load` prints it with its spread.

| figure | how it is taken |
|---|---|
| plan | N runs, none made: the study is read, checked and put in order, by command and playbook |
| resume | N runs, all made but one: the same, and every run.json is read |
| command | all made but one: from the start of `postcopy-lab study` to the first thing asked of a node |

The study is one of few cases with many repetitions, or of many cases with one. The run.json are copies of a
recorded one. The command's nodes refuse the connection, so its time ends where the first one is asked.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from control.plan import Request, make_plan, run_items
from control.study_files import write_json
from postcopy_lab.board import PlainBoard
from postcopy_lab.inventory import Inventory, load_inventory
from postcopy_lab.journal import read_journal, run_directory
from postcopy_lab.project import Project
from postcopy_lab.studies import Plan, RunKey, load_plan
from postcopy_lab.study_progress import StudyProgress

PROJECT = Path(__file__).resolve().parents[2]
RECORDED = PROJECT / "tests/data/results/quick/local/runs/hybrid-s-unloaded-1gbit/01/run.json"
# How often a study of so many runs repeats each case.
SHAPES: dict[str, Callable[[int], int]] = {
    "20 cases": lambda runs: runs // 20,
    "one run a case": lambda runs: 1,
}
TARGET_RUNS, PLAN_TARGET_SECONDS, RESUME_TARGET_SECONDS = 10_000, 2, 5
NODES = ("controller", "compute1", "compute2")


def study_document(runs: int, repetitions: int) -> dict[str, Any]:
    """A study of that many runs: one case for each size of stressed memory."""
    sizes = list(range(1, runs // repetitions + 1))
    case = {"mode": ["hybrid"], "flavor": ["l"], "stress_threads": [1], "stress_thread_mib": sizes}
    return {
        "schema": 2,
        "name": "large",
        "title": "Many runs",
        "repetitions": repetitions,
        "order_seed": 2014,
        "flavors": {"l": {"vcpus": 1, "ram_mib": 131072}},
        "defaults": {"stressor": "stress", "link_rate": "1gbit", "limit_seconds": 120, "pattern_mib": 4},
        "matrix": [case],
    }


def inventory_document(folder: Path) -> dict[str, Any]:
    """A lab whose nodes refuse a connection at once."""
    hosts = {
        name: {
            "ansible_host": f"127.0.0.{number}",
            "ansible_port": 1,
            "lab_network_migration_address": f"198.51.100.{number}",
            "lab_network_guest_address": f"203.0.113.{number}",
        }
        for number, name in enumerate(NODES, start=1)
    }
    variables = {
        "lab_name": "large",
        "lab_release": "epoxy",
        "lab_backend": "libvirt",
        "lab_project_dir": str(PROJECT),
        "lab_state_dir": str(folder / "state"),
        "lab_results_dir": str(folder / "results"),
    }
    children = {
        "controller": {"hosts": {"controller": {}}},
        "prober": {"hosts": {"controller": {}}},
        "compute": {"hosts": {"compute1": {}, "compute2": {}}},
    }
    return {"all": {"vars": variables, "children": {"lab": {"hosts": hosts, "children": children}}}}


class Large:
    """A large study in a folder, with as many runs made as is wanted."""

    def __init__(self, folder: Path, runs: int, repetitions: int) -> None:
        self.project = Project(PROJECT)
        self.study = folder / "large.yml"
        self.study.write_text(yaml.safe_dump(study_document(runs, repetitions)), encoding="utf-8")
        self.inventory_file = folder / "hosts.yml"
        self.inventory_file.write_text(yaml.safe_dump(inventory_document(folder)), encoding="utf-8")
        self.inventory: Inventory = load_inventory(self.project, str(self.inventory_file))

    def request(self) -> Request:
        return Request(
            study_file=self.study,
            results_directory=self.inventory.results_dir,
            lab=self.inventory.lab,
            release=self.inventory.release,
            computes=NODES[1:],
        )

    def make_runs(self, plan: Plan, keys: tuple[RunKey, ...]) -> None:
        """Write study.json, and a run.json for each of the runs."""
        write_json(plan.results / "study.json", make_plan(self.request()).document())
        record = json.loads(RECORDED.read_text(encoding="utf-8"))
        for case, repetition in keys:
            directory = run_directory(plan.results, (case, repetition))
            directory.mkdir(parents=True)
            text = json.dumps({**record, "case": case, "repetition": repetition})
            (directory / "run.json").write_text(text, encoding="utf-8")

    def prepare(self) -> int:
        """All that the command and its playbook do before a run begins; returns how many are to be made."""
        plan = load_plan(self.project, self.inventory, str(self.study))
        finished = read_journal(plan.results, plan.wanted)
        board = PlainBoard(Console(file=io.StringIO()))
        progress = StudyProgress(board, plan.specs, plan.wanted, finished)
        progress.progress()
        request = self.request()
        items = run_items(make_plan(request), request)
        assert len(items) == len(progress.pending)
        return len(items)

    def command(self) -> None:
        """The command, until it is told that no node can be reached."""
        words = ("study", str(self.study), "--inventory", str(self.inventory_file))
        command = [sys.executable, "-m", "postcopy_lab", *words]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert "cannot be reached" in done.stderr, done.stdout + done.stderr


def seconds(function: Callable[[], object], rounds: int) -> list[float]:
    taken = []
    for _ in range(rounds):
        started_at = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started_at)
    return taken


def main() -> None:
    # Here, since it imports all of the analysis, and the unit tests only want a study.
    from tests.bench.analysis_speed import spread

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, nargs="+", default=[1000, TARGET_RUNS], help="sizes to measure")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each size")
    options = parser.parse_args()
    table = Table(title=f"{len(os.sched_getaffinity(0))} cores, {options.rounds} rounds: median (range)")
    for heading in ("runs", "study", "plan, s", "resume, s", "command, s"):
        table.add_column(heading, justify="right")
    for runs in options.runs:
        for name, repetitions in SHAPES.items():
            with tempfile.TemporaryDirectory() as folder:
                study = Large(Path(folder), runs, repetitions(runs))
                planned = seconds(study.prepare, options.rounds)
                plan = load_plan(study.project, study.inventory, str(study.study))
                study.make_runs(plan, plan.order[:-1])
                resumed = seconds(study.prepare, options.rounds)
                called = seconds(study.command, options.rounds)
            table.add_row(str(runs), name, spread(planned), spread(resumed), spread(called))
    console = Console()
    console.print(table)
    console.print(
        f"target: {TARGET_RUNS} runs planned in {PLAN_TARGET_SECONDS} s or less, "
        f"resumed in {RESUME_TARGET_SECONDS} s or less"
    )


if __name__ == "__main__":
    main()
