"""Which networks of a machine are in the way of a lab's, and which prefix is free."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.postcopy.lab.plugins.filter.networks_in_use import free_prefixes, networks_in_use

from tests.conftest import PROJECT

# As a machine printed them with two networks of podman's own, of which only the lab's has containers.
PRINTED = """\
interface lo 127.0.0.1/8
interface eth0 172.17.4.2/16
interface cni-podman1 10.91.0.1/24
interface docker0 10.93.2.1/20
route eth0 172.17.0.0/16
route cni-podman1 10.91.0.0/24
route tun0 10.0.0.0/8
route tun0 10.95.1.128/25
podman podman cni-podman0 10.88.0.0/16
podman postcopy-lab-local-management cni-podman1 10.91.0.0/24
podman postcopy-lab-local-guest cni-podman3 10.91.2.0/24
podman other cni-podman2 10.96.1.0/24 fd00::/64
"""


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("10.91", ["10.91.0.0/24 (podman network postcopy-lab-local-management)",
                   "10.91.2.0/24 (podman network postcopy-lab-local-guest)"]),
        ("10.92", []),
        ("10.93", ["10.93.0.0/20 (interface docker0)"]),
        ("10.95", ["10.95.1.128/25 (route tun0)"]),
        ("10.96", ["10.96.1.0/24 (podman network other)"]),
        ("10.88", ["10.88.0.0/16 (podman network podman)"]),
    ],
)  # fmt: skip
def test_what_is_in_the_way(prefix: str, found: list[str]) -> None:
    assert networks_in_use(PRINTED, prefix) == found


def test_the_labs_own_networks_are_not_in_its_way() -> None:
    assert networks_in_use(PRINTED, "10.91", ["postcopy-lab-local-"]) == []
    assert networks_in_use(PRINTED, "10.96", ["postcopy-lab-local-"]) != []
    # A lab of machines has bridges and no podman.
    assert networks_in_use("interface pl1a2b3c-m 10.97.0.1/24\n", "10.97", ["pl1a2b3c-"]) == []


def test_free_prefixes() -> None:
    free = list(free_prefixes(PRINTED))
    assert free[:3] == ["10.92", "10.94", "10.97"]
    assert free[-1] == "10.254"


def test_this_machine_can_be_read() -> None:
    script = PROJECT / "roles/local_nodes/files/machine_networks.sh"
    printed = subprocess.run(["sh", script], text=True, capture_output=True, check=True).stdout
    assert "interface lo 127.0.0.1/8" in printed.splitlines()
    assert networks_in_use(printed, "127.0") == ["127.0.0.0/8 (interface lo)"]
