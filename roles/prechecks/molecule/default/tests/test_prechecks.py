"""What is refused, and in which words: each a real run of the playbook that accepted the lab as it was."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.roles.outside import node

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
INVENTORY = Path(os.environ["MOLECULE_INVENTORY_FILE"])
PROJECT = SCENARIO.parents[3]
RELEASE_FILE = PROJECT / "releases" / f"{os.environ.get('LAB_RELEASE', 'epoxy')}.yml"
RELEASES = ", ".join(sorted(path.stem for path in (PROJECT / "releases").glob("*.yml")))


def converge(*options: str, inventories: tuple[Path, ...] = (INVENTORY,)) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ansible-playbook", "converge.yml", *(f"--inventory={one}" for one in inventories),
         "-e", f"@{RELEASE_FILE}", *options],
        cwd=SCENARIO, text=True, capture_output=True, check=False,
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_FORCE_COLOR": "false"},
    )  # fmt: skip


def accepted() -> None:
    """Run the checks, which must find nothing."""
    done = converge()
    assert done.returncode == 0, done.stdout + done.stderr


def refusals(*options: str, inventories: tuple[Path, ...] = (INVENTORY,)) -> list[str]:
    """Run the checks, which must fail and change nothing; return what each failed check said."""
    done = converge(*options, inventories=inventories)
    assert done.returncode == 2, done.stdout + done.stderr
    assert not re.search(r"changed=[1-9]", done.stdout)
    said = re.findall(r"FAILED! => (\{.*\})$", done.stdout, re.MULTILINE)
    return [json.loads(one)["msg"] for one in said]


def long(*values: object) -> Any:
    """A case that make test leaves out: each is a run of the playbook."""
    return pytest.param(*values, marks=pytest.mark.long)


@pytest.mark.parametrize(
    ("option", "line"),
    [
        long("lab_name=My_Lab", "lab_name is 'My_Lab'; allowed are 1 to 20 lower case letters"),
        ("lab_release=folsom", f"lab_release is 'folsom'; allowed are {RELEASES} ("),
        long("lab_backend=nova", "lab_backend is 'nova'; allowed with release epoxy is libvirt"),
        long(
            "lab_network_link_rate=0", "lab_network_link_rate is '0'; allowed is a number above 0 with kbit"
        ),
        ("lab_network_link_rate=fast", "lab_network_link_rate is 'fast'; allowed is a number above 0 with"),
        long(
            "lab_network_link_rate=0gbit",
            "lab_network_link_rate is '0gbit'; allowed is a number above 0 with",
        ),
        ("lab_network_migration_address=10.0.0.1", "lab_network_migration_address must differ between"),
        long("lab_network_migration_address=10.0.0.300", "is '10.0.0.300'; allowed is an IPv4 address"),
        long(
            "lab_network_guest_interface=migration0",
            "are both 'migration0'; allowed are different interfaces",
        ),
        long(
            "prechecks_results_disk_free_mib=100000000", "prechecks_results_disk_free_mib asks for 100000000"
        ),
    ],
)
def test_variables(option: str, line: str) -> None:
    (said,) = refusals("-e", option)
    assert line in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("controller", "compute", "prober", "line"),
    [
        ([], ["a", "b"], ["c"], "group controller needs exactly one host, has 0 (none)"),
        long(["c", "d"], ["a", "b"], ["c"], "group controller needs exactly one host, has 2 (c, d)"),
        (["c"], ["a"], ["c"], "group compute needs two hosts or more, has 1 (a)"),
        long(["c"], ["a", "b"], [], "group prober needs exactly one host, has 0 (none)"),
        long(["c"], ["a", "b"], ["c", "d"], "group prober needs exactly one host, has 2 (c, d)"),
    ],
)
def test_groups(
    tmp_path: Path, controller: list[str], compute: list[str], prober: list[str], line: str
) -> None:
    groups = {"controller": controller, "compute": compute, "prober": prober}
    children = {name: {"hosts": dict.fromkeys(hosts)} for name, hosts in groups.items()}
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(
        yaml.safe_dump({"lab": {"children": children, "vars": {"lab_project_dir": str(PROJECT)}}})
    )
    (said,) = refusals(inventories=(hosts,))
    assert said == f"{hosts}: {line}"


def test_a_node_that_cannot_be_reached(tmp_path: Path) -> None:
    # TCP port 9 of the node itself: nothing listens there.
    hosts = tmp_path / "unreachable.yml"
    hosts.write_text(yaml.safe_dump({"all": {"hosts": {"check3": {"ansible_port": 9}}}}))
    (said,) = refusals(inventories=(INVENTORY, hosts))
    assert re.search(
        r": check3 cannot be reached by ssh as root at 10\.[0-9.]+ \(ansible_host, ansible_user\)", said
    )
    assert "\n" not in said


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("prechecks_distribution_versions=['7']", "has Debian 1"),
        long("prechecks_memory_available_mib=100000000", "prechecks_memory_available_mib asks for 100000000"),
        long("prechecks_disk_free_mib=100000000", "prechecks_disk_free_mib asks for 100000000"),
    ],
)
def test_nodes(option: str, line: str) -> None:
    name, value = option.split("=")
    said = refusals("-e", json.dumps({name: yaml.safe_load(value)}))
    assert {one.split()[0] for one in said} == {"check1", "check2", "check3"}
    assert all(line in one and "\n" not in one for one in said)


BRIDGE_SETTING = "/proc/sys/net/bridge/bridge-nf-call-iptables"
DROPPED = "check2 drops what its bridges forward: iptables' policy of FORWARD is DROP (Docker sets it so)"


@pytest.mark.long
def test_a_bridge_behind_a_firewall_that_drops() -> None:
    """As Docker leaves a host: real iptables, in the node's own network namespace."""
    check2 = node("check2")
    if check2.run(f"echo 1 > {BRIDGE_SETTING}").rc != 0:
        pytest.skip("this kernel gives containers no setting of br_netfilter")
    check2.check_output("apt-get -qq update && apt-get -qq install -y --no-install-recommends iptables")
    check2.check_output("iptables -P FORWARD DROP && iptables -A FORWARD -o docker0 -j ACCEPT")
    (said,) = refusals()
    assert said.startswith(DROPPED) and "net.bridge.bridge-nf-call-iptables is 1" in said
    assert "\n" not in said
    # The cures that it names.
    check2.check_output("iptables -I FORWARD -m physdev --physdev-is-bridged -j ACCEPT")
    accepted()
    check2.check_output(f"iptables -D FORWARD 1 && echo 0 > {BRIDGE_SETTING}")
    accepted()
