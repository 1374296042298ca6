"""Many runs in a row by one study: what grows with them? `make bench-runs` prints it.

A lab of its own is made, and one `postcopy-lab study` makes N runs of a small case in it. After each run, as
soon as its run.json appears, every node and the control machine are looked at from outside; the study knows
nothing of it. It goes on where it was stopped; the lab is removed when all runs are made.

| figure | of | how it is taken |
|---|---|---|
| processes, memory | node | all but the guests' QEMU; memory: without files that are mapped |
| sockets | node | in use, as /proc/net/sockstat counts them |
| libvirt memory, open files | node | libvirt's daemons |
| disk, files | node | below /etc, /home, /opt, /root, /run, /srv, /tmp and /var |
| kit | node | /var/lib/postcopy-lab alone |
| queue disciplines | node | `tc qdisc show` |
| processes, memory, open files, sockets | study | the command, and all that it started |
| temporary files | study | below TMPDIR, which the study has for itself |
| results | study | the directory of the run |
| state | study | the lab's state folder: keys, the log of Ansible |
| containers, networks | study | of the lab, as podman lists them |
| seconds, cost | study | of the run; cost: from its start to the next one's, less boot, fill and migration |

tests/bench/growth.py judges them.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from postcopy_lab.errors import ExitCode
from tests.bench import growth, machine_sample
from tests.bench.study_speed import cost_of_runs_seconds, read_runs

PROJECT = Path(__file__).resolve().parents[2]
NAME = "many-runs"
NODES = ("controller", "compute1", "compute2")
POLL_SECONDS = 0.1
MARK = "POSTCOPY_LAB_MANY_RUNS"


def study_document(runs: int) -> dict[str, Any]:
    """A small guest under a light load, so that a run is short and has both pre-copy and post-copy."""
    return {
        "schema": 2,
        "name": NAME,
        "title": "Many runs of a small case",
        "reference": None,
        "repetitions": runs,
        "order_seed": 1,
        "flavors": {"tiny": {"vcpus": 1, "ram_mib": 384}},
        "defaults": {"stressor": "stress", "link_rate": "1gbit", "limit_seconds": 60, "pattern_mib": 4},
        "matrix": [
            {"mode": ["hybrid"], "flavor": ["tiny"], "stress_threads": [1], "stress_thread_mib": [32]}
        ],
    }


class Lab:
    """A lab like inventories/local, with all that belongs to it in one folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder
        self.inventory = folder / "inventory"
        self.state = folder / "state"
        self.results = folder / "results" / NAME / name

    def write(self, address_prefix: str) -> None:
        """Write its inventory, unless an earlier call did."""
        if self.inventory.exists():
            return
        shutil.copytree(PROJECT / "inventories/local", self.inventory)
        settings = {
            "lab_name": self.name,
            "local_nodes_address_prefix": address_prefix,
            "lab_results_dir": os.fspath(self.folder / "results"),
            "lab_state_dir": os.fspath(self.state),
        }
        text = yaml.safe_dump(settings)
        (self.inventory / "group_vars/all/zz_many_runs.yml").write_text(text, encoding="utf-8")

    def command(self, *words: str) -> list[str]:
        """A call of the command on this lab."""
        return [sys.executable, "-m", "postcopy_lab", *words, "--inventory", os.fspath(self.inventory)]


class Sampler:
    """Looks at the nodes and at the study's own processes."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._script = Path(machine_sample.__file__).read_text(encoding="utf-8")
        self._temporary = lab.folder / "tmp"
        self._temporary.mkdir(exist_ok=True)
        self._mark = f"{MARK}={lab.folder}"

    @property
    def environment(self) -> dict[str, str]:
        """What the study's processes have in their environment."""
        name, _, value = self._mark.partition("=")
        tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**os.environ, name: value, "TMPDIR": os.fspath(self._temporary), "PATH": tools}

    def sample(self, run_directory: Path) -> dict[str, float]:
        """One row of figures, by WHERE.FIGURE."""
        with ThreadPoolExecutor(len(NODES)) as threads:
            of_nodes = dict(zip(NODES, threads.map(self._node, NODES), strict=True))
            row: dict[str, float] = {f"study.{name}": value for name, value in self._study().items()}
        row["study.results_bytes"] = machine_sample.size_of(run_directory)[0]
        for where, figures in of_nodes.items():
            row |= {f"{where}.{name}": value for name, value in figures.items()}
        return row

    def _node(self, node: str) -> Mapping[str, int]:
        container = f"postcopy-lab-{self._lab.name}-{node}"
        # The script comes by its standard input.
        command = ["podman", "exec", "--interactive", container, "python3", "-"]
        done = subprocess.run(command, input=self._script, capture_output=True, text=True, check=True)
        figures: dict[str, int] = json.loads(done.stdout)
        return figures

    def _study(self) -> dict[str, int]:
        own = machine_sample.started_with(self._mark, machine_sample.processes())
        state_bytes, state_files = machine_sample.size_of(self._lab.state)
        name = self._lab.name
        return {
            "processes": len(own),
            "sockets": sum(process.sockets for process in own),
            "memory_bytes": sum(process.memory_bytes for process in own),
            "open_files": sum(process.files for process in own),
            "temporary_files": machine_sample.size_of(self._temporary)[1],
            "state_bytes": state_bytes,
            "state_files": state_files,
            "containers": _lines(
                "podman", "ps", "--all", "--quiet", "--filter", f"name=^postcopy-lab-{name}-"
            ),
            "networks": _lines(
                "podman", "network", "ls", "--quiet", "--filter", f"name=^postcopy-lab-{name}-"
            ),
        }


