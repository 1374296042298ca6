"""A lab of a test's own beside the user's: one of inventories/ with another name, addresses and folders."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
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


def on_node(lab_name: str, node: str, command: str) -> str:
    """What a command of the shell printed on a node of a lab in containers."""
    return subprocess.run(
        ["podman", "exec", f"postcopy-lab-{lab_name}-{node}", "sh", "-ec", command],
        text=True,
        capture_output=True,
        check=True,
    ).stdout


def secrets_of(state_dir: Path) -> set[str]:
    """Every secret of a lab, as its files have them: passwords, and private keys line by line."""
    passwords = {path.read_text().split()[0] for path in state_dir.glob("secrets/*")}
    keys = [state_dir / "ssh" / "id_ed25519", *state_dir.glob("ca/*.key")]
    lines = {line for key in keys for line in key.read_text().splitlines() if not line.startswith("-----")}
    # The last line of a key may be a few letters.
    return passwords | {line for line in lines if len(line) >= 16}


def holds_one_of(secrets: Iterable[bytes], content: bytes) -> bool:
    return any(secret in content for secret in secrets)


def assert_secrets_are_kept(lab: Lab, places: set[str]) -> None:
    """What a lab left here holds secrets only in these parts of its state folder, which are its owner's."""
    secrets = [secret.encode() for secret in secrets_of(lab.state_dir)]
    files = [
        path for folder in (lab.state_dir, lab.results_dir) for path in folder.rglob("*") if path.is_file()
    ]
    holders = {path for path in files if holds_one_of(secrets, path.read_bytes())}
    found = {path.relative_to(lab.state_dir).parts[0] for path in holders if lab.state_dir in path.parents}
    assert (found, holders & set(lab.results_dir.rglob("*"))) == (places, set())
    assert {path: stat.S_IMODE(path.stat().st_mode) for path in holders} == dict.fromkeys(holders, 0o600)
    folders = {lab.state_dir, *(path.parent for path in holders)}
    assert {path: stat.S_IMODE(path.stat().st_mode) for path in folders} == dict.fromkeys(folders, 0o700)


def bundle_of(path: Path) -> dict[str, bytes]:
    """The members of a support bundle, without their common folder."""
    with tarfile.open(path) as archive:
        opened = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        return {name.partition("/")[2]: content.read() for name, content in opened.items() if content}


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
