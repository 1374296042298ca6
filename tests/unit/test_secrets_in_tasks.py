"""Tasks: none prints a secret of the lab, and none takes root's rights where it could do without."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import PROJECT

Task = Mapping[str, Any]
# How a password of the lab is made and read.
MADE = "ansible.builtin.password"
# What of a task is printed is none of these: conditions show their text and not their values.
NEVER_PRINTED = ("when", "changed_when", "failed_when", "until", "no_log", "register", "name", "notify")
# These hand variables on and print none of them.
INCLUDES = ("include_role", "import_role", "include_tasks", "import_tasks")
# Modules of the kit that keep the values of such an option out of what is printed, by their option's no_log.
KEPT_BY_MODULE = {"postcopy.lab.migration": "token"}
# By the task's name: what it takes of a variable with secrets is none.
NO_SECRET_TAKEN = {"Make the databases": "their names"}


def task_files() -> list[Path]:
    found = [*PROJECT.glob("roles/*/tasks/*.yml"), *PROJECT.glob("roles/*/handlers/*.yml")]
    return [*found, *PROJECT.glob("playbooks/*.yml"), *PROJECT.glob("playbooks/tasks/*.yml")]


def variable_files() -> list[Path]:
    found = [*PROJECT.glob("roles/*/vars/*.yml"), *PROJECT.glob("roles/*/defaults/*.yml")]
    return [*found, *PROJECT.glob("playbooks/vars/*.yml")]


def tasks_in(document: Any) -> Iterator[Task]:
    """Every task of a file of tasks or plays; a block's no_log and become hold for what is in it."""
    for entry in document or []:
        nested = [entry.get(key) for key in ("tasks", "pre_tasks", "block", "rescue", "always")]
        if not any(nested):
            yield entry
        for tasks in nested:
            shared = {
                key: entry[key] for key in ("no_log", "become") if key in entry and "hosts" not in entry
            }
            yield from ({**shared, **task} for task in tasks_in(tasks))


def load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


@cache
def all_tasks() -> tuple[tuple[Path, Task], ...]:
    return tuple((path.relative_to(PROJECT), task) for path in task_files() for task in tasks_in(load(path)))


def assignments() -> Iterator[tuple[str, str]]:
    """(variable, what it is made of) of every file of variables, and of what tasks hand on."""
    for path in variable_files():
        for name, value in (load(path) or {}).items():
            yield name, json.dumps(value)
    for _, task in all_tasks():
        for name, value in (task.get("vars") or {}).items():
            yield name, json.dumps(value)


@cache
def secret_names() -> set[str]:
    """Variables whose values have a secret in them, directly or through others."""
    made_of = list(assignments())
    found = {name for name, text in made_of if MADE in text}
    found |= {str(task["register"]) for _, task in all_tasks() if task.get("no_log") and "register" in task}
    while True:
        more = {name for name, text in made_of if name not in found and names_one_of(text, found)}
        if not more:
            return found
        found |= more


def names_one_of(text: str, names: set[str]) -> bool:
    return not names.isdisjoint(re.findall(r"\w+", text))


def prints_a_secret(task: Task, secrets: set[str]) -> bool:
    action = next((key for key in task if "." in key), "")
    if task.get("no_log") is True or action.rpartition(".")[2] in INCLUDES:
        return False
    if task.get("name") in NO_SECRET_TAKEN or action in KEPT_BY_MODULE:
        return False
    printed = {key: value for key, value in task.items() if key not in NEVER_PRINTED}
    return names_one_of(json.dumps(printed), secrets)


def test_the_secrets_of_the_cloud_are_known() -> None:
    secrets = secret_names()
    assert {"cloud_database_password", "nova_database_url", "keystone_admin_password"} <= secrets
    assert {"rabbitmq_password", "openstack_service_options", "study_token"} <= secrets
    assert secrets.isdisjoint({"cloud_address", "nova_url", "lab_name", "keystone_region"})


def test_no_task_prints_one() -> None:
    secrets = secret_names()
    found = [f"{path}: {task.get('name')}" for path, task in all_tasks() if prints_a_secret(task, secrets)]
    assert found == []


@pytest.mark.parametrize(
    ("task", "prints"),
    [
        ({"ansible.builtin.debug": {"msg": "{{ nova_database_url }}"}}, True),
        ({"ansible.builtin.debug": {"msg": "{{ nova_database_url }}"}, "no_log": True}, False),
        ({"ansible.builtin.debug": {"msg": "{{ nova_url }}"}}, False),
        ({"ansible.builtin.debug": {"msg": "x"}, "loop": ["{{ rabbitmq_password }}"]}, True),
        ({"ansible.builtin.debug": {"msg": "x"}, "when": "rabbitmq_password | length > 0"}, False),
    ],
)
def test_a_task_that_prints_one_is_found(task: Task, prints: bool) -> None:
    assert prints_a_secret(task, secret_names()) is prints


@pytest.mark.parametrize(("module", "option"), KEPT_BY_MODULE.items())
def test_the_modules_that_get_one_keep_it(module: str, option: str) -> None:
    folder = PROJECT / "collection/ansible_collections/postcopy/lab/plugins/modules"
    source = (folder / f"{module.rpartition('.')[2]}.py").read_text(encoding="utf-8")
    assert re.search(rf'"{option}": \{{[^}}]*"no_log": True', source)


def test_root_is_asked_for_only_on_the_control_machine_and_only_where_the_user_is_not_root() -> None:
    """On the nodes the inventory says how to become root; a task may only become less."""
    found = {
        f"{path}: {task.get('name')}: {task['become']}"
        for path, task in all_tasks()
        if task.get("become", False) is not False
        and "become_user" not in task
        and "__local_nodes_become" not in str(task["become"])
    }
    assert found == set()
