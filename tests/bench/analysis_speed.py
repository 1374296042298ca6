"""How fast the analysis is, and what memory it takes: `make bench-analysis` prints it with its spread.

A results directory of N runs is made of recorded ones: each synthetic run is a copy of a recorded run's logs
and SHA256SUMS (so that the evidence is whole), with a run.json of its own: another case name (20 cases),
another repetition, and a finish up to 2 % later, so that repetitions differ. It is written to a temporary
folder, so its files come from the page cache, as those of results that were just fetched.

| figure | how it is taken |
|---|---|
| runs | every run verified, parsed and measured, with its rows of CSV, in other processes: `load_results` |
| tables | claims, CSV tables: the report less pictures and page |
| processor | seconds of all cores together: on a busy machine wall times say little, this does |
| memory | peak resident set of the process that collects, and of the greatest of its workers |

Nothing is judged here; the target is 10,000 runs in 40 s on 2 cores, with memory that does not follow the
runs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import forkserver
from pathlib import Path

from rich.console import Console
from rich.table import Table

from analysis.evidence.pool import Workers
from analysis.report.analysis import derive
from analysis.report.extracts import Extracts
from analysis.report.write import write_tables
from analysis.study.results import load_results

PROJECT = Path(__file__).resolve().parents[2]
RECORDED = PROJECT / "tests" / "data" / "results" / "quick" / "local"
CASES = 20
TARGET_RUNS, TARGET_SECONDS = 10_000, 40
MIB = 1 << 20


def make_results(recorded: Path, target: Path, count: int) -> int:
    """Write `count` runs in CASES cases; returns the bytes of evidence."""
    # Only whole runs: a run that is excluded costs less than one that is measured.
    whole = [run.path for run in load_results(recorded).runs if run.excluded_because is None]
    sources = [recorded / path for path in whole]
    records = [json.loads((source / "run.json").read_text(encoding="utf-8")) for source in sources]
    sizes = [sum(file.stat().st_size for file in source.rglob("*") if file.is_file()) for source in sources]
    study = json.loads((recorded / "study.json").read_text(encoding="utf-8"))
    chance = random.Random(2014)
    order, specs, evidence_bytes = [], {}, 0
    for index in range(count):
        number = index % CASES
        source, record = sources[number % len(sources)], dict(records[number % len(sources)])
        record["case"] = f"{record['case']}-{number + 1}"
        record["repetition"] = index // CASES + 1
        driver = dict(record["driver"])
        driver["finished_at"] += (driver["finished_at"] - driver["requested_at"]) * 0.02 * chance.random()
        record["driver"] = driver
        run_dir = target / "runs" / record["case"] / f"{record['repetition']:02d}"
        shutil.copytree(source, run_dir)
        (run_dir / "run.json").write_text(json.dumps(record), encoding="utf-8")
        order.append([record["case"], record["repetition"]])
        specs[record["case"]] = record["spec"]
        evidence_bytes += sizes[number % len(sources)]
    study["study"]["repetitions"] = -(-count // CASES)
    study["cases"] = [{"case": case, "spec": spec} for case, spec in specs.items()]
    study["order"] = order
    (target / "study.json").write_text(json.dumps(study), encoding="utf-8")
    shutil.copy(recorded / "lab.json", target)
    return evidence_bytes


def analyse_once(results: Path, output: Path, workers: int | None) -> dict[str, float]:
    """Seconds and MiB of one analysis; to be called in a process that has done nothing else."""
    used_before = time.process_time()
    started_at = time.perf_counter()
    with Workers(workers) as pool, Extracts() as extracts:
        loaded = load_results(results, workers=pool, harvest=extracts)
        loaded_at = time.perf_counter()
        list(write_tables(derive(loaded), extracts, output))
    ended_at = time.perf_counter()
    # It started the workers; only of a process that ended, and was waited for, the system says what it took.
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    own = resource.getrusage(resource.RUSAGE_SELF)
    of_workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert not any(notice.effect != "noted" for notice in loaded.notices), "a synthetic run was excluded"
    return {
        "runs": loaded_at - started_at,
        "tables": ended_at - loaded_at,
        "all": ended_at - started_at,
        "processor": own.ru_utime + own.ru_stime + of_workers.ru_utime + of_workers.ru_stime - used_before,
        "memory": own.ru_maxrss * 1024 / MIB,
        "worker": of_workers.ru_maxrss * 1024 / MIB,
    }


def measure(results: Path, rounds: int, workers: int | None) -> dict[str, list[float]]:
    """Every figure once per round, each round in a fresh process."""
    figures: dict[str, list[float]] = {}
    context = multiprocessing.get_context("spawn")
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as output, ProcessPoolExecutor(1, context) as fresh:
            measured = fresh.submit(analyse_once, results, Path(output), workers).result()
        for name, value in measured.items():
            figures.setdefault(name, []).append(value)
    return figures


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median, and the range behind it."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, nargs="+", default=[1000, TARGET_RUNS], help="sizes to measure")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each size")
    parser.add_argument("--workers", type=int, help="processes (default: one per core)")
    parser.add_argument("--recorded", type=Path, default=RECORDED, help="results to make the runs of")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    table = Table(title=f"Analysis on {cores} cores, {options.rounds} rounds: median (range)")
    for heading in (
        "runs",
        "KiB per run",
        "runs, s",
        "tables, s",
        "all, s",
        "processor, s",
        "memory, MiB",
        "a worker, MiB",
    ):
        table.add_column(heading, justify="right")
    for count in options.runs:
        with tempfile.TemporaryDirectory() as folder:
            evidence_bytes = make_results(options.recorded, Path(folder), count)
            figures = measure(Path(folder), options.rounds, options.workers)
        table.add_row(
            f"{count}",
            f"{evidence_bytes / count / 1024:.0f}",
            *(spread(figures[name]) for name in ("runs", "tables", "all", "processor")),
            *(spread(figures[name], 0) for name in ("memory", "worker")),
        )
    console = Console()
    console.print(table)
    console.print(f"target: {TARGET_RUNS} runs in {TARGET_SECONDS} s or less on 2 cores")


if __name__ == "__main__":
    main()
