"""The command as a program: help, version, speed, colours."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.unit.command.conftest import ROOT

VERBS = ("provision", "study", "report", "compare", "predict", "status", "check", "support-bundle", "destroy")


def program(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "postcopy_lab", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_names_every_verb_and_exit_code() -> None:
    done = program("--help")
    assert done.returncode == 0
    for word in (*VERBS, "Examples", "Exit codes", "130", "NO_COLOR"):
        assert word in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_its_own_help(verb: str) -> None:
    done = program(verb, "--help")
    assert done.returncode == 0
    assert "--inventory" in done.stdout


def test_help_loads_neither_ansible_nor_pandas() -> None:
    code = (
        "import sys\nsys.argv = ['postcopy-lab', '--help']\n"
        "import contextlib, io\nfrom postcopy_lab.cli import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n    main()\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & "
        "{'ansible', 'ansible_runner', 'pandas', 'numpy', 'matplotlib', 'yaml'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    done = program("--version")
    assert (done.returncode, done.stdout) == (0, f"postcopy-lab {project['version']}\n")


def test_without_a_verb_there_is_help_and_exit_code_2() -> None:
    done = program()
    assert done.returncode == 2
    assert "Examples" in done.stdout
    assert done.stderr == ""


def test_colours_only_where_they_are_wanted() -> None:
    assert "\x1b[" not in program("study", "nope").stderr
    assert "\x1b[" in program("study", "nope", FORCE_COLOR="1").stderr
    quiet = program("study", "nope", FORCE_COLOR="1", NO_COLOR="1").stderr
    assert "\x1b[31m" not in quiet
    assert "\x1b[1;31m" not in quiet


def test_the_command_is_installed_beside_python() -> None:
    script = Path(sys.executable).with_name("postcopy-lab")
    if not script.exists():
        pytest.skip("the package is not installed in this environment")
    done = subprocess.run([str(script), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("postcopy-lab ")
