"""The article's whole system: nova 2014.1.5 over its QEMU and libvirt, with each of its kinds of network.

Called by `make test-icehouse MIRROR=...`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from analysis.evidence.pcap import Kind, parse_pcap
from tests.icehouse.release import SETTINGS, STUDY, WORDS
from tests.lab import FAILED_RUNS, Lab, on_node, provisioned_lab
from tests.listeners import unexpected

NODES = ("controller", "compute1", "compute2")
TUNNELS = "tunnels"
NETWORKS = {
    "neutron": {},
    "nova-network": {"nova_network_service": "nova-network"},
    TUNNELS: {"neutron_mechanism": "openvswitch"},
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def lab(network: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    settings = {**SETTINGS, "lab_backend": "nova", **NETWORKS[network]}
    with provisioned_lab(tmp_path_factory.mktemp("lab"), f"ice-{network}", settings) as lab:
        yield lab


def test_another_provisioning_changes_nothing(lab: Lab) -> None:
    lab.assert_provisioned()


@pytest.mark.parametrize("node", NODES)
def test_nothing_listens_that_need_not(lab: Lab, node: str) -> None:
    listening = on_node(lab.name, node, "ss -Hlntup")
    assert unexpected(listening, on_node(lab.name, node, "ip -brief address")) == []


def test_the_lab_can_migrate(lab: Lab) -> None:
    lab.succeed("check")


@pytest.fixture(scope="module")
def run(lab: Lab) -> dict[str, Any]:
    done = lab.command("study", STUDY, "--only", "hybrid-*")
    assert done.returncode in (0, FAILED_RUNS), done.stdout[-6000:]
    (run,) = lab.runs("article")
    return run


def test_nova_makes_the_switch_after_one_whole_pass(run: dict[str, Any]) -> None:
    assert run["driver"]["switchover_requested_at"] is None
    assert (run["outcome"], run["cause"], run["valid"]) == ("completed", None, True), run
    assert run["nova"]["instance"] == {"status": "ACTIVE", "host": "compute2"}


def test_both_logs_of_nova_tell_the_articles_times(lab: Lab, run: dict[str, Any]) -> None:
    (directory,) = lab.results("article").glob("runs/*/01")
    for side, line in (
        ("source", "_post_live_migration() is started.."),
        ("destination", "Post operation of migration started"),
    ):
        assert line in (directory / side / "nova-compute.log").read_text(encoding="utf-8")
    assert run["case"] in lab.succeed("report", STUDY)


def test_pings_travel_in_tunnels_where_there_are_some(lab: Lab, network: str, run: dict[str, Any]) -> None:
    """To one host and then to the other; what is lost in between went to the source, or came too early."""
    (directory,) = lab.results("article").glob("runs/*/01")
    for side in ("source", "destination"):
        with (directory / side / "icmp_uplink.pcap").open("rb") as stream:
            capture = parse_pcap(stream, f"{side}/icmp_uplink.pcap")
        pings = capture.kind == Kind.REQUEST
        assert pings.any() and bool(capture.tunnelled[pings].all()) == (network == TUNNELS)


def test_the_lab_says_which_nova_it_has(lab: Lab, run: dict[str, Any]) -> None:
    assert f"nova {WORDS['python_environment_version']}" in (lab.results("article") / "lab.json").read_text(
        encoding="utf-8"
    )
