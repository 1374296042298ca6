"""A checkout in miniature, with real playbooks, and the command called in it as a user calls it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from postcopy_lab.cli import app
from postcopy_lab.lock import LOCKS_VARIABLE
from postcopy_lab.project import PROJECT_VARIABLE, Project

ROOT = Path(__file__).resolve().parents[3]
STREAMS = ROOT / "tests" / "data" / "runner-events"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The miniature, with this project's real studies, collection and Ansible settings."""
    root = tmp_path / "checkout"
    shutil.copytree(STREAMS / "project", root)
    shutil.copy(ROOT / "ansible.cfg", root)
    shutil.copytree(ROOT / "studies", root / "studies")
    for shared in ("plugins", "collection"):
        (root / shared).symlink_to(ROOT / shared)
    monkeypatch.setenv(PROJECT_VARIABLE, str(root))
    # The lock is the machine's, on which other tests may run.
    monkeypatch.setenv(LOCKS_VARIABLE, str(tmp_path))
    monkeypatch.chdir(root)
    for name in ("POSTCOPY_LAB_INVENTORY", "POSTCOPY_LAB_PLAIN_STRATEGY", "ANSIBLE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return Project(root)


@pytest.fixture
def call(checkout: Project) -> Callable[..., tuple[int, str, str]]:
    """Call a verb; returns exit code, standard output and standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, list(words), catch_exceptions=False)
        return result.exit_code, result.stdout, result.stderr

    return run


def events_of(name: str) -> Iterator[dict[str, Any]]:
    """A recorded stream of ansible-runner's events."""
    with (STREAMS / f"{name}.jsonl").open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def files_below(root: Path) -> set[str]:
    """Every path below a folder, links not followed."""
    found: set[str] = set()
    for folder, folders, files in os.walk(root):
        found.update(str(Path(folder, name).relative_to(root)) for name in (*folders, *files))
    return found
