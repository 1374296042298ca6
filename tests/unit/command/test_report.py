"""`report` on recorded evidence of a real study."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from postcopy_lab.inventory import load_inventory
from postcopy_lab.project import Project
from postcopy_lab.verbs.report import find_results
from tests.unit.command.conftest import ROOT

Call = Callable[..., tuple[int, str, str]]
RECORDED = ROOT / "tests" / "data" / "results"


def test_the_report_is_written_and_its_summary_printed(call: Call, checkout: Project) -> None:
    shutil.copytree(RECORDED / "quick" / "local", checkout.root / "results" / "quick" / "tiny")
    code, out, err = call("report", "quick")
    assert (code, err) == (0, "")
    assert "hybrid-s-stress-1x256mib" in out
    assert "[dim]" not in out
    assert out.splitlines()[-1].startswith("results/quick/tiny/report/report.html  (written in ")
    assert (checkout.root / "results" / "quick" / "tiny" / "report" / "report.html").is_file()


def test_results_are_found_by_study_by_path_and_by_age(checkout: Project) -> None:
    inventory = load_inventory(checkout, "local")
    labs = {"modes": "loop", "quick": "local"}
    folders = {name: checkout.root / "results" / name / "tiny" for name in labs}
    for age, (name, folder) in enumerate(folders.items()):
        shutil.copytree(RECORDED / name / labs[name], folder)
        os.utime(folder / "study.json", (1_000_000_000 - age, 1_000_000_000 - age))
    assert find_results(checkout, inventory, None) == folders["modes"]
    assert find_results(checkout, inventory, "quick") == folders["quick"]
    assert find_results(checkout, inventory, "studies/quick.yml") == folders["quick"]
    assert find_results(checkout, inventory, "results/quick/tiny") == folders["quick"]
    assert find_results(checkout, inventory, str(Path.cwd() / "results/modes/tiny")) == folders["modes"]


def test_a_directory_without_results_is_one_line(call: Call, checkout: Project) -> None:
    code, out, err = call("report", "playbooks")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "playbooks" in err
    assert "study.json" in err
