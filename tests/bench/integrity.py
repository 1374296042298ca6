"""How often a migrated guest's memory is damaged, by QEMU version and setting.

Bare QEMU, no libvirt: both ends on this machine, the stream over loopback under
QEMU's own bandwidth limit. A fresh guest for every run. Results are appended to
one file of JSON lines per suite; runs that are there already are not repeated. The
table of all of them is written into docs/guest-integrity.md.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrity_qemu import Machine, ensure_root, is_root, version_of
from integrity_run import Cell, Workload, run_once
from integrity_table import cell_of, markdown_table, table_rows, with_table

PROJECT = Path(__file__).resolve().parents[2]
RESULTS = PROJECT / "tests/bench/results/integrity"
GUEST = PROJECT / "roles/guest_image/files"
DOCUMENT = PROJECT / "docs/guest-integrity.md"
CACHE = PROJECT / ".cache/integrity"
SUITES = ("bookworm", "trixie", "forky")
ACCELERATORS = ("tcg,thread=multi", "tcg,thread=single", "kvm")
MODES = ("hybrid", "precopy", "postcopy")
LOADS = ("stressed", "idle", "rewrite")


@dataclass(frozen=True)
class Variant:
    """A change to the standard run, to test an explanation or a cure."""

    memory_kib: int = 512 * 1024
    pattern_mib: int = 32
    vcpus: int = 1  # as many workers of the stressor


VARIANTS = {
    "default": Variant(),
    # The pattern's writer changes what it watches: each of its wake-ups empties the emulated TLB.
    # Without it the guest has the stressor alone.
    "no-pattern": Variant(pattern_mib=0),
    # A RAM size that is no multiple of 64 pages sends QEMU's dirty bitmap
    # synchronisation down its page by page path.
    "odd-memory": Variant(memory_kib=512 * 1024 + 8, pattern_mib=0),
    "2-vcpus": Variant(vcpus=2, memory_kib=1024 * 1024),
}


def build_guest(suite: str, cache: Path) -> Path:
    """The guest as the role builds it, from this suite's packages and inside its tree."""
    root = ensure_root(suite, cache)
    directory = cache / f"guest-{suite}"
    if not (directory / "initrd.img").exists():
        shutil.copytree(GUEST, root / "guest-source", dirs_exist_ok=True)
        mounts = "".join(f"mount --rbind /{name} {root}/{name} && " for name in ("dev", "proc"))
        build = "apt-get -qq update && /guest-source/build_guest.sh /guest-source/guest /guest"
        command = f"{mounts}exec chroot {root} sh -c '{build}'"
        subprocess.run(["unshare", "--mount", "--", "sh", "-c", command], check=True)
        shutil.copytree(root / "guest", directory)
    return directory


