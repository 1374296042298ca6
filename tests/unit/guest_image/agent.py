"""guest-agent, compiled for this machine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import PROJECT

SOURCES = PROJECT / "roles/guest_image/files/guest"
COMPILER = shutil.which("cc") or shutil.which("gcc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler on this machine")


def compiled(directory: Path, changed: Mapping[str, str]) -> Path:
    """The program, made of the guest's sources; `changed` are other texts for some, by file name."""
    for path in SOURCES.glob("*.[ch]"):
        (directory / path.name).write_text(changed.get(path.name, path.read_text()))
    assert COMPILER is not None
    program = directory / "guest-agent"
    sources = sorted(directory.glob("*.c"))
    subprocess.run(
        [COMPILER, "-D_GNU_SOURCE", "-std=gnu11", "-O1", "-pthread", "-o", program, *sources], check=True
    )
    return program
