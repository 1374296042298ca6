"""The main job, small: a lab is provisioned, one guest is migrated for real, its evidence is checked."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from analysis.run.causes import Cause
from tests.conftest import run_tool
from tests.lab import Lab, assert_secrets_are_kept, bundle_of, provisioned_lab, secrets_of
from tests.listeners import unexpected
from tests.stranger import CONNECT, what_a_stranger_gets

LAB = "ci"
STUDY = "tests/integration/study.yml"
RATE_BITS_PER_SECOND = 200e6
OUTAGE_STUDY = "tests/integration/outage.yml"
STRESSED_BYTES = 64 * 1024 * 1024
RAW_FILES = {
    "source/job.jsonl",
    "source/events.jsonl",
    "source/nic.jsonl",
    "source/icmp.pcap",
    "source/icmp_uplink.pcap",
    "source/console.log",
    "source/qemu.log",
    "destination/events.jsonl",
    "destination/nic.jsonl",
    "destination/icmp.pcap",
    "destination/icmp_uplink.pcap",
    "destination/qemu_migrate.json",
    "destination/console.log",
    "destination/qemu.log",
    "prober/ping.log",
    "prober/ping_fine.log",
    "prober/icmp.pcap",
    "prober/clock.jsonl",
    "guest/progress.jsonl",
    "guest/kernel_log.txt",
}


def podman(*arguments: str) -> str:
    return subprocess.run(["podman", *arguments], text=True, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    settings = {"lab_network_link_rate": "200mbit"}
    with provisioned_lab(tmp_path_factory.mktemp("lab"), LAB, settings) as made:
        yield made
    left = podman("ps", "--all", "--format", "{{.Names}}") + podman("network", "ls", "--format", "{{.Name}}")
    assert f"postcopy-lab-{LAB}-" not in left
    assert results(made).is_dir(), "destroy must never remove results"


def results(lab: Lab) -> Path:
    return lab.results("study")


@pytest.fixture(scope="module")
def study_output(lab: Lab) -> str:
    return lab.succeed("study", STUDY)


@pytest.fixture(scope="module")
def run_directory(lab: Lab, study_output: str) -> Path:
    (found,) = results(lab).glob("runs/*/*/run.json")
    return found.parent


@pytest.fixture(scope="module")
def run(run_directory: Path) -> Any:
    return json.loads((run_directory / "run.json").read_text(encoding="utf-8"))


def test_the_guest_was_migrated_intact(run: Any) -> None:
    assert (run["outcome"], run["cause"], run["valid"]) == ("completed", None, True), run
    integrity = run["integrity"]
    assert (integrity["alive_on"], integrity["absent_on"]) == ("compute2", "compute1")
    assert integrity["kernel_log_errors"] == []
    assert integrity["stressor_alive"] and integrity["stressor_progressing"]
    pattern = integrity["pattern"]
    assert pattern["pages"] == 4 * 256 and pattern["generation"] > 1
    assert (pattern["bad_pages"], pattern["stale_pages"], pattern["torn_pages"]) == (0, 0, 0)


def test_it_switched_after_exactly_one_pass(run: Any) -> None:
    assert run["switchover_check"]["iteration"] == 2
    assert 0.85 <= run["switchover_check"]["ratio"] <= 1.3
    assert run["ended_in"] == "postcopy"
    driver = run["driver"]
    assert (
        driver["requested_at"]
        < driver["first_pass_at"]
        <= driver["switchover_requested_at"]
        < driver["finished_at"]
    )


def test_qemu_allowed_the_downtime_that_the_study_asked_for(run: Any) -> None:
    assert (run["spec"]["max_downtime_ms"], run["driver"]["max_downtime_ms"]) == ("native", 300)


def test_the_run_directory_keeps_the_data_contract(run_directory: Path, run: Any) -> None:
    sums = dict(
        reversed(line.split("  ")) for line in (run_directory / "SHA256SUMS").read_text().splitlines()
    )
    files = {
        path.relative_to(run_directory).as_posix() for path in run_directory.rglob("*") if path.is_file()
    }
    assert files - {"run.json", "SHA256SUMS"} == set(sums)
    assert set(sums) >= RAW_FILES
    for name, expected in sums.items():
        assert hashlib.sha256((run_directory / name).read_bytes()).hexdigest() == expected, name
    assert run["schema"] == 2 and run["spec"]["stressed_bytes"] == STRESSED_BYTES


def test_the_wire_carried_the_guest_at_the_shaped_rate(run_directory: Path, run: Any) -> None:
    lines = [json.loads(line) for line in (run_directory / "source/nic.jsonl").read_text().splitlines()]
    sent = [
        (line["t"], line["tx_bytes"])
        for line in lines
        if line["interface"] == "migration0"
        and run["driver"]["requested_at"] <= line["t"] <= run["driver"]["finished_at"]
    ]
    (first_t, first_bytes), (last_t, last_bytes) = sent[0], sent[-1]
    assert last_bytes - first_bytes > 1.5 * STRESSED_BYTES, (
        "the stressed memory travels twice in a hybrid migration"
    )
    assert (last_bytes - first_bytes) * 8 / (last_t - first_t) < 1.1 * RATE_BITS_PER_SECOND


def test_the_lab_and_the_study_are_described(lab: Lab, run: Any) -> None:
    described = json.loads((results(lab) / "lab.json").read_text(encoding="utf-8"))
    assert set(described["nodes"]) == {"controller", "compute1", "compute2"}
    assert described["nodes"]["compute1"]["qemu_version"].startswith(run["qemu_version"])
    for link in described["link"]["measured"]:
        assert 0.85 <= link["measured_bits_per_second"] / RATE_BITS_PER_SECOND <= 1.05
    study = json.loads((results(lab) / "study.json").read_text(encoding="utf-8"))
    assert study["order"] == [[run["case"], 1]]


def test_a_second_study_makes_no_run_again(lab: Lab, run_directory: Path) -> None:
    before = (run_directory / "run.json").stat().st_mtime_ns
    lab.succeed("study", STUDY, "--resume")
    assert (run_directory / "run.json").stat().st_mtime_ns == before


def test_the_report_is_one_file(lab: Lab, study_output: str) -> None:
    lab.succeed("report", STUDY)
    page = (results(lab) / "report/report.html").read_text(encoding="utf-8")
    assert "hybrid-s-stress-1x64mib-200mbit" in page
    assert 'src="http' not in page and 'href="http://' not in page.replace('href="http://www.w3.org', "")


def guests(lab: Lab) -> str:
    names = (f"postcopy-lab-{LAB}-{node}" for node in ("compute1", "compute2"))
    return "".join(podman("exec", name, "virsh", "list", "--all", "--name") for name in names).strip()


@pytest.mark.parametrize("node", ["controller", "compute1", "compute2"])
def test_nothing_listens_that_need_not(lab: Lab, study_output: str, node: str) -> None:
    name = f"postcopy-lab-{LAB}-{node}"
    sockets = podman("exec", name, "ss", "-Hlntup")
    assert sockets and unexpected(sockets, podman("exec", name, "ip", "-brief", "address")) == []


@pytest.fixture
def guest_address(lab: Lab) -> Iterator[str]:
    """A guest that runs beside the studies, on the first compute node."""
    prober = podman(
        "exec", f"postcopy-lab-{LAB}-controller", "ip", "-4", "-brief", "address", "show", "guest0"
    )
    network = prober.split()[2].rpartition(".")[0]
    settings = {
        "name": "postcopy-lab-asked",
        "memory_bytes": 512 << 20,
        # No guest of a study has this one.
        "address": f"{network}.200",
        "prober_address": prober.split()[2].partition("/")[0],
        "mac": "52:54:00:91:02:64",
    }
    on_compute1(lab, settings)
    yield f"{network}.200"
    on_compute1(lab, {"name": "postcopy-lab-asked", "state": "absent"})


def on_compute1(lab: Lab, settings: Mapping[str, object]) -> None:
    arguments = ("-m", "postcopy.lab.guest", "-a", json.dumps(settings))
    done = run_tool("ansible", "compute1", "--inventory", os.fspath(lab.inventory), *arguments)
    assert done.returncode == 0 and "CHANGED" in done.stdout, done.stdout


def test_a_guest_answers_nobody_but_the_prober(lab: Lab, guest_address: str) -> None:
    until_it_answers = f"until {CONNECT.format(guest=guest_address)} 2>/dev/null; do sleep 1; done"
    podman("exec", f"postcopy-lab-{LAB}-controller", "timeout", "90", "bash", "-c", until_it_answers)
    said = what_a_stranger_gets(
        lambda script: podman("exec", f"postcopy-lab-{LAB}-compute1", "sh", "-c", script), guest_address
    )
    # Both were on one network, and heard of each other.
    assert "52:54:00:91:02:64" in said
    assert "answered" not in said


def test_a_check_that_fails_is_cleaned_up_and_the_next_one_passes(lab: Lab) -> None:
    # The first pass over the guest's memory takes several seconds at this rate.
    limit = lab.inventory / "group_vars/all/zz_limit.yml"
    limit.write_text("lab_check_limit_seconds: 1\n", encoding="utf-8")
    failed = lab.command("check")
    limit.unlink()
    assert failed.returncode == 1, failed.stdout[-6000:]
    assert "no end of the migration within its limit (not_converged)" in failed.stdout
    assert guests(lab) == ""
    assert len(list(lab.state_dir.glob("check/results/check/*/runs/*/01/run.json"))) == 1
    assert "All is well" in lab.succeed("check")
    assert guests(lab) == ""
    assert not (lab.state_dir / "check").exists()
    assert not (lab.results_dir / "check").exists()


def test_its_support_bundle_has_all_but_secrets(lab: Lab, run_directory: Path, tmp_path: Path) -> None:
    lab.succeed("support-bundle", str(run_directory), "--output", str(tmp_path / "bundle.tar.gz"))
    members = bundle_of(tmp_path / "bundle.tar.gz")
    assert members.keys() >= {f"run/{name}" for name in RAW_FILES}
    assert {"provision", "study"} <= {name.split("-")[1] for name in members if name.startswith("logs/")}
    secrets = secrets_of(lab.state_dir)
    assert len(secrets) >= 20
    assert not [name for name in members for secret in secrets if secret.encode() in members[name]]


def test_secrets_are_in_their_own_files_alone(lab: Lab, run_directory: Path) -> None:
    assert_secrets_are_kept(lab, {"ssh", "ca"})


def test_a_second_provision_changes_nothing(lab: Lab) -> None:
    lab.assert_provisioned()


@pytest.fixture(scope="module")
def causes(lab: Lab) -> dict[str, Counter[str]]:
    """How many pings of the article's kind were lost by what cause, for each case of the outage study."""
    lab.succeed("study", OUTAGE_STUDY)
    lab.succeed("report", OUTAGE_STUDY)
    lost: dict[str, Counter[str]] = {}
    path = lab.results("outage") / "report/csv/attribution.csv"
    for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        if row["ping"] == "100 ms":
            lost.setdefault(row["case"], Counter())[row["cause"]] += 1
    return lost


