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
TWO_PROBERS = (
    "lab:\n  children:\n    controller: {hosts: {a: }}\n    prober: {hosts: {a: , d: }}\n"
    "    compute: {hosts: {b: , c: }}\n"
)
NO_PROBER = "lab:\n  children:\n    controller: {hosts: {a: }}\n    compute: {hosts: {b: , c: }}\n"
ANCHORS = "\n".join(
    ["a: &a [x, x, x, x, x, x, x, x, x]"]
    + [
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ]
)
UNDEFINED = (
    f"lab:\n  vars: {{lab_state_dir: '{{{{ nowhere }}}}/x'}}\n  children:\n    {NODES}\n"
    "    compute: {hosts: {b: , c: }}\n"
)


def _lab(variable: str) -> str:
    """An inventory with one odd variable."""
    vars_of_lab = "" if variable == "{}" else f"lab_release: epoxy, {variable}"
    if variable.startswith("lab_release"):
        vars_of_lab = variable
    return (
        f"lab:\n  vars: {{{vars_of_lab}}}\n  children:\n    {NODES}\n    compute: {{hosts: {{b: , c: }}}}\n"
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
            ["nope: no such study", "icclab-2014-scaled, integrity, outage-causes, probe-cost, quick, rates"],
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
        (["report", "x" * 5000], ["xxx", "File name too long"]),
        (["export", "playbooks", "x" * 5000], ["no study.json here"]),
        (["study", "x" * 5000], ["File name too long"]),
        (["study", "quick", "-i", "x" * 5000], ["File name too long"]),
        (["study", "quick", "--release", ""], ["no release ''", "epoxy"]),
        (["study", "quick", "--release", "../inventories/x"], ["no release '../inventories/x'"]),
        (["study", "quick", "--backend", ""], ["backend '' is not allowed"]),
        (["study", "quick", "--only", "["], ["--only: '['", "matches no case"]),
    ],
)
def test_options(call: Call, nothing_changes: Callable[[], None], words: list[str], parts: list[str]) -> None:
    nothing_changes()
    refused(call(*words), *parts)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (ONE_COMPUTE, ["bad.yml: group 'compute' has 1 host, needs 2 or more"]),
        (NO_PROBER, ["bad.yml: group 'prober' has 0 hosts, needs exactly 1"]),
        (TWO_PROBERS, ["bad.yml: group 'prober' has 2 hosts (a, d), needs exactly 1"]),
        ("lab:\n  children: {\n", ["bad.yml: line 3: not YAML"]),
        ("[compute]\na\nb\n", ["bad.yml"]),
        ("", ["bad.yml"]),
        (UNDEFINED, ["bad.yml", "lab_state_dir of b", "nowhere"]),
    ],
)
def test_inventories(
    call: Call, checkout: Project, nothing_changes: Callable[[], None], content: str, parts: list[str]
) -> None:
    (checkout.root / "bad.yml").write_text(content, encoding="utf-8")
    nothing_changes()
    for verb in (["provision"], ["study", "quick"], ["check"], ["status"], ["destroy", "--yes"]):
        refused(call(*verb, "-i", "bad.yml"), *parts)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("a: " + "[" * 5000, ["bad.yml: ", "nested too deeply"]),
        (ANCHORS, ["bad.yml: line 6: more than 100000 values, anchors written out"]),
        ("a: &a [*a]\n", ["bad.yml: line 1: an anchor that holds itself"]),
        ("lab: {}\nlab: {}\n", ["bad.yml: line 2: key 'lab' is there twice"]),
        ("lab: \0", ["bad.yml: not YAML: special characters are not allowed (character 6)"]),
        (_lab("lab_name: [1]"), ["bad.yml: lab_name of b is [1] (allowed: a text)"]),
        (_lab("lab_name: yes"), ["bad.yml: lab_name of b is True (allowed: a text)"]),
        (
            _lab("lab_name: ../../etc"),
            ["bad.yml: lab_name of b is '../../etc'", "1 to 20 lower case letters"],
        ),
        (_lab('lab_name: "a\\e[2Jb"'), ["bad.yml: lab_name of b is 'a\\x1b[2Jb'"]),
        (_lab('lab_name: "{{ 1 / 0 }}"'), ["bad.yml: lab_name of b: division by zero"]),
        (_lab("lab_state_dir: {a: 1}"), ["bad.yml: lab_state_dir of b is {'a': 1} (allowed: a text)"]),
        (_lab('lab_results_dir: "a\\0b"'), ["bad.yml: lab_results_dir of b is 'a\\x00b'"]),
        (_lab("ansible_port: ssh"), ["bad.yml: ansible_port of a is 'ssh'", "from 1 to 65535"]),
        (_lab("ansible_port: 70000"), ["bad.yml: ansible_port of a is '70000'", "from 1 to 65535"]),
        (_lab("ansible_host: [10.0.0.1]"), ["bad.yml: ansible_host of a is ['10.0.0.1'] (allowed: a text)"]),
        (_lab("lab_release: [epoxy]"), ["bad.yml: lab_release of b is ['epoxy'] (allowed: a text)"]),
        (_lab("lab_backend: xen"), ["bad.yml: lab_backend 'xen' is not allowed (allowed: libvirt, nova)"]),
        (_lab("{}"), ["bad.yml: lab_release is missing"]),
    ],
)
def test_odd_values_in_inventories(
    call: Call, checkout: Project, nothing_changes: Callable[[], None], content: str, parts: list[str]
) -> None:
    (checkout.root / "bad.yml").write_text(content, encoding="utf-8")
    nothing_changes()
    refused(call("study", "quick", "-i", "bad.yml"), *parts)


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
        ("schema: 2", "schema: 3", ["schema"]),
        ("matrix:", "matrix: [", ["bad.yml", "YAML"]),
        (
            "repetitions: 2",
            "repetitions: 2\nrepetitions: 3",
            ["bad.yml: line 9: key 'repetitions' is there twice"],
        ),
        ("repetitions: 2", "repetitions: 010", ["line 8: repetitions: 010 is not a decimal number"]),
        ("ram_mib: 2048", "ram_mib: 04000", ["ram_mib: 04000 is not a decimal number"]),
        ("limit_seconds: 120", "limit_seconds: 2:00", ["limit_seconds: 2:00 is not a decimal number"]),
        (
            "stress_threads: [1, 2, 4]",
            "stress_threads: [1_0]",
            ["stress_threads: 1_0 is not a decimal number"],
        ),
        (
            "repetitions: 2",
            "repetitions: 2.0",
            ["repetitions: 2.0 is not allowed", "a whole number from 1 to 999"],
        ),
        ("repetitions: 2", "repetitions: .inf", ["repetitions: inf is not allowed"]),
        (
            "repetitions: 2",
            f"repetitions: {'9' * 30}",
            ["repetitions: 999999", "a whole number from 1 to 999"],
        ),
        ("title:", "title: 2014-01-01 #", ["title: 2014-01-01 is not allowed"]),
        ("title:", "title: 2014-02-31 #", ["bad.yml: not usable YAML: day is out of range"]),
        ("title:", 'title: "a\\nb" #', ["title: 'a\\nb' is not allowed", "one line"]),
        ("title:", "title: !vault x #", ["bad.yml: not usable YAML", "'!vault'"]),
        ("title:", "title: \0 #", ["bad.yml: not YAML: special characters are not allowed"]),
        ("title:", f"title: {'[' * 5000} #", ["bad.yml: not usable: nested too deeply"]),
        (
            "title:",
            f"{ANCHORS}\ntitle: *i #",
            ["bad.yml: line 11: more than 100000 values, anchors written out"],
        ),
        ("title:", "title: &t [*t] #", ["bad.yml: line 6: an anchor that holds itself"]),
        ("link_rate: 1gbit", 'link_rate: "1gbit\\n"', ["link_rate: '1gbit\\n' is not allowed"]),
        ("repetitions: 2", "repetitions: 2\n? [a]\n: 1", ["bad.yml: not usable YAML: found unhashable key"]),
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


