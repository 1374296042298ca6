"""The inventories of machines that are not here: what can be known of them without the machines."""

from __future__ import annotations

import pytest

from tests.conftest import PROJECT, run_tool


@pytest.mark.parametrize(
    ("inventory", "backend", "release"),
    [("x3550", "nova", "zed-backports"), ("example-10gbit.yml", "libvirt", "epoxy")],
)
def test_the_prechecks_of_an_inventory_accept_it(inventory: str, backend: str, release: str) -> None:
    done = run_tool(
        "ansible-playbook",
        *("--inventory", str(PROJECT / "inventories" / inventory), "--limit", "localhost"),
        *("--extra-vars", f"lab_backend={backend} lab_release={release}"),
        "playbooks/provision.yml",
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "failed=0" in done.stdout and "localhost" in done.stdout


def test_both_pairs_of_the_example_are_known() -> None:
    done = run_tool("postcopy-lab", "status", "--inventory", "inventories/example-10gbit.yml")
    assert done.returncode == 0, done.stdout
    assert all(f"compute{number} " in done.stdout for number in (1, 2, 3, 4))
