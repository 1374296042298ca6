"""What the project declares of itself: one version, what it needs of others, checks that can be run."""

from __future__ import annotations

import ast
import json
import re
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import PROJECT, run_tool

COLLECTION = PROJECT / "collection/ansible_collections/postcopy/lab"
YAML_FOLDERS = ("roles", "playbooks", ".config")
# A module, filter or lookup by its full name. ansible.builtin is ansible-core itself.
FULL_NAME = re.compile(
    r"(?<![\w/.])((?:ansible|community|openstack|postcopy)\.[a-z]+|containers\.podman)\.[a-z_0-9]+"
)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_one_version() -> None:
    package = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert load(COLLECTION / "galaxy.yml")["version"] == package
    assert load(PROJECT / "CITATION.cff")["version"] == package


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as ansible-galaxy builds it."""
    folder = tmp_path_factory.mktemp("built")
    done = run_tool("ansible-galaxy", "collection", "build", "--output-path", str(folder), cwd=COLLECTION)
    assert done.returncode == 0, done.stdout
    [path] = folder.glob("*.tar.gz")
    return path


def test_the_collection_builds(artifact: Path) -> None:
    galaxy = load(COLLECTION / "galaxy.yml")
    assert artifact.name == f"postcopy-lab-{galaxy['version']}.tar.gz"
    with tarfile.open(artifact) as archive:
        names = set(archive.getnames())
        manifest = json.load(archive.extractfile("MANIFEST.json") or pytest.fail("no MANIFEST.json"))
    assert manifest["collection_info"]["dependencies"] == galaxy["dependencies"]
    modules = {path.relative_to(COLLECTION).as_posix() for path in COLLECTION.glob("plugins/modules/*.py")}
    assert modules and modules <= names
    assert "meta/runtime.yml" in names


def test_the_built_collection_installs_without_a_network(artifact: Path, tmp_path: Path) -> None:
    # Not with the project's settings, by which the collection is there already.
    settings = tmp_path / "ansible.cfg"
    settings.write_text("[defaults]\n")
    done = run_tool(
        "ansible-galaxy",
        "collection",
        "install",
        "--offline",
        "--collections-path",
        str(tmp_path),
        str(artifact),
        cwd=tmp_path,
        extra_env={"ANSIBLE_CONFIG": str(settings)},
    )
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "ansible_collections/postcopy/lab/plugins/modules/migration.py").is_file()


def test_the_collection_needs_no_other() -> None:
    declared = set(load(COLLECTION / "galaxy.yml")["dependencies"])
    used = set()
    for path in COLLECTION.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ansible_collections."):
                used.add(".".join(str(node.module).split(".")[1:3]))
    assert used - {"postcopy.lab"} == declared


def test_the_minimum_ansible_is_one_that_is_tested() -> None:
    """meta/runtime.yml names the version of the pinned ansible, which every test runs on."""
    [minimum] = re.findall(r"^>=(\d+\.\d+)\.0$", load(COLLECTION / "meta/runtime.yml")["requires_ansible"])
    pinned = re.search(
        r"^ansible-core==(\d+\.\d+)\.", (PROJECT / "requirements.lock").read_text(), re.MULTILINE
    )
    assert pinned and pinned[1] == minimum


def test_requirements_are_what_roles_and_playbooks_use() -> None:
    texts = [
        path.read_text(encoding="utf-8")
        for folder in YAML_FOLDERS
        for path in (PROJECT / folder).rglob("*.y*ml")
    ]
    used = {name for text in texts for name in FULL_NAME.findall(text)}
    declared = {entry["name"] for entry in load(PROJECT / "requirements.yml")["collections"]}
    assert used - {"ansible.builtin", "postcopy.lab"} == declared


def test_the_pinned_ansible_brings_what_is_required() -> None:
    done = run_tool("ansible-galaxy", "collection", "list", "--format", "json")
    assert done.returncode == 0, done.stdout
    listed = json.loads(done.stdout[done.stdout.index("{") :])
    installed = {name: entry["version"] for folder in listed.values() for name, entry in folder.items()}
    for entry in load(PROJECT / "requirements.yml")["collections"]:
        assert entry["version"].startswith(">=")
        wanted, brought = (
            tuple(map(int, version.split(".")))
            for version in (entry["version"].removeprefix(">="), installed[entry["name"]])
        )
        assert brought >= wanted, entry["name"]


def test_hooks_run_checks_that_lint_has() -> None:
    kinds = set(re.findall(r"^step (\w+) ", (PROJECT / "tests/lint").read_text(), re.MULTILINE))
    hooks = [hook for repo in load(PROJECT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert {hook["entry"].split()[0] for hook in hooks} == {"tests/lint"}
    assert {hook["entry"].split()[1] for hook in hooks} == kinds


def test_lint_refuses_an_unknown_kind() -> None:
    done = run_tool("tests/lint", "pythn")
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        "error: unknown kind of check: pythn (python, yaml, docs, github; none for all)"
    ]


def test_workflows_call_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    jobs = [job for path in PROJECT.glob(".github/workflows/*.yml") for job in load(path)["jobs"].values()]
    called = {
        target
        for job in jobs
        for step in job["steps"]
        for target in re.findall(r"\bmake ([a-z-]+)$", step.get("run", ""))
    }
    assert called == {"test-unit", "test-integration"}
    assert called <= targets


def test_issue_forms_about_measurements_ask_for_the_bundle() -> None:
    for name in ("bug", "result"):
        form = load(PROJECT / f".github/ISSUE_TEMPLATE/{name}.yml")
        [bundle] = [field for field in form["body"] if field.get("id") == "bundle"]
        assert "postcopy-lab export STUDY bundle" in bundle["attributes"]["description"]
        assert bundle["validations"]["required"] is True
