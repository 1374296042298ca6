"""Python 2.7 on a node: the bootstrap that brings it, and what of the kit runs under it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from testinfra.host import Host

from tests.conftest import PROJECT

testinfra_hosts = ["ansible://lab"]

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]
COLLECTION = "ansible_collections/postcopy/lab/plugins"
ON_NODE = "/root/pure"


def ansible(*command: str, strategy: str = "linear") -> str:
    done = subprocess.run(
        [*command, "--inventory", INVENTORY],
        cwd=SCENARIO, text=True, capture_output=True, check=False,
        env={**os.environ, "ANSIBLE_STRATEGY": strategy},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pure_parts() -> str:
    """Puts this checkout's node code and its tests on the node."""
    made = " ".join(
        os.fspath(folder) for folder in reversed(Path(ON_NODE, COLLECTION, "module_utils").parents[:5])
    )
    shell = f"mkdir -p {made} && for one in {made}; do touch $one/__init__.py; done"
    ansible("ansible", "lab", "-m", "ansible.builtin.shell", "-a", shell)
    for source, target in (
        (f"{PROJECT}/collection/{COLLECTION}/module_utils", f"{ON_NODE}/{COLLECTION}/"),
        (f"{PROJECT}/tests/node/pure_parts.py", f"{ON_NODE}/"),
    ):
        ansible("ansible", "lab", "-m", "ansible.builtin.copy", "-a", f"src={source} dest={target}")
    return f"cd {ON_NODE} && touch {COLLECTION}/module_utils/__init__.py &&"


@pytest.mark.parametrize("python", ["python2.7", "python3"])
def test_pure_parts(host: Host, pure_parts: str, python: str) -> None:
    said = host.run(f"{pure_parts} {python} pure_parts.py")
    assert said.rc == 0, said.stderr
    assert "OK" in said.stderr.splitlines()[-1]


@pytest.mark.parametrize("strategy", ["linear", "mitogen_linear"])
def test_modules(host: Host, strategy: str) -> None:
    ansible("ansible-playbook", "modules.yml", strategy=strategy)
    counters = host.check_output("tar -xzOf /var/lib/postcopy-lab/runs/old/01.tar.gz nic.jsonl").splitlines()
    assert {json.loads(line)["interface"] for line in counters} == {"lo"}
    captured = host.run("tar -xzOf /var/lib/postcopy-lab/runs/old/01.tar.gz icmp.pcap | tcpdump -n -r -")
    assert "ICMP echo reply" in captured.stdout
    # 20 times a second, for the two seconds in which the agent was waited for.
    assert len(counters) >= 20
    pings = host.check_output("tar -xzOf /var/lib/postcopy-lab/runs/old/01.tar.gz ping.log")
    assert pings.count("bytes from 127.0.0.1") >= 5
