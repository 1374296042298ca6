"""The release that builds QEMU and libvirt: the roles' scenarios, then a lab that migrates with both.

Called by `make test-build`. The three parts share one folder of builds, which is empty at first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import PROJECT
from tests.lab import Lab, provisioned_lab
from tests.roles.scenario import run_scenario

RELEASE = "epoxy-built"
WORDS: dict[str, Any] = yaml.safe_load((PROJECT / "releases" / f"{RELEASE}.yml").read_text(encoding="utf-8"))
STUDY = "tests/integration/study.yml"
BUILDS = {"qemu": "qemu", "libvirt": "libvirt", "libvirt-python": "libvirt_python"}


@pytest.fixture(scope="module")
def builds_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("builds")


def made(builds_dir: Path) -> dict[Path, int]:
    """Every build that is kept, with the time when it was made."""
    return {path: path.stat().st_mtime_ns for path in builds_dir.glob("*.tar.gz")}


def run_built_scenario(role: str, builds_dir: Path) -> None:
    run_scenario(role, {"LAB_RELEASE": RELEASE, "BUILDS_DIR": str(builds_dir)}, "built")


def test_qemu(builds_dir: Path) -> None:
    run_built_scenario("qemu", builds_dir)
    # The release's own, and the one that the scenario asks for with another flag.
    assert [path.name.split("-")[0] for path in made(builds_dir)] == ["qemu", "qemu"]


def test_libvirt(builds_dir: Path) -> None:
    before = made(builds_dir)
    run_built_scenario("libvirt", builds_dir)
    assert before and before.items() <= made(builds_dir).items(), "QEMU was built again"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, builds_dir: Path) -> Iterator[Lab]:
    settings = {
        "lab_release": RELEASE,
        "software_cache_dir": str(builds_dir),
        "lab_network_link_rate": "200mbit",
    }
    with provisioned_lab(tmp_path_factory.mktemp("lab"), "built", settings) as lab:
        yield lab


def test_a_lab_migrates_with_both_and_says_what_it_ran(lab: Lab, builds_dir: Path) -> None:
    lab.succeed("study", STUDY)
    (run,) = lab.runs("study")
    assert (run["outcome"], run["cause"], run["valid"]) == ("completed", None, True), run
    assert run["spec"]["mode"] == "hybrid" and run["switchover_check"]["iteration"] == 2
    integrity = run["integrity"]
    assert (integrity["alive_on"], integrity["absent_on"]) == ("compute2", "compute1")
    assert integrity["kernel_log_errors"] == [] and integrity["pattern"]["bad_pages"] == 0
    assert run["qemu_version"] == WORDS["qemu_expected_version"]
    assert run["libvirt_version"] == WORDS["libvirt_expected_version"]

    described = json.loads((lab.results("study") / "lab.json").read_text(encoding="utf-8"))
    for compute in ("compute1", "compute2"):
        node = described["nodes"][compute]
        packaged = [name for name in node["packages"] if name.startswith(("qemu-system-x86", "libvirt"))]
        assert packaged == []
        for program, prefix in BUILDS.items():
            build = node["builds"][program]
            assert build["origin"] == WORDS[f"{prefix}_build"]["archive_sha256"]
            assert (builds_dir / f"{program}-{build['id']}.tar.gz").exists()
    here = {deviation["what"]: deviation["here"] for deviation in described["deviations"]}
    assert "built from qemu_" in here["QEMU"] and "built from libvirt_" in here["libvirt"]
    corrections = [*WORDS["qemu_build"]["corrections"], *WORDS["libvirt_build"]["corrections"]]
    reasons = [one["effect"] for one in described["deviations"] if one["what"].startswith("source of ")]
    assert sorted(reasons) == sorted(one["reason"] for one in corrections)

    lab.succeed("report", STUDY)
    page = unescape((lab.results("study") / "report/report.html").read_text(encoding="utf-8"))
    assert "built from qemu_" in page and all(reason in page for reason in reasons)
    lab.assert_provisioned()
