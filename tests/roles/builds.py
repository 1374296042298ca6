"""What the tests of builds from source share: a scenario's converge, called again with other variables."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from testinfra.host import Host

from tests.conftest import PROJECT

ROOT = "/opt/postcopy-lab"
SCRATCH = "/var/lib/postcopy-lab/build"
CONVERGE_SECONDS = 1500
WRONG_SUM = "0" * 64
# Nobody listens on this port.
NO_SERVER = "http://127.0.0.1:9/"


def manifest(host: Host, program: str) -> dict[str, Any]:
    """What a node says of the build that it uses."""
    fact = host.file(f"/etc/ansible/facts.d/postcopy_lab_build_{program}.fact")
    answer: dict[str, Any] = json.loads(fact.content_string)
    return answer


def start(variables: dict[str, object]) -> subprocess.Popen[str]:
    """Begin to converge the scenario's nodes; `variables` win over the release's and the scenario's."""
    roles_converge = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]) / "molecule/default/converge.yml"
    release = PROJECT / "releases" / f"{os.environ.get('LAB_RELEASE', 'epoxy')}.yml"
    return subprocess.Popen(
        ["ansible-playbook", "-i", os.environ["MOLECULE_INVENTORY_FILE"], roles_converge,
         "-e", f"@{release}", "-e", json.dumps(variables)],
        cwd=os.environ["MOLECULE_SCENARIO_DIRECTORY"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_FORCE_COLOR": "false"},
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a converge that must succeed; its output."""
    output = process.communicate(timeout=CONVERGE_SECONDS)[0]
    assert process.returncode == 0, output[-4000:]
    return output


def refused(process: subprocess.Popen[str]) -> str:
    """Wait for a converge that must fail; the first failure's message, which is one line."""
    output = process.communicate(timeout=CONVERGE_SECONDS)[0]
    assert process.returncode == 2, output[-4000:]
    messages: list[str] = re.findall(
        r'(?:FAILED!|failed: \[[^\n]*?) => \{[^\n]*?"msg": "((?:[^"\\]|\\.)*)"', output
    )
    assert messages, output[-4000:]
    assert "\\n" not in messages[0]
    return messages[0].replace('\\"', '"')


def commit_of(archive: Path, repository: Path) -> str:
    """Make a bare git repository of an archive's tree; the commit."""
    work = repository.with_suffix(".work")
    git = ["git", "-C", os.fspath(work), "-c", "user.name=test", "-c", "user.email=test@example.org"]
    work.mkdir()
    subprocess.run(["tar", "-C", work, "--strip-components=1", "-xf", archive], check=True)
    for arguments in (["init", "-q"], ["add", "--force", "."], ["commit", "-qm", "import"]):
        subprocess.run([*git, *arguments], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", work, repository], check=True)
    return subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
