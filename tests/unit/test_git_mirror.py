"""Sources of git through a mirror: the role's own tasks, on repositories made here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.conftest import run_tool

PROGRAM = "https://github.com/example/program.git"
NAMED = "git://git.example.org/library.git"
MEANT = "https://github.com/example/library.git"
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def git(directory: Path, *arguments: str) -> str:
    settings = [f"{key}=kit" for key in ("user.name", "user.email")] + ["protocol.file.allow=always"]
    options = [part for one in settings for part in ("-c", one)]
    done = subprocess.run(
        ["git", *options, *arguments], cwd=directory, check=True, text=True, capture_output=True
    )
    return done.stdout.strip()


def repository(directory: Path, file: str) -> str:
    """A repository with one commit, whose name is returned."""
    directory.mkdir(parents=True)
    git(directory, "init", "--quiet")
    (directory / file).write_text(f"{file}\n", encoding="utf-8")
    git(directory, "add", ".")
    git(directory, "commit", "--quiet", "--message", "one")
    return git(directory, "rev-parse", "HEAD")


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A program whose submodule names an address that nobody serves, and what it is taken from."""
    folder = tmp_path / "mirror"
    repository(folder / "example/library.git", "library.c")
    repository(folder / "example/program.git", "program.c")
    program = folder / "example/program.git"
    git(program, "submodule", "--quiet", "add", str(folder / "example/library.git"), "library")
    git(program, "config", "--file", ".gitmodules", "submodule.library.url", NAMED)
    git(program, "commit", "--quiet", "--all", "--message", "two")
    return folder


def fetch(tmp_path: Path, mirror: str, commit: str, path: str = PATH) -> subprocess.CompletedProcess[str]:
    tasks = {"ansible.builtin.include_role": {"name": "software", "tasks_from": "fetch_git"}}
    variables = {
        "software_name": "program",
        "software_source": "git",
        "software_variables": "program_",
        "software_cache_dir": str(tmp_path / "cache"),
        "software_git_mirror": mirror,
        "software_build": {
            "repository": PROGRAM,
            "commit": commit,
            "submodule_repositories": {NAMED: MEANT},
        },
    }
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [tasks], "vars": variables}
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    return run_tool(
        "ansible-playbook", "--inventory", "localhost,", str(playbook),
        extra_env={"ANSIBLE_STRATEGY": "linear", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "PATH": path},
    )  # fmt: skip


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_program_and_its_submodule_come_from_the_mirror(tmp_path: Path, mirror: Path, scheme: str) -> None:
    commit = git(mirror / "example/program.git", "rev-parse", "HEAD")
    done = fetch(tmp_path, f"{scheme}{mirror}", commit)
    assert done.returncode == 0, done.stdout[-3000:]
    checkout = tmp_path / f"cache/git/program-{commit}"
    assert (checkout / "program.c").read_text() == "program.c\n"
    assert (checkout / "library/library.c").read_text() == "library.c\n"
    assert git(checkout, "rev-parse", "HEAD") == commit
    assert checkout.with_name(f"program-{commit}.tar.gz").exists()


def test_an_archive_that_was_interrupted_is_not_taken_for_whole(tmp_path: Path, mirror: Path) -> None:
    commit = git(mirror / "example/program.git", "rev-parse", "HEAD")
    programs = tmp_path / "bin"
    programs.mkdir()
    broken = programs / "tar"
    broken.write_text('#!/bin/sh\necho part >"$4"\nexit 2\n', encoding="utf-8")
    broken.chmod(0o755)
    assert fetch(tmp_path, str(mirror), commit, f"{programs}:{PATH}").returncode == 2
    broken.unlink()
    assert fetch(tmp_path, str(mirror), commit).returncode == 0
    with tarfile.open(tmp_path / f"cache/git/program-{commit}.tar.gz") as archive:
        assert f"program-{commit}/library/library.c" in archive.getnames()


def test_a_submodule_that_cannot_be_had_is_refused_in_one_line(tmp_path: Path, mirror: Path) -> None:
    commit = git(mirror / "example/program.git", "rev-parse", "HEAD")
    shutil.rmtree(mirror / "example/library.git")
    done = fetch(tmp_path, str(mirror), commit)
    assert done.returncode == 2
    [said] = [line for line in done.stdout.splitlines() if "did not give" in line]
    # git's reason, not what it said last: "Failed to clone 'library' a second time, aborting".
    reason = f"fatal: '{mirror}/example/library.git' does not appear to be a git repository"
    assert json.loads(said.split("=> ", 1)[1])["msg"].endswith(reason)
    # Neither the part that came nor an archive of it is taken for the whole by the next run.
    assert list((tmp_path / "cache/git").iterdir()) == []


@pytest.mark.parametrize("lacks", ["the commit", "the repository"])
def test_a_mirror_that_lacks_something_is_refused_in_one_line(
    tmp_path: Path, mirror: Path, lacks: str
) -> None:
    commit = "a" * 40
    if lacks == "the repository":
        commit = git(mirror / "example/program.git", "rev-parse", "HEAD")
        shutil.rmtree(mirror / "example/program.git")
    done = fetch(tmp_path, str(mirror), commit)
    assert done.returncode == 2
    [said] = [line for line in done.stdout.splitlines() if "did not give" in line]
    message = json.loads(said.split("=> ", 1)[1])["msg"]
    assert message.startswith(
        f"program_build.repository {PROGRAM} did not give program_build.commit {commit} "
        f"(software_git_mirror: {mirror}): "
    )
    assert "\n" not in message
    assert not list((tmp_path / "cache").rglob(f"program-{commit}*"))
