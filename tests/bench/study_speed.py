"""The kit's speed figures, measured on this machine: `make bench` prints them with their spread.

| figure | how it is taken |
|---|---|
| first migration | a fresh clone, no .venv, image or lab; from `make study` to the first run.json |
| second start | everything in place, runs missing; from `make study` to the first request to migrate |
| cost of a run | wall time from one run's start to the next one's, less boot, fill and migration |
| link use | bytes on the wire / migration time / measured link rate, hybrid runs that sent 1 GB or more |

Nothing is judged here. Engine and Debian packages of the machine itself are not removed first.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

PROJECT = Path(__file__).resolve().parents[2]
GIGABYTE = 1e9
TARGETS = {
    "first migration": "360 s or less",
    "second start": "20 s or less",
    "cost of a run": "6 s or less",
    "link use": "0.93 or more",
}
UNITS = {"first migration": "s", "second start": "s", "cost of a run": "s", "link use": ""}
# A package more than the image needs makes a recipe of its own: nobody else's image is taken or removed.
BENCH_LAB = {
    "lab_name": "bench",
    "local_nodes_address_prefix": "10.98",
    "local_nodes_extra_packages": ["less"],
}


def read_runs(results: Path) -> list[dict[str, Any]]:
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in results.glob("runs/*/*/run.json")]
    return sorted(runs, key=lambda run: float(run["started_at"]))


def cost_of_runs_seconds(runs: list[dict[str, Any]]) -> Iterator[float]:
    """What each run took beyond boot, fill and migration, up to the start of the next one."""
    for run, following in itertools.pairwise(runs):
        measured = run["guest"]["boot_seconds"] + run["guest"]["fill_seconds"]
        measured += run["driver"]["finished_at"] - run["driver"]["requested_at"]
        yield following["started_at"] - run["started_at"] - measured


def link_uses(results: Path, runs: list[dict[str, Any]]) -> Iterator[float]:
    """Wire bytes per second over the measured rate, for completed hybrid runs of 1 GB or more."""
    lab = json.loads((results / "lab.json").read_text(encoding="utf-8"))
    rates = {
        (link["source"], link["destination"]): link["measured_bits_per_second"]
        for link in lab["link"]["measured"]
    }
    for run in runs:
        if run["outcome"] != "completed" or run["spec"]["mode"] != "hybrid":
            continue
        directory = results / "runs" / run["case"] / f"{run['repetition']:02d}"
        sent_bytes = bytes_sent(directory, run["driver"]["requested_at"], run["driver"]["finished_at"])
        if sent_bytes >= GIGABYTE:
            seconds = run["driver"]["finished_at"] - run["driver"]["requested_at"]
            yield sent_bytes * 8 / seconds / rates[run["nodes"]["source"], run["nodes"]["destination"]]


def bytes_sent(run_directory: Path, start: float, end: float) -> int:
    lines = map(json.loads, (run_directory / "source/nic.jsonl").read_text(encoding="utf-8").splitlines())
    counters = [
        line["tx_bytes"]
        for line in lines
        if line["interface"] == "migration0" and start <= line["t"] <= end + 0.1
    ]
    return int(counters[-1] - counters[0])


@contextmanager
def fresh_clone() -> Iterator[Path]:
    """A clone as a user has it, with a lab of its own name beside the user's lab; removed with its lab."""
    with tempfile.TemporaryDirectory(prefix="postcopy-lab-bench-") as directory:
        clone = Path(directory) / "postcopy-lab"
        subprocess.run(["git", "clone", "--quiet", os.fspath(PROJECT), os.fspath(clone)], check=True)
        settings = clone / "inventories/local/group_vars/all/zz_bench.yml"
        settings.write_text(yaml.safe_dump(BENCH_LAB), encoding="utf-8")
        try:
            yield clone
        finally:
            subprocess.run(["make", "--silent", "destroy"], cwd=clone, check=False)


def make_study(clone: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["make", "study"], cwd=clone, stdout=subprocess.DEVNULL, start_new_session=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGINT)
    process.wait()


def wait_for_runs(process: subprocess.Popen[bytes], results: Path, count: int) -> list[dict[str, Any]]:
    while process.poll() is None:
        runs = read_runs(results)
        if len(runs) >= count:
            return runs
        time.sleep(0.2)
    runs = read_runs(results)
    if len(runs) < count:
        raise SystemExit(f"make study ended with exit code {process.returncode} before run {count}")
    return runs


def measure_from_nothing() -> tuple[float, float]:
    """(seconds to the first finished migration from nothing, seconds to the next one's request)."""
    with fresh_clone() as clone:
        results = clone / "results/quick/bench"
        started = time.time()
        process = make_study(clone)
        first = wait_for_runs(process, results, 1)[0]
        stop(process)
        # Set by set, what was finished while the study was being stopped is made again too.
        shutil.rmtree(results / "runs")
        restarted = time.time()
        process = make_study(clone)
        second = wait_for_runs(process, results, 1)[0]
        stop(process)
        return float(first["finished_at"] - started), float(second["driver"]["requested_at"] - restarted)


def table(figures: dict[str, list[float]]) -> Table:
    shown = Table(title="postcopy-lab: speed")
    for column in ("figure", "n", "min", "median", "max", "to reach"):
        shown.add_column(column, justify="left" if column == "figure" else "right")
    for name, values in figures.items():
        cells = (
            [f"{f(values):.2f} {UNITS[name]}".strip() for f in (min, statistics.median, max)]
            if values
            else ["-"] * 3
        )
        shown.add_row(name, str(len(values)), *cells, TARGETS[name])
    return shown


def collect(results: Path, rounds: int) -> dict[str, list[float]]:
    runs = read_runs(results)
    from_nothing: Iterable[tuple[float, float]] = [measure_from_nothing() for _ in range(rounds)]
    return {
        "first migration": [first for first, _ in from_nothing],
        "second start": [second for _, second in from_nothing],
        "cost of a run": list(cost_of_runs_seconds(runs)),
        "link use": list(link_uses(results, runs)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="fresh clones to make (each takes some minutes); 0: none"
    )
    parser.add_argument(
        "--results", type=Path, default=PROJECT / "results/quick/local", help="finished study to read"
    )
    arguments = parser.parse_args()
    if not (arguments.results / "lab.json").is_file():
        parser.error(f"--results {arguments.results}: no lab.json there; make study first")
    Console().print(table(collect(arguments.results, arguments.rounds)))


if __name__ == "__main__":
    main()