@pytest.mark.parametrize(
    ("network", "cause"),
    [
        ("stale-fdb", Cause.STALE_ANNOUNCED),
        ("delayed-announcement", Cause.STALE_UNANNOUNCED),
        ("late-wiring", Cause.UNWIRED),
    ],
)
def test_an_outage_of_known_cause_is_attributed_to_it(
    causes: dict[str, Counter[str]], network: str, cause: Cause
) -> None:
    found = causes[f"hybrid-s-stress-1x64mib-200mbit-{network}"]
    # The network is kept in the dark for 2 seconds after the migration at least.
    assert found[cause] >= 20
    assert found[cause] >= 0.9 * found.total(), found


def test_the_switch_is_left_as_it_was(lab: Lab, causes: dict[str, Counter[str]]) -> None:
    switch = podman(
        "network", "inspect", f"postcopy-lab-{LAB}-guest", "--format", "{{.NetworkInterface}}"
    ).strip()
    held = subprocess.run(
        ["bridge", "fdb", "show", "br", switch], text=True, capture_output=True, check=True
    ).stdout
    assert " sticky " not in held
    ports = list(Path(f"/sys/class/net/{switch}/brif").iterdir())
    assert len(ports) == 3 and all((port / "learning").read_text().strip() == "1" for port in ports)


