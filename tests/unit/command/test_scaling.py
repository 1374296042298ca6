"""A study that leaves its scale to a probe of the lab."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from postcopy_lab.errors import InputError
from postcopy_lab.lab import Lab, open_lab
from postcopy_lab.project import Project
from postcopy_lab.scaling import PROBE_STUDY, scale_of
from tests.unit.command.conftest import ROOT

# Real runs of the article's largest guest, with the cases of studies/scale-probe.yml but every probe.
RECORDED = ROOT / "examples" / "icclab-2014" / "local"
PROBED = ("hybrid-xl-unloaded-1gbit", "hybrid-xl-stress-8x256mib-1gbit")


@pytest.fixture
def lab(checkout: Project) -> Lab:
    text = (checkout.studies / "quick.yml").read_text(encoding="utf-8")
    (checkout.studies / "mine.yml").write_text(
        text.replace("name: quick", "name: mine\nscale: probe"), encoding="utf-8"
    )
    return open_lab("local")


def never() -> None:
    raise AssertionError("the probe was made")


def asked(lab: Lab, study: str, make_probe: Callable[[], None], said: list[str]) -> float | None:
    return scale_of(lab, lab.project.studies / f"{study}.yml", make_probe, said.append)


def test_a_study_with_a_scale_of_its_own_is_not_probed(lab: Lab) -> None:
    said: list[str] = []
    assert asked(lab, "quick", never, said) is None
    assert said == []


def test_a_begun_study_keeps_its_scale(lab: Lab) -> None:
    begun = lab.inventory.results_dir / "mine" / lab.inventory.lab
    begun.mkdir(parents=True)
    (begun / "study.json").write_text(json.dumps({"study": {"scale": 3}}))
    assert asked(lab, "mine", never, []) == 3


def test_the_probe_is_made_and_tells_the_scale(lab: Lab) -> None:
    def make_probe() -> None:
        results = lab.inventory.results_dir / PROBE_STUDY / lab.inventory.lab
        for case in PROBED:
            shutil.copytree(RECORDED / "runs" / case, results / "runs" / case)
        for name in ("study.json", "lab.json"):
            shutil.copy(RECORDED / name, results)

    said: list[str] = []
    assert asked(lab, "mine", make_probe, said) == 4
    assert said == [
        "mine leaves its scale to a probe of the lab: study scale-probe.",
        "Of the stressed memory 0.76 was written again while it was sent once. "
        "Scale 4: the guest then has the time to write it 3 times.",
    ]


def test_a_probe_whose_runs_failed_is_refused_in_one_line(lab: Lab) -> None:
    with pytest.raises(InputError) as caught:
        asked(lab, "mine", lambda: None, [])
    assert PROBE_STUDY in str(caught.value) and "\n" not in str(caught.value)
