"""A lab of a test's own beside the user's: one of inventories/ with another name, addresses and folders."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.postcopy.lab.plugins.filter.networks_in_use import free_prefixes

from tests.conftest import PROJECT, run_tool

COMMAND_SECONDS = 2400
FAILED_RUNS = 3  # the command's exit code for a study that is through, with failed runs


@dataclass(frozen=True)
class Lab:
    """A lab that was provisioned, and the folders that it writes to."""

    name: str
    inventory: Path
    results_dir: Path
    state_dir: Path

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_tool(
            "postcopy-lab",
            *arguments,
            "--inventory",
            os.fspath(self.inventory),
            timeout_seconds=COMMAND_SECONDS,
        )

    def succeed(self, *arguments: str) -> str:
        """What a command printed that must not fail."""
        done = self.command(*arguments)
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def results(self, study: str) -> Path:
        return self.results_dir / study / self.name

    def runs(self, study: str) -> list[dict[str, Any]]:
        """Every run.json of a study, by case and repetition."""
        paths = sorted(self.results(study).glob("runs/*/*/run.json"))
        return [json.loads(path.read_text(encoding="utf-8")) for path in paths]

    def assert_provisioned(self) -> int:
        """Another provisioning changes nothing on any node; return how many tasks the hosts carried out."""
        done = run_tool(
            "ansible-playbook",
            "--inventory",
            os.fspath(self.inventory),
            "playbooks/provision.yml",
            timeout_seconds=COMMAND_SECONDS,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        recap = [line for line in done.stdout.splitlines() if "changed=" in line]
        assert len(recap) == 4 and all("changed=0" in line for line in recap), recap
        return sum(int(line.split("ok=")[1].split()[0]) for line in recap)


# What this process has reserved: names of sockets are the kernel's, and gone with the process.
RESERVED: list[socket.socket] = []


def free_address_prefix() -> str:
    """First two numbers of addresses that nothing on this machine uses, nor another test that runs."""
    script = PROJECT / "roles/local_nodes/files/machine_networks.sh"
    printed = subprocess.run(["sh", script], text=True, stdout=subprocess.PIPE, check=True).stdout
    for prefix in free_prefixes(printed):
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0postcopy-lab-tests-{prefix}")
        except OSError:
            reservation.close()
            continue
        RESERVED.append(reservation)
        return prefix
    raise RuntimeError("every address prefix from 10.92 to 10.254 is in use on this machine")


@contextmanager
def provisioned_lab(
    directory: Path, name: str, settings: Mapping[str, object], inventory: str = "local"
) -> Iterator[Lab]:
    """A lab like one of inventories/, on free addresses, gone afterwards; `settings` win over its own."""
    lab = Lab(name, directory / "inventory", directory / "results", directory / "state")
    folders = {"lab_results_dir": os.fspath(lab.results_dir), "lab_state_dir": os.fspath(lab.state_dir)}
    addresses = {"local_nodes_address_prefix": free_address_prefix()}
    write_inventory(directory, {"lab_name": name, **addresses, **folders, **settings}, inventory)
    lab.succeed("provision")
    yield lab
    lab.succeed("destroy", "--yes")


def write_inventory(directory: Path, settings: Mapping[str, object], like: str = "local") -> Path:
    """Copy inventories/`like` into `directory` and let `settings` (inventory variables) win over its own."""
    inventory = directory / "inventory"
    shutil.copytree(PROJECT / "inventories" / like, inventory)
    # Ansible reads the files of a folder in alphabetical order; the last one wins.
    (inventory / "group_vars/all/zz_test.yml").write_text(yaml.safe_dump(dict(settings)), encoding="utf-8")
    (inventory / "group_vars/lab/zz_test.yml").write_text(yaml.safe_dump(dict(settings)), encoding="utf-8")
    return inventory
