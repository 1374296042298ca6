"""A damaged guest is caught: Debian 12's QEMU 7.2 under TCG damages about every second one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import FAILED_RUNS, Lab, provisioned_lab

STUDY = "integrity"
# More runs until one is caught.
REPETITIONS = (2, 4, 8, 12)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    settings = {
        "lab_release": "zed",
        # KVM finds dirty pages in another way and damages nothing.
        "qemu_accelerator": "tcg",
    }
    with provisioned_lab(tmp_path_factory.mktemp("lab"), "damage", settings) as made:
        yield made


def caught(lab: Lab) -> list[dict[str, Any]]:
    return [run for run in lab.runs(STUDY) if run["cause"] == "guest_corrupted"]


@pytest.fixture(scope="module")
def study(lab: Lab) -> subprocess.CompletedProcess[str]:
    for repetitions in REPETITIONS:
        done = lab.command("study", STUDY, "--repetitions", str(repetitions))
        if caught(lab):
            break
    return done


def test_damaged_guests_are_failed_runs(lab: Lab, study: subprocess.CompletedProcess[str]) -> None:
    assert study.returncode == FAILED_RUNS, study.stdout[-6000:]
    assert caught(lab), "no guest was damaged, so nothing could be caught"
    for run in caught(lab):
        integrity = run["integrity"]
        assert run["outcome"] == "failed", run
        assert run["qemu_version"].startswith("7.2.")
        assert f"{run['case']}  {run['repetition']:02d}" in study.stdout
        assert integrity["kernel_log_errors"] or not integrity["stressor_progressing"], run
        # To QEMU and libvirt the migration was a success.
        assert (integrity["alive_on"], integrity["absent_on"]) == ("compute2", "compute1")
    assert "guest_corrupted" in study.stdout


def test_the_report_says_so_in_its_first_lines(lab: Lab, study: subprocess.CompletedProcess[str]) -> None:
    damaged = sum(run["outcome"] == "failed" for run in lab.runs(STUDY))
    printed = lab.succeed("report", STUDY)
    migrated = len(lab.runs(STUDY))
    line = f"Guest integrity: {damaged} of {migrated} migrated guests were not shown intact"
    assert line in "\n".join(printed.splitlines()[:5])
    page = (lab.results(STUDY) / "report/report.html").read_text(encoding="utf-8")
    assert line in page