def test_a_study_that_is_not_utf8_or_too_large(
    call: Call, checkout: Project, nothing_changes: Callable[[], None]
) -> None:
    text = (checkout.studies / "quick.yml").read_bytes()
    (checkout.root / "latin.yml").write_bytes(text + b"# \xe9\n")
    (checkout.root / "large.yml").write_bytes(text + b"#" * (1 << 20))
    nothing_changes()
    refused(call("study", "latin.yml"), "latin.yml: not UTF-8 (byte ")
    refused(call("study", "large.yml"), "large.yml: more than 1024 KiB")


def test_a_study_of_more_runs_than_anyone_waits_for(
    call: Call, checkout: Project, nothing_changes: Callable[[], None]
) -> None:
    text = (checkout.studies / "quick.yml").read_text(encoding="utf-8").replace("name: quick", "name: bad")
    block = "matrix:\n  - {mode: hybrid, flavor: s, stress_threads: %s, stress_thread_mib: %s}\n"
    (checkout.root / "bad.yml").write_text(
        text[: text.index("matrix:")].replace("repetitions: 2", "repetitions: 999")
        + block % (list(range(1, 30)), list(range(1, 60))),
        encoding="utf-8",
    )
    nothing_changes()
    refused(
        call("study", "bad.yml"), "bad.yml: matrix[0]: the study has more than 100000 runs", "fewer cases"
    )


def test_a_broken_release_is_named(
    call: Call, checkout: Project, nothing_changes: Callable[[], None]
) -> None:
    release = checkout.releases / "epoxy.yml"
    release.write_text(release.read_text(encoding="utf-8") + "a: 1\na: 2\n", encoding="utf-8")
    nothing_changes()
    refused(call("study", "quick"), "releases/epoxy.yml: line ", "key 'a' is there twice")
