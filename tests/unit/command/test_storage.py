"""Folders that cannot be written are named, and the nodes are cleaned up all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from postcopy_lab import lab, storage
from postcopy_lab.project import Project

Call = Callable[..., tuple[int, str, str]]
# A file system in which no file can be made, by root neither.
UNWRITABLE = Path("/proc/sys/kernel")


def test_a_folder_that_takes_something_is_left_as_it_was(tmp_path: Path) -> None:
    assert storage.storage_fault([tmp_path, tmp_path / "not" / "yet"]) is None
    assert list(tmp_path.iterdir()) == []


def test_the_first_folder_that_takes_nothing_is_named(tmp_path: Path) -> None:
    said = storage.storage_fault([tmp_path, UNWRITABLE / "results" / "quick"])
    assert said is not None and said.startswith(f"{UNWRITABLE}: cannot be written: ")


def test_a_full_disk_is_the_cause_and_the_nodes_are_cleaned_up(
    call: Call, checkout: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    playbook = (checkout.playbooks / "provision.yml").read_text(encoding="utf-8")
    (checkout.playbooks / "check.yml").write_text(playbook, encoding="utf-8")
    settings = checkout.inventories / "local" / "group_vars" / "lab.yml"
    settings.parent.mkdir()
    settings.write_text("second_exit_codes: {node2: 3}\n", encoding="utf-8")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    full = f"{checkout.root}/.lab: cannot be written: No space left on device"
    monkeypatch.setattr(lab, "storage_fault", lambda _folders: full)
    monkeypatch.setattr(lab, "scratch_folder", lambda: scratch)
    code, out, err = call("check")
    assert code == 1
    assert err.startswith(f"error: {full}; make room there, then the same command goes on")
    assert "nothing of it is left on the nodes" in out
    assert len((checkout.playbooks / "cleaned").read_text(encoding="utf-8").split()) == 3
    # Its log was not written where there is no room.
    assert [log.name.split("-")[1] for log in (checkout.root / ".lab/tiny/runner").iterdir()] == ["check"]
    assert not scratch.exists()