def read_results(directory: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted(directory.glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]


def kvm_works(root: Path, guest: Path) -> bool:
    """Whether a guest boots under KVM; the device's presence says nothing."""
    if not Path("/dev/kvm").exists():
        return False
    machine = Machine(root, guest / "vmlinuz", guest / "initrd.img", "kvm", 512 * 1024)
    cell = Cell("probe", "kvm", "precopy", "idle")
    outcome = run_once(machine, cell, Workload())
    print(f"KVM probe: {outcome.verdict} {'; '.join(outcome.reasons)}", flush=True)
    return outcome.boot_seconds is not None


def wanted_cells(arguments: argparse.Namespace) -> list[Cell]:
    return [
        Cell(suite, accelerator, mode, load, variant)
        for load in arguments.load
        for mode in arguments.mode
        for variant in arguments.variant
        for suite in arguments.suite
        for accelerator in arguments.accelerator
    ]


def run_cells(arguments: argparse.Namespace) -> None:
    guest = build_guest(arguments.guest_suite, arguments.cache)
    kernel = (guest / "manifest.txt").read_text().splitlines()[0].removeprefix("kernel ")
    roots = {suite: ensure_root(suite, arguments.cache) for suite in arguments.suite}
    versions = {suite: version_of(root) for suite, root in roots.items()}
    cells = wanted_cells(arguments)
    if any(cell.accelerator == "kvm" for cell in cells) and not kvm_works(roots[arguments.suite[-1]], guest):
        print("KVM: a guest does not boot on it here; left out", flush=True)
        cells = [cell for cell in cells if cell.accelerator != "kvm"]
    done: dict[tuple[str, ...], int] = {}
    for record in read_results(arguments.results):
        key = cell_of(record)
        done[key] = done.get(key, 0) + 1
    # Round by round, so that an early stop leaves every cell with as many runs.
    for repetition in range(1, arguments.runs + 1):
        for cell in cells:
            version = versions[cell.suite]
            key = (version, cell.accelerator, cell.mode, cell.load, cell.variant, kernel)
            if done.get(key, 0) >= repetition:
                continue
            done[key] = done.get(key, 0) + 1
            variant = VARIANTS[cell.variant]
            machine = Machine(
                root=roots[cell.suite],
                kernel=guest / "vmlinuz",
                initrd=guest / "initrd.img",
                accelerator=cell.accelerator,
                memory_kib=variant.memory_kib,
                vcpus=variant.vcpus,
            )
            workload = Workload(
                workers=variant.vcpus,
                pattern_mib=variant.pattern_mib,
                bandwidth_bytes_per_second=arguments.bandwidth,
            )
            keep = None
            if arguments.keep_consoles is not None:
                name = "-".join(
                    (cell.suite, cell.accelerator.split("=")[-1], cell.mode, cell.load, cell.variant)
                )
                keep = arguments.keep_consoles / f"{name}-{done[key]:02d}"
            outcome = run_once(machine, cell, workload, keep)
            record = {
                "schema": 1,
                "qemu": version,
                "suite": cell.suite,
                "accelerator": cell.accelerator,
                "mode": cell.mode,
                "load": cell.load,
                "variant": cell.variant,
                "run": done[key],
                "finished_at": round(time.time(), 1),
                "guest_kernel": kernel,
                "bandwidth_bytes_per_second": workload.bandwidth_bytes_per_second,
                # What else the machine did: it stretches a migration, and with it the chance of damage.
                "load_average": round(os.getloadavg()[0], 2),
                **outcome.as_dict(),
            }
            arguments.results.mkdir(parents=True, exist_ok=True)
            with (arguments.results / f"{cell.suite}.jsonl").open("a") as file:
                file.write(json.dumps(record, sort_keys=True) + "\n")
            print(
                f"{version.split()[0]} {cell.accelerator} {cell.mode} {cell.load} {cell.variant}"
                f" #{done[key]}: {outcome.verdict} {','.join(outcome.reasons)}"
                f" {outcome.migration.get('wall_seconds')} s of {outcome.total_seconds} s",
                flush=True,
            )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="runs of each combination")
    parser.add_argument("--suite", nargs="+", default=list(SUITES))
    parser.add_argument("--accelerator", nargs="+", default=list(ACCELERATORS))
    parser.add_argument("--mode", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--load", nargs="+", choices=LOADS, default=["stressed", "idle"])
    parser.add_argument("--variant", nargs="+", choices=list(VARIANTS), default=["no-pattern"])
    parser.add_argument("--bandwidth", type=int, default=125_000_000, help="bytes per second")
    parser.add_argument("--guest-suite", default="trixie", help="whose kernel the guest runs")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--keep-consoles", type=Path, help="directory for every run's consoles")
    parser.add_argument("--table", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs: a whole number from 1")
    if not arguments.table and not is_root():
        parser.error("root is needed: QEMU runs in trees of other Debian releases")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    # Ended by a signal, the two QEMUs of the running migration end as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not arguments.table:
        arguments.cache.mkdir(parents=True, exist_ok=True)
        with (arguments.cache / "lock").open("w") as lock:
            # Two pairs at once would disturb each other's timing.
            fcntl.flock(lock, fcntl.LOCK_EX)
            run_cells(arguments)
    table = markdown_table(table_rows(read_results(arguments.results)))
    print(table)
    if arguments.results == RESULTS:
        DOCUMENT.write_text(with_table(DOCUMENT.read_text(), table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