def _lines(*command: str) -> int:
    """How many lines a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return len(done.stdout.splitlines())


def follow(study: subprocess.Popen[bytes], results: Path, sampler: Sampler, samples: Path) -> None:
    """Take a sample after each run until the study ends."""
    seen = set(results.glob("runs/*/*/run.json"))
    while study.poll() is None:
        new = set(results.glob("runs/*/*/run.json")) - seen
        if not new:
            time.sleep(POLL_SECONDS)
            continue
        seen |= new
        latest = max(new)
        number = int(latest.parent.name)
        row = {"run": number, **sampler.sample(latest.parent)}
        begins = not samples.exists()
        with samples.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if begins:
                writer.writeheader()
            writer.writerow(row)
        print(f"run {number}: {row['study.memory_bytes'] / growth.MIB:.0f} MiB", flush=True)


def make_runs(lab: Lab, runs: int) -> int:
    """Have the study make what is missing, and look after each run; returns its exit code."""
    file = lab.folder / f"{NAME}.yml"
    file.write_text(yaml.safe_dump(study_document(runs)), encoding="utf-8")
    sampler = Sampler(lab)
    with (lab.folder / "study.log").open("ab") as log:
        study = subprocess.Popen(
            lab.command("study", os.fspath(file)),
            cwd=PROJECT,
            env=sampler.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            follow(study, lab.results, sampler, lab.folder / "samples.csv")
        finally:
            if study.poll() is None:
                study.send_signal(signal.SIGINT)
            code = study.wait()
    return code


def with_seconds(lab: Lab, samples: Path, recorded: Path) -> None:
    """Write the samples with what each run.json says of its run's seconds."""
    runs = read_runs(lab.results)
    seconds = {run["repetition"]: run["finished_at"] - run["started_at"] for run in runs}
    costs = dict(zip(seconds, cost_of_runs_seconds(runs), strict=False))
    with samples.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with recorded.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "study.seconds", "study.cost_seconds"], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            number = int(row["run"])
            cost = costs.get(number)
            row["study.seconds"] = f"{seconds[number]:.1f}"
            row["study.cost_seconds"] = "" if cost is None else f"{cost:.1f}"
            writer.writerow(row)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200, help="runs to make")
    parser.add_argument("--lab-name", default=NAME, help="name of the lab that is made")
    parser.add_argument("--address-prefix", default="10.97", help="first two numbers of its addresses")
    parser.add_argument("--folder", type=Path, default=PROJECT / ".cache" / NAME, help="where all of it goes")
    parser.add_argument("--keep", action="store_true", help="leave the lab when all runs are made")
    options = parser.parse_args()
    folder = options.folder.resolve()
    lab = Lab(folder, options.lab_name)
    lab.write(options.address_prefix)
    subprocess.run(lab.command("provision"), cwd=PROJECT, check=True)
    code = make_runs(lab, options.runs)
    recorded = folder / "many-runs.csv"
    with_seconds(lab, folder / "samples.csv", recorded)
    samples = growth.read_samples(recorded)
    growth.plot(samples, folder / "many-runs.png")
    print(growth.table(growth.growths(samples)))
    print(f"{recorded}, and the plot beside it")
    if code not in (ExitCode.OK, ExitCode.RUNS_FAILED):
        raise SystemExit(f"the study ended with exit code {code}: see {folder / 'study.log'}")
    if not options.keep:
        subprocess.run(lab.command("destroy", "--yes"), cwd=PROJECT, check=True)


if __name__ == "__main__":
    main()
