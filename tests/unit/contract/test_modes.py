"""A mode is one record: with one more in contract/modes.py it is studied, judged and drawn."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from contract.modes import Mode
from tests.conftest import PROJECT

LAST = 'POSTCOPY = "postcopy", "post-copy", 1, "#178240", "#58c583"\n'
NEW = '    TWICE = "twice", "two passes", 3, "#0a0b0c", "#fafbfc"\n'
USE = """
import copy, json, pathlib, sys
import yaml
import contract.modes
from analysis.report import write_report
from analysis.compare.prediction import Request, predict
from analysis.study.results import load_results
from control import plan, run_document
from tests.unit.analysis.builder import Model, write_study

project, work = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
study = yaml.safe_load((project / "studies/quick.yml").read_text())
study["matrix"] = [{"mode": "twice", "flavor": "s", "stress_threads": 2, "stress_thread_mib": 256}]
(work / "quick.yml").write_text(yaml.safe_dump(study))
request = plan.Request(
    study_file=work / "quick.yml", results_directory=work, lab="local", release="epoxy", computes=["a", "b"]
)
made = plan.make_plan(request)
item = plan.run_items(made, request)[0]
assert (item["case"], item["switchover_iteration"]) == ("twice-s-stress-2x256mib-1gbit", 3)

recorded = json.loads((project / "tests/data/run-results/hybrid-completed.json").read_text())
recorded["run"]["spec"]["mode"] = "twice"
logs = {"source": [], "destination": [], "guest": []}
names = {"source": "compute1", "destination": "compute2", "prober": "controller"}
arguments = (recorded["run"], recorded["results"], logs, [], names, recorded["recorded_at"])
document = run_document.run_document(*arguments)
assert document["invalid_reason"] == "it switched at iteration 2, not at 3: not after exactly 2 passes"
recorded["results"]["migration"]["iteration_at_switchover"] = 3
assert run_document.run_document(*arguments)["valid"]

results = write_study(work / "results", [(Model(mode="twice"), 1), (Model(mode="hybrid"), 1)])
page = write_report(results, work / "report").html.read_text()
assert "--twice: #0a0b0c;" in page and "--twice: #fafbfc;" in page
assert "measured: twice" in page
"""


def test_a_mode_that_is_one_more_record_is_studied_judged_and_drawn(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    for name in ("contract", "control", "analysis", "tests/unit/analysis"):
        shutil.copytree(PROJECT / name, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
    modes = packages / "contract" / "modes.py"
    text = modes.read_text()
    assert LAST in text
    modes.write_text(text.replace(LAST, LAST + NEW))
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", USE, os.fspath(PROJECT), os.fspath(tmp_path / "work")],
        cwd=packages,
        env={**os.environ, "PYTHONPATH": os.fspath(packages)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_what_a_mode_says_of_itself() -> None:
    facts = {mode.value: (mode.has_postcopy, mode.whole_passes) for mode in Mode}
    assert facts == {"precopy": (False, 0), "hybrid": (True, 1), "postcopy": (True, 0)}
    assert len({mode.colour for mode in Mode}) == len({mode.dark_colour for mode in Mode}) == len(Mode)
