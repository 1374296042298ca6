"""A damaged guest is caught: Debian 12's QEMU 7.2 under TCG damages about every second one."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import run_tool
from tests.lab import write_inventory

LAB = "damage"
STUDY = "integrity"
FAILED_RUNS = 3  # the command's exit code for a study that is through, with failed runs
# More runs until one is caught.
REPETITIONS = (2, 4, 8, 12)


@dataclass(frozen=True)
class Lab:
    inventory: Path
    results: Path

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_tool(
            "postcopy-lab", *arguments, "--inventory", os.fspath(self.inventory), timeout_seconds=1800
        )

    def runs(self) -> list[dict[str, Any]]:
        paths = sorted(self.results.glob("runs/*/*/run.json"))
        return [json.loads(path.read_text(encoding="utf-8")) for path in paths]

    def caught(self) -> list[dict[str, Any]]:
        return [run for run in self.runs() if run["cause"] == "guest_corrupted"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory = tmp_path_factory.mktemp("lab")
    settings = {
        "lab_name": LAB,
        "lab_release": "zed",
        "local_nodes_address_prefix": "10.92",
        # KVM finds dirty pages in another way and damages nothing.
        "qemu_accelerator": "tcg",
        "lab_results_dir": os.fspath(directory / "results"),
        "lab_state_dir": os.fspath(directory / "state"),
    }
    made = Lab(write_inventory(directory, settings), directory / "results" / STUDY / LAB)
    provisioned = made.command("provision")
    assert provisioned.returncode == 0, provisioned.stdout[-6000:]
    yield made
    destroyed = made.command("destroy", "--yes")
    assert destroyed.returncode == 0, destroyed.stdout[-6000:]


@pytest.fixture(scope="module")
def study(lab: Lab) -> subprocess.CompletedProcess[str]:
    for repetitions in REPETITIONS:
        done = lab.command("study", STUDY, "--repetitions", str(repetitions))
        if lab.caught():
            break
    return done


def test_damaged_guests_are_failed_runs(lab: Lab, study: subprocess.CompletedProcess[str]) -> None:
    assert study.returncode == FAILED_RUNS, study.stdout[-6000:]
    assert lab.caught(), "no guest was damaged, so nothing could be caught"
    for run in lab.caught():
        integrity = run["integrity"]
        assert run["outcome"] == "failed", run
        assert run["qemu_version"].startswith("7.2.")
        assert f"{run['case']}  {run['repetition']:02d}" in study.stdout
        assert integrity["kernel_log_errors"] or not integrity["stressor_progressing"], run
        # To QEMU and libvirt the migration was a success.
        assert (integrity["alive_on"], integrity["absent_on"]) == ("compute2", "compute1")
    assert "guest_corrupted" in study.stdout


def test_the_report_says_so_in_its_first_lines(lab: Lab, study: subprocess.CompletedProcess[str]) -> None:
    damaged = sum(run["outcome"] == "failed" for run in lab.runs())
    done = lab.command("report", STUDY)
    assert done.returncode == 0, done.stdout[-6000:]
    migrated = len(lab.runs())
    line = f"Guest integrity: {damaged} of {migrated} migrated guests were not shown intact"
    assert line in "\n".join(done.stdout.splitlines()[:5])
    page = (lab.results / "report/report.html").read_text(encoding="utf-8")
    assert line in page
