"""The inventories of machines that are not here: what can be known of them without the machines."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from postcopy_lab.inventory import LAB_NAME
from postcopy_lab.lab import open_lab
from tests.conftest import PROJECT, run_tool


def checked(inventory: str, variables: str) -> subprocess.CompletedProcess[str]:
    """A provisioning up to its first play, which looks at the inventory alone."""
    return run_tool(
        "ansible-playbook",
        *("--inventory", str(PROJECT / "inventories" / inventory), "--limit", "localhost"),
        *("--extra-vars", variables),
        "playbooks/provision.yml",
        extra_env={"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
    )


@pytest.mark.parametrize(
    ("inventory", "backend", "release"),
    [
        ("x3550", "nova", "zed-backports"),
        ("x3550", "nova", "epoxy"),
        ("example-10gbit.yml", "libvirt", "epoxy"),
    ],
)
def test_the_prechecks_of_an_inventory_accept_it(inventory: str, backend: str, release: str) -> None:
    done = checked(inventory, f"lab_backend={backend} lab_release={release}")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "failed=0" in done.stdout and "localhost" in done.stdout


@pytest.mark.parametrize(
    "more", ["lab_system=trusty", "lab_system=bullseye", "lab_system=bullseye lab_backend=nova"]
)
def test_the_article_may_run_on_two_systems(more: str) -> None:
    done = checked("x3550", f"lab_release=icehouse {more}")
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize(
    ("inventory", "variables", "line"),
    [
        (
            "example-10gbit.yml",
            "lab_release=icehouse",
            "lab_system is ''; allowed with release icehouse is bullseye or trusty "
            "(files of releases/icehouse/)",
        ),
        (
            "x3550",
            "lab_release=icehouse lab_backend=nova",
            "lab_backend is 'nova'; allowed with release icehouse is libvirt",
        ),
        (
            "x3550",
            "lab_release=zed-backports lab_backend=nova nova_network_service=nova-network",
            "nova_network_service is 'nova-network'; allowed with release zed-backports is neutron",
        ),
        (
            "x3550",
            "lab_release=zed-backports lab_backend=nova neutron_mechanism=ovn",
            "neutron_mechanism is 'ovn'; allowed with release zed-backports is linuxbridge",
        ),
        (
            "x3550",
            "lab_release=epoxy lab_backend=nova neutron_mechanism=linuxbridge",
            "neutron_mechanism is 'linuxbridge'; allowed with release epoxy is openvswitch",
        ),
        (
            "x3550",
            "lab_release=icehouse lab_system=bullseye lab_backend=nova neutron_mechanism=openvswitch "
            "neutron_tunnel_address=",
            "neutron_mechanism is 'openvswitch'; that takes nova_network_service 'neutron' and "
            "neutron_tunnel_address of compute1, compute2, controller, an IPv4 address of a network of its "
            "own on the guest interfaces",
        ),
    ],
)
def test_what_a_release_is_not_made_for_is_refused_in_one_line(
    inventory: str, variables: str, line: str
) -> None:
    done = checked(inventory, variables)
    assert done.returncode == 2 and "changed=0" in done.stdout, done.stdout[-3000:]
    (said,) = re.findall(r'"msg": "(.*)"', done.stdout)
    assert said == f"inventories/{inventory}: {line}"


@pytest.mark.parametrize("value", ["fd00:91:1::11", "198.51.100.12"])
def test_an_address_that_cannot_be_is_refused_in_one_line(tmp_path: Path, value: str) -> None:
    inventory = tmp_path / "mine.yml"
    text = (PROJECT / "inventories/example-10gbit.yml").read_text(encoding="utf-8")
    inventory.write_text(text.replace("198.51.100.11", value), encoding="utf-8")
    done = run_tool(
        "ansible-playbook", "--inventory", str(inventory), "--limit", "localhost", "playbooks/provision.yml",
        extra_env={"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
    )  # fmt: skip
    assert done.returncode == 2 and "changed=0" in done.stdout, done.stdout[-3000:]
    (said,) = re.findall(r'"msg": "(.*)"', done.stdout)
    assert said.startswith(f"{inventory}: lab_network_migration_address ")
    assert value in said and ("compute1" in said) and "\\n" not in said


def test_both_pairs_of_the_example_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    lab = open_lab("inventories/example-10gbit.yml")
    computes = [node.name for node in lab.inventory.nodes if "compute" in node.groups]
    assert computes == ["compute1", "compute2", "compute3", "compute4"]


def test_the_form_of_a_labs_name_is_the_prechecks_own() -> None:
    tasks = (PROJECT / "roles" / "prechecks" / "tasks" / "variables.yml").read_text(encoding="utf-8")
    assert f"match('{LAB_NAME.pattern}')" in tasks
