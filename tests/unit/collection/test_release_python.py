"""Which Python the nodes of a release are driven by: one place says it for every inventory."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.postcopy.lab.plugins.lookup.release_python import release_python

from tests.conftest import PROJECT, run_tool


@pytest.mark.parametrize("path", sorted(PROJECT.glob("releases/*.yml")), ids=lambda path: path.stem)
def test_it_is_what_the_release_says(path: Path) -> None:
    words = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert release_python(str(PROJECT), path.stem, "") == words.get("lab_python", "/usr/bin/python3")


@pytest.mark.parametrize("path", sorted(PROJECT.glob("releases/*/*.yml")), ids=lambda path: path.stem)
def test_it_is_what_the_system_says(path: Path) -> None:
    release = yaml.safe_load(path.parent.with_suffix(".yml").read_text(encoding="utf-8"))
    words = {**release, **yaml.safe_load(path.read_text(encoding="utf-8"))}
    said = release_python(str(PROJECT), path.parent.name, path.stem)
    assert said == words.get("lab_python", "/usr/bin/python3")


def test_the_two_systems_of_the_article_have_pythons_of_their_own() -> None:
    said = [release_python(str(PROJECT), "icehouse", system) for system in ("trusty", "bullseye")]
    assert said == ["/usr/bin/python2.7", "/usr/bin/python3"]


def test_a_release_that_is_not_there_is_no_error() -> None:
    assert release_python(str(PROJECT), "folsom", "") == "/usr/bin/python3"


@pytest.mark.parametrize(
    "inventory", [path.name for path in sorted(PROJECT.glob("inventories/*")) if path.name != "README.md"]
)
def test_every_inventory_takes_it_from_there(inventory: str) -> None:
    done = run_tool(
        "ansible", "compute1", "--inventory", f"inventories/{inventory}",
        "--extra-vars", "lab_release=icehouse lab_system=trusty",
        "--module-name", "ansible.builtin.debug", "--args", "var=ansible_python_interpreter",
        extra_env={"ANSIBLE_STRATEGY": "linear"},
    )  # fmt: skip
    assert "ansible_python_interpreter: /usr/bin/python2.7\n" in done.stdout


@pytest.mark.parametrize("node", ["compute1", "controller"])
def test_compute_nodes_use_the_python_of_libvirts_binding(node: str, tmp_path: Path) -> None:
    """In the playbooks that ask libvirt, where the release has its binding for another than Ansible's."""
    for name in ("study", "status", "cleanup"):
        plays = yaml.safe_load((PROJECT / f"playbooks/{name}.yml").read_text(encoding="utf-8"))
        (tasks,) = [play["tasks"] for play in plays if play["hosts"] == "lab"]
        read = [task["ansible.builtin.import_tasks"] for task in tasks[:2]]
        assert read == ["tasks/release.yml", "tasks/libvirt_python.yml"]
    playbook = tmp_path / "play.yml"
    tasks = [
        {"ansible.builtin.import_tasks": str(PROJECT / "playbooks/tasks/libvirt_python.yml")},
        {"ansible.builtin.debug": {"var": "ansible_python_interpreter"}},
    ]
    play = {"hosts": node, "gather_facts": False, "tasks": tasks}
    play["vars"] = {"libvirt_python_interpreter": "/usr/bin/python2.7"}
    playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = run_tool(
        "ansible-playbook", "--inventory", "inventories/local", str(playbook),
        "--extra-vars", "lab_release=icehouse lab_system=bullseye",
        extra_env={"ANSIBLE_STRATEGY": "linear"},
    )  # fmt: skip
    expected = "/usr/bin/python2.7" if node == "compute1" else "/usr/bin/python3"
    assert f"ansible_python_interpreter: {expected}\n" in done.stdout, done.stdout
