"""What counts as a change of the files that a lab is provisioned from."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.postcopy.lab.plugins.lookup.fingerprint import fingerprint


@pytest.fixture
def role(tmp_path: Path) -> Path:
    folder = tmp_path / "one" / "role"
    for name in ("tasks/main.yml", "molecule/default/converge.yml", "README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("first", encoding="utf-8")
    return folder


def test_contents_and_names_count(role: Path) -> None:
    before = fingerprint([str(role)])
    (role / "tasks/main.yml").write_text("second", encoding="utf-8")
    changed = fingerprint([str(role)])
    (role / "tasks/main.yml").rename(role / "tasks/other.yml")
    assert len({before, changed, fingerprint([str(role)])}) == 3


def test_tests_and_texts_do_not_count(role: Path) -> None:
    before = fingerprint([str(role)])
    (role / "molecule/default/converge.yml").write_text("second", encoding="utf-8")
    (role / "README.md").write_text("second", encoding="utf-8")
    assert fingerprint([str(role)]) == before


def test_a_moved_project_keeps_its_fingerprint(role: Path, tmp_path: Path) -> None:
    before = fingerprint([str(role)])
    role.parent.rename(tmp_path / "two")
    assert fingerprint([str(tmp_path / "two" / "role")]) == before


def test_a_missing_file_is_not_an_empty_one(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    missing = fingerprint([str(link)])
    link.write_text("", encoding="utf-8")
    assert fingerprint([str(link)]) != missing


def test_lists_are_what_they_hold(role: Path) -> None:
    assert fingerprint([[str(role)]]) == fingerprint([str(role)])
