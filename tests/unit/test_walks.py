"""Walks of CONTRIBUTING.md, each done in a copy of the project: it works, and few files change.

Those of a mode and of a metric are tested beside their registries.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import PROJECT

MOST_FILES = 3
RESULTS = "tests/data/results/modes/loop"
LEFT_OUT = ("examples/", "tests/data/", "docs/report.png")


@dataclass
class Copy:
    """The project in another folder, and the files that a walk changed or wrote there."""

    root: Path
    touched: set[str] = field(default_factory=set)

    def write(self, path: str, text: str) -> None:
        self.touched.add(path)
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def insert(self, path: str, before: str, text: str) -> None:
        """Put lines before the first line that begins with `before`."""
        old = (self.root / path).read_text(encoding="utf-8")
        new, count = re.subn(
            rf"^(?={re.escape(before)})", text.replace("\\", "\\\\"), old, count=1, flags=re.M
        )
        assert count == 1, f"{path}: no line begins with {before!r}"
        self.write(path, new)

    def run(self, *command: str) -> str:
        """Run a program of .venv in the copy; return what it printed."""
        done = self.start(*command)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def start(self, *command: str) -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{self.root}:{self.root / 'collection'}",
            "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.run(
            command,
            cwd=self.root,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=900,
            check=False,
        )


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, text=True, stdout=subprocess.PIPE, check=True
    ).stdout.split("\0")
    for name in listed:
        source = PROJECT / name
        if name and not name.startswith(LEFT_OUT) and source.is_file():
            target = tmp_path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode)
    return Copy(tmp_path)


def test_a_parser(copy: Copy) -> None:
    copy.write(
        "analysis/evidence/kernel_lines.py",
        '''\
"""kernel_log.txt: how much the guest's kernel wrote."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.evidence.lines import whole_lines


def parse_kernel_lines(lines: Iterable[bytes], file: str) -> int:
    """The number of its lines; EvidenceError if the last one was cut."""
    return sum(1 for _ in whole_lines(lines, file))
''',
    )
    logs = "analysis/evidence/logs.py"
    copy.insert(
        logs, "from analysis.evidence.nic", "from analysis.evidence.kernel_lines import parse_kernel_lines\n"
    )
    copy.insert(logs, "from contract.evidence import (", "from contract.evidence import GUEST_KERNEL_LOG\n")
    copy.insert(logs, "    doubts: tuple", "    kernel_lines: int | None = None\n")
    copy.insert(
        logs,
        "        block_time=",
        "        kernel_lines=_parse_if_there(files, GUEST_KERNEL_LOG.path, parse_kernel_lines),\n",
    )
    assert len(copy.touched) <= MOST_FILES
    [log] = (PROJECT / RESULTS).glob("runs/*/*/guest/kernel_log.txt")
    read = (
        "import sys, pathlib; from analysis.evidence.logs import read_evidence;"
        "print(read_evidence(pathlib.Path(sys.argv[1])).kernel_lines)"
    )
    printed = copy.run(sys.executable, "-c", read, str(log.parents[1]))
    assert int(printed) == len(log.read_bytes().splitlines())


def test_a_release(copy: Copy) -> None:
    text = (copy.root / "releases/epoxy.yml").read_text(encoding="utf-8")
    copy.write(
        "releases/epoxy-next.yml",
        text.replace('qemu_expected_version: "10.0"', 'qemu_expected_version: "10.2"'),
    )
    assert len(copy.touched) <= MOST_FILES
    copy.run(sys.executable, "-m", "pytest", "-q", "tests/unit/test_releases.py", "-k", "epoxy-next")
    listed = copy.run(
        "ansible-playbook",
        "-i",
        "inventories/local",
        "playbooks/provision.yml",
        "-e",
        "lab_release=epoxy-next",
        "--list-tasks",
    )
    assert "qemu : " in listed
    refused = copy.start(sys.executable, "-m", "postcopy_lab", "provision", "--release", "no-such")
    assert refused.returncode == 2
    assert "epoxy-next" in refused.stdout


def test_a_role(copy: Copy) -> None:
    copy.write(
        "roles/swap_off/tasks/main.yml",
        """\
- name: Turn swap off, which would hide what a migration sends
  ansible.builtin.command: swapoff --all
  when: ansible_facts.swaptotal_mb > 0
  changed_when: true
""",
    )
    copy.write(
        "roles/swap_off/meta/argument_specs.yml",
        """\
argument_specs:
  main:
    short_description: Nodes without swap
    description: [Swap would hide what a migration sends.]
    options: {}
""",
    )
    copy.insert(
        "playbooks/provision.yml", "    - {role: lab_network", "    - {role: swap_off, tags: [swap]}\n"
    )
    assert len(copy.touched) <= MOST_FILES
    listed = copy.run(
        "ansible-playbook",
        "-i",
        "inventories/local",
        "playbooks/provision.yml",
        "--list-tasks",
        "--tags",
        "swap",
    )
    assert "swap_off : Turn swap off, which would hide what a migration sends" in listed
    # Its page names the systems that it runs on.
    copy.write(
        "roles/swap_off/meta/main.yml",
        """\
galaxy_info:
  author: postcopy-lab contributors
  description: Nodes without swap
  license: Apache-2.0
  min_ansible_version: "2.16"
  platforms:
    - name: Debian
      versions: [trixie]
dependencies: []
""",
    )
    copy.run(sys.executable, "tools/role_docs.py")
    assert "Nodes without swap" in (copy.root / "docs/roles/swap_off.md").read_text(encoding="utf-8")
