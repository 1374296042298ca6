"""The article's own QEMU and libvirt on Debian 11: built by the roles, provisioned twice, migrated with.

Called by `make test-icehouse MIRROR=...`. The builds stay in .cache/builds: a second call builds nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.icehouse.release import RELEASE, SETTINGS, STUDY, WORDS
from tests.lab import FAILED_RUNS, Lab, provisioned_lab

ORIGINS = {
    "qemu": WORDS["qemu_build"]["commit"],
    "libvirt": WORDS["libvirt_build"]["commit"],
    "libvirt-python": WORDS["libvirt_python_build"]["archive_sha256"],
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with provisioned_lab(tmp_path_factory.mktemp("lab"), RELEASE, SETTINGS) as lab:
        yield lab


def test_another_provisioning_changes_nothing(lab: Lab) -> None:
    lab.assert_provisioned()


def test_the_lab_can_migrate(lab: Lab) -> None:
    lab.succeed("check")


def test_status_tells_the_versions(lab: Lab) -> None:
    said = lab.succeed("status")
    for program in ("qemu", "libvirt"):
        assert WORDS[f"{program}_expected_version"] in said, said


@pytest.fixture(scope="module")
def runs(lab: Lab) -> dict[str, dict[str, Any]]:
    done = lab.command("study", STUDY)
    assert done.returncode in (0, FAILED_RUNS), done.stdout[-6000:]
    return {run["spec"]["mode"]: run for run in lab.runs("article")}


@pytest.mark.parametrize("mode", ["hybrid", "postcopy", "precopy"])
def test_each_mode_migrates_the_guest(runs: dict[str, dict[str, Any]], mode: str) -> None:
    run = runs[mode]
    assert run["qemu_version"] == WORDS["qemu_expected_version"]
    assert run["libvirt_version"] == WORDS["libvirt_expected_version"]
    integrity = run["integrity"]
    assert (run["outcome"], run["cause"], run["valid"]) == ("completed", None, True), run
    assert (integrity["alive_on"], integrity["absent_on"]) == ("compute2", "compute1")
    assert integrity["kernel_log_errors"] == [] and integrity["pattern"]["bad_pages"] == 0


def test_hybrid_makes_one_whole_pass(runs: dict[str, dict[str, Any]]) -> None:
    """Without its correction this libvirt switches at once (docs/deviations.md). It tells no iterations."""
    check = runs["hybrid"]["switchover_check"]
    assert check["iteration"] is None
    assert 0.9 < check["pass_ratio"] < 1.1, check


def test_the_lab_says_what_it_was_built_from(lab: Lab, runs: dict[str, dict[str, Any]]) -> None:
    described = json.loads((lab.results("article") / "lab.json").read_text(encoding="utf-8"))
    kept = {path.name for path in Path(PROJECT / ".cache/builds").glob("*.tar.gz")}
    nodes = [described["nodes"][name]["builds"] for name in ("compute1", "compute2")]
    assert nodes[0] == nodes[1]
    for program, origin in ORIGINS.items():
        assert nodes[0][program]["origin"] == origin
        assert f"{program}-{nodes[0][program]['id']}.tar.gz" in kept
    reasons = {one["effect"] for one in described["deviations"] if one["what"].startswith("source of ")}
    corrections = [*WORDS["qemu_build"]["corrections"], *WORDS["libvirt_build"]["corrections"]]
    assert reasons == {one["reason"] for one in corrections}
    lab.succeed("report", STUDY)
