"""Bad input of every kind: one line on stderr, exit code 2, and nothing is created."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from postcopy_lab.project import PROJECT_VARIABLE, Project
from tests.unit.command.conftest import files_below

Call = Callable[..., tuple[int, str, str]]

NODES = "controller: {hosts: {a: }}\n    prober: {hosts: {a: }}"
ONE_COMPUTE = f"lab:\n  children:\n    {NODES}\n    compute: {{hosts: {{b: }}}}\n"
NO_PROBER = "lab:\n  children:\n    controller: {hosts: {a: }}\n    compute: {hosts: {b: , c: }}\n"
UNDEFINED = (
    f"lab:\n  vars: {{lab_state_dir: '{{{{ nowhere }}}}/x'}}\n  children:\n    {NODES}\n"
    "    compute: {hosts: {b: , c: }}\n"
)


def refused(result: tuple[int, str, str], *parts: str) -> None:
    code, out, err = result
    assert code == 2, err
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    for part in parts:
        assert part in err


@pytest.fixture(autouse=True)
def nothing_changes(checkout: Project) -> object:
    """The checkout is after each test what the test itself made of it before it called the command."""
    before: list[set[str]] = []

    def remember() -> None:
        before.append(files_below(checkout.root))

    yield remember
    assert before, "the test did not remember the files"
    assert files_below(checkout.root) == before[0]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ["study", "nope"],
            ["nope: no such study", "icclab-2014, integrity, outage-causes, probe-cost, quick, rates"],
        ),
        (["study", "quick", "--release", "nope"], ["releases: no release 'nope'", "epoxy, zed"]),
        (["study", "quick", "--backend", "xen"], ["backend 'xen'", "libvirt"]),
        (["study", "quick", "--only", "nope*"], ["--only", "'nope*'", "hybrid-s-unloaded-1gbit"]),
        (["study", "quick", "--repetitions", "0"], ["--repetitions"]),
        (["study", "quick", "--repetitions", "two"], ["--repetitions"]),
        (["study", "quick", "-i", "nope"], ["nope: no such inventory", "local"]),
        (["study"], ["STUDY"]),
        (["studdy"], ["studdy"]),
        (["provision", "--release", "nope"], ["no release 'nope'"]),
        (["provision", "--frobnicate"], ["--frobnicate"]),
        (["provision", "-i", "playbooks"], ["playbooks: no hosts.yml in this inventory folder"]),
        (["provision", "-i", "ansible.cfg"], ["ansible.cfg", ".yml"]),
        (["report", "nope"], ["nope: no results", "none yet"]),
        (["report"], ["no results of lab tiny yet"]),
        (["destroy"], ["--yes"]),
        (["status", "-i", "nope"], ["no such inventory"]),
        (["check", "-i", "nope"], ["no such inventory"]),
    ],
)
def test_options(call: Call, nothing_changes: Callable[[], None], words: list[str], parts: list[str]) -> None:
    nothing_changes()
    refused(call(*words), *parts)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (ONE_COMPUTE, ["bad.yml: group 'compute' has 1 host, needs 2 or more"]),
        (NO_PROBER, ["bad.yml: group 'prober' has 0 hosts, needs 1 or more"]),
        ("lab:\n  children: {\n", ["bad.yml: line 3: not YAML"]),
        ("[compute]\na\nb\n", ["bad.yml"]),
        ("", ["bad.yml"]),
        (UNDEFINED, ["bad.yml", "nowhere"]),
    ],
)
def test_inventories(
    call: Call, checkout: Project, nothing_changes: Callable[[], None], content: str, parts: list[str]
) -> None:
    (checkout.root / "bad.yml").write_text(content, encoding="utf-8")
    nothing_changes()
    for verb in (["provision"], ["study", "quick"], ["check"], ["status"], ["destroy", "--yes"]):
        refused(call(*verb, "-i", "bad.yml"), *parts)


def test_a_broken_group_vars_file_is_named(
    call: Call, checkout: Project, nothing_changes: Callable[[], None]
) -> None:
    folder = checkout.inventories / "local" / "group_vars"
    folder.mkdir()
    (folder / "lab.yml").write_text("a: [1\n", encoding="utf-8")
    nothing_changes()
    refused(call("provision"), "inventories/local/group_vars/lab.yml: line 2: not YAML")


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("title:", "titel:", ["bad.yml", "titel", "unknown key", "title"]),
        ("mode: [hybrid]", "mode: [sideways]", ["mode", "'sideways'", "precopy, hybrid, postcopy"]),
        ("flavor: [s, m]", "flavor: [s, xxl]", ["flavor", "'xxl'", "m, s"]),
        ("link_rate: 1gbit", "link_rate: 0gbit", ["link_rate", "'0gbit'"]),
        ("link_rate: 1gbit", "link_rate: fast", ["link_rate", "'fast'", "200mbit"]),
        ("link_rate: 1gbit", "link_rate: 0", ["link_rate"]),
        ("repetitions: 2", "repetitions: many", ["repetitions", "1 to 999"]),
        ("schema: 1", "schema: 2", ["schema"]),
        ("matrix:", "matrix: [", ["bad.yml", "YAML"]),
    ],
)
def test_studies(
    call: Call,
    checkout: Project,
    nothing_changes: Callable[[], None],
    old: str,
    new: str,
    parts: list[str],
) -> None:
    text = (checkout.studies / "quick.yml").read_text(encoding="utf-8").replace("name: quick", "name: bad")
    assert old in text
    (checkout.root / "bad.yml").write_text(text.replace(old, new), encoding="utf-8")
    nothing_changes()
    refused(call("study", "bad.yml"), *parts)


def test_results_of_another_study(call: Call, checkout: Project, nothing_changes: Callable[[], None]) -> None:
    folder = checkout.root / "results" / "quick" / "tiny"
    folder.mkdir(parents=True)
    other = {
        "schema": 1,
        "study": {"name": "quick", "order_seed": 7},
        "cases": [],
        "order": [],
        "order_seed": 7,
    }
    (folder / "study.json").write_text(json.dumps(other), encoding="utf-8")
    nothing_changes()
    refused(call("study", "quick"), "study.json", "another study")


def test_a_results_directory_that_is_none(
    call: Call, checkout: Project, nothing_changes: Callable[[], None]
) -> None:
    folder = checkout.root / "results" / "quick" / "tiny"
    folder.mkdir(parents=True)
    (folder / "holiday.jpg").write_text("", encoding="utf-8")
    nothing_changes()
    refused(call("study", "quick"), "is not a results directory")


def test_outside_of_a_checkout(
    call: Call, nothing_changes: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROJECT_VARIABLE, "/proc")
    nothing_changes()
    refused(call("status"), "/proc: not a checkout of postcopy-lab")