# What QEMU's migration stream begins with, and a TLS connection: the record of a client's first message.
QEMU_MAGIC, TLS_CLIENT_HELLO = re.compile(rb"QEVM"), re.compile(rb"\x16\x03\x01..\x01", re.DOTALL)


def captured_stream(lab: Lab, file: Path) -> bytes:
    """The first packets of the migration that `check` makes, as they leave compute1."""
    capture = ["tcpdump", "-i", "migration0", "-s", "256", "-c", "500", "-U", "-w", "-"]
    stream_to_qemu = "tcp dst portrange 49152-49215"
    with file.open("wb") as content:
        command = ["podman", "exec", f"postcopy-lab-{LAB}-compute1", *capture, stream_to_qemu]
        with subprocess.Popen(command, stdout=content, stderr=subprocess.DEVNULL) as tcpdump:
            lab.succeed("check")
            assert tcpdump.wait(timeout=30) == 0
    return file.read_bytes()


@pytest.mark.long
def test_an_encrypted_stream_is_one_on_the_wire(lab: Lab, tmp_path: Path) -> None:
    plain = captured_stream(lab, tmp_path / "plain.pcap")
    (lab.inventory / "group_vars/all/zz_tls.yml").write_text("libvirt_migration_stream_tls: true\n")
    lab.succeed("provision")
    encrypted = captured_stream(lab, tmp_path / "encrypted.pcap")
    assert QEMU_MAGIC.search(plain) and not TLS_CLIENT_HELLO.search(plain)
    assert TLS_CLIENT_HELLO.search(encrypted) and not QEMU_MAGIC.search(encrypted)
