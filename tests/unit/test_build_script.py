"""The script that builds a program from source: what it says of a step that fails, by running it."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import jinja2
import pytest

from tests.conftest import PROJECT

# A Makefile's "all" that prints what real builds printed and fails.
LINKER = """\
cc -o vl.o -c vl.c
vl.c:12:5: warning: unused variable 'error: none' [-Wunused-variable]
  LINK  qemu-ga
/usr/bin/ld: qga/commands-posix.o: in function `build_guest_fsinfo_for_real_device':
/tmp/qga/commands-posix.c:771: undefined reference to `major'
/usr/bin/ld: /tmp/qga/commands-posix.c:772: undefined reference to `minor'
collect2: error: ld returned 1 exit status
make[1]: *** [Makefile:330: qemu-ga] Error 1
"""
COMPILER = """\
util/memfd.c:40:12: error: static declaration of 'memfd_create' follows non-static declaration
   40 | static int memfd_create(const char *name, unsigned int flags)
/usr/include/bits/mman-shared.h:50:5: note: previous declaration of 'memfd_create' was here
make: *** [rules.mak:57: util/memfd.o] Error 1
"""


def build(tmp_path: Path, output: str) -> subprocess.CompletedProcess[str]:
    """Run the script on a tree whose compilation prints `output` and fails."""
    template = PROJECT / "roles/software/templates/build.sh.j2"
    environment = jinja2.Environment(trim_blocks=True)
    environment.filters["quote"] = lambda value: shlex.quote(str(value))
    script = environment.from_string(template.read_text(encoding="utf-8")).render(
        software_name="program",
        software_version_command="",
        __software_build={
            "environment": {},
            "system": "autotools",
            "prepare_command": [],
            "configure_flags": [],
        },
    )
    source = tmp_path / "source"
    source.mkdir()
    (source / "configure").write_text("#!/bin/sh\ncp ../source/Makefile .\n", encoding="utf-8")
    (source / "configure").chmod(0o755)
    (source / "output").write_text(output, encoding="utf-8")
    (source / "Makefile").write_text("all:\n\t@cat ../source/output >&2; exit 1\n", encoding="utf-8")
    return subprocess.run(
        ["sh", "-c", script, "build.sh", tmp_path, "/prefix"],
        text=True, capture_output=True, check=False, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (
            LINKER,
            "compile failed: /tmp/qga/commands-posix.c:771: undefined reference to `major' | /usr/bin/ld:"
            " /tmp/qga/commands-posix.c:772: undefined reference to `minor'\n",
        ),
        (
            COMPILER,
            "compile failed: util/memfd.c:40:12: error: static declaration of 'memfd_create' follows"
            " non-static declaration\n",
        ),
        (
            "/usr/bin/ld: cannot find -lyajl: No such file or directory\n"
            "collect2: error: ld returned 1 exit status\n",
            "compile failed: /usr/bin/ld: cannot find -lyajl: No such file or directory\n",
        ),
        (
            "cc: fatal error: Killed signal terminated program cc1\ncompilation terminated.\n",
            "compile failed: cc: fatal error: Killed signal terminated program cc1\n",
        ),
        (
            "Traceback (most recent call last):\nModuleNotFoundError: No module named 'tomli'\n",
            "compile failed: ModuleNotFoundError: No module named 'tomli'\n",
        ),
        ("python2.7: not found\n", "compile failed: python2.7: not found | make: *** "),
    ],
)
def test_a_step_that_fails_says_its_first_errors(tmp_path: Path, output: str, said: str) -> None:
    done = build(tmp_path, output)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
    assert output.splitlines()[0] in (tmp_path / "log/compile").read_text(encoding="utf-8")
