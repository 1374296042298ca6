"""A lab of three kernels: what holds in containers must hold between machines.

Called by `make test-machines`. The machines are unkind on purpose: none has the inventory's name, only a user
who may use sudo comes in by ssh, and the computes are copies of each other, with one machine-id and SMBIOS
UUID. The tests run in the order of the file: later ones restart a compute and step its clock.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import run_tool
from tests.faults.seen import Seen, guest_words, keep, recorded
from tests.lab import Lab, free_address_prefix, provisioned_lab

NAME = "machines-test"
PREFIX = free_address_prefix()
STUDY = "tests/machines/machines.yml"
NUMBERS = {"controller": 2, "compute1": 11, "compute2": 12}
HOSTNAMES = {
    "controller": "rack1-node07.example.org",
    "compute1": "rack1-node08",
    "compute2": "rack1-node09.example.org",
}
COPY = {"machine_id": "0123456789abcdef0123456789abcdef", "uuid": "11111111-2222-4333-8444-555555555555"}
FOLDER = "/var/lib/nova/instances"
STEP_SECONDS = 5
# How much faster the stepped clock then runs. Linux allows 500.
DRIFT_PPM = 400
# By how much an emulated machine's own clock may go wrong during one study.
CLOCKS_DRIFT_SECONDS = 0.2
RESTART_SECONDS = 600
LOSS = "loss 0.5% delay 5ms"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    settings = {
        "local_nodes_address_prefix": PREFIX,
        "local_nodes_machine_identities": {
            node: {"hostname": hostname, **(COPY if node != "controller" else {})}
            for node, hostname in HOSTNAMES.items()
        },
    }
    with provisioned_lab(tmp_path_factory.mktemp("lab"), NAME, settings, "machines") as made:
        yield made
    assert not list(Path("/run").glob(f"postcopy-lab-{NAME}.*")), "destroy left a machine"
    links = subprocess.run(["ip", "link"], text=True, capture_output=True, check=True).stdout
    assert f"postcopy-lab-{NAME}-" not in links, "destroy left a bridge or a port"
    assert made.results("machines").is_dir(), "destroy must never remove results"


def ssh_words(lab: Lab, node: str, command: str, user: str = "lab") -> list[str]:
    state = lab.state_dir / "ssh"
    return [
        *("ssh", "-i", str(state / "id_ed25519"), "-o", f"UserKnownHostsFile={state / 'known_hosts'}"),
        *("-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20"),
        *(f"{user}@{PREFIX}.0.{NUMBERS[node]}", command),
    ]


def ssh(lab: Lab, node: str, command: str, user: str = "lab") -> subprocess.CompletedProcess[str]:
    return subprocess.run(ssh_words(lab, node, command, user), text=True, capture_output=True, check=False)


def clock_offset(lab: Lab, node: str) -> tuple[float, float]:
    """(offset from this machine's clock, uncertainty) of a node, seconds: the quickest of ten questions."""
    program = "import sys, time\nfor _ in sys.stdin: print(time.time(), flush=True)"
    asked = []
    with subprocess.Popen(
        ssh_words(lab, node, f"python3 -c '{program}'"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as remote:
        assert remote.stdin and remote.stdout
        for _ in range(10):
            left = time.time()
            remote.stdin.write("?\n")
            answer = float(remote.stdout.readline())
            back = time.time()
            asked.append(((back - left) / 2, answer - (left + back) / 2))
        remote.stdin.close()
    uncertainty, offset = min(asked)
    return offset, uncertainty


def on(lab: Lab, node: str, command: str) -> str:
    """What a command printed that root runs on a node; it must not fail."""
    done = ssh(lab, node, f"sudo sh -c '{command}'")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def playbook(lab: Lab, path: str) -> str:
    done = run_tool("ansible-playbook", "--inventory", os.fspath(lab.inventory), path, timeout_seconds=1200)
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def run(lab: Lab, repetition: int) -> dict[str, Any]:
    (path,) = lab.results("machines").glob(f"runs/*/{repetition:02d}/run.json")
    made: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return made


def keep_seen(group: str, fault: str, printed: str, made: dict[str, Any]) -> None:
    """Add a fault that befell a whole run to docs/faults.md."""
    named = f"{made['case']}  {made['repetition']:02d}"
    line = [line.strip() for line in printed.splitlines() if named in line][-1]
    keep(
        Seen(
            group=group,
            fault=fault,
            step="the whole run",
            exit_code=0,
            line=line,
            run=recorded(made),
            guest=guest_words(made),
            left=(),
            earlier_files=0,
            next_run="by the same command",
            seconds=round(made["finished_at"] - made["started_at"]),
        )
    )


def assert_migrated_intact(made: dict[str, Any]) -> None:
    assert (made["outcome"], made["cause"], made["valid"]) == ("completed", None, True), made
    assert made["switchover_check"]["iteration"] == 2
    integrity = made["integrity"]
    assert (integrity["alive_on"], integrity["absent_on"]) == ("compute2", "compute1")
    assert integrity["kernel_log_errors"] == []


def test_kernels_differ_and_names_are_not_the_inventorys(lab: Lab) -> None:
    boots = {on(lab, node, "cat /proc/sys/kernel/random/boot_id") for node in NUMBERS}
    assert len(boots) == 3
    for node, hostname in HOSTNAMES.items():
        assert on(lab, node, "hostname") == hostname


def test_who_comes_in_is_no_root(lab: Lab) -> None:
    assert ssh(lab, "controller", "id --user --name").stdout.strip() == "lab"
    assert ssh(lab, "controller", "true", user="root").returncode == 255


def test_copies_are_two_hosts_to_libvirt(lab: Lab) -> None:
    computes = ("compute1", "compute2")
    for path, value in (
        ("/etc/machine-id", COPY["machine_id"]),
        ("/sys/class/dmi/id/product_uuid", COPY["uuid"]),
    ):
        assert [on(lab, node, f"cat {path}") for node in computes] == [value, value]
    uuids = {on(lab, node, 'virsh capabilities | grep -m 1 "<uuid>"') for node in computes}
    assert len(uuids) == 2
    assert len({on(lab, node, "cat /sys/class/net/br-guest/address") for node in computes}) == 2


def test_the_lab_is_well(lab: Lab) -> None:
    assert "All is well" in lab.succeed("check")


def test_a_guest_is_migrated_between_kernels(lab: Lab) -> None:
    lab.succeed("study", STUDY)
    assert_migrated_intact(run(lab, 1))
    described = json.loads((lab.results("machines") / "lab.json").read_text(encoding="utf-8"))
    assert set(described["nodes"]) == set(NUMBERS)


def test_the_instances_folder_is_the_computes_alone(lab: Lab) -> None:
    playbook(lab, "tests/machines/instances_store.yml")
    again = playbook(lab, "tests/machines/instances_store.yml")
    recap = [line for line in again.splitlines() if "changed=" in line]
    assert len(recap) == 3 and all("changed=0" in line for line in recap), recap
    on(lab, "compute1", f"echo a word > {FOLDER}/tried")
    assert on(lab, "compute2", f"cat {FOLDER}/tried") == "a word"
    assert "nfs4" in on(lab, "compute2", f"findmnt --noheadings --output FSTYPE {FOLDER}")
    refused = ssh(lab, "controller", f"sudo mount -t nfs -o vers=4.2 {PREFIX}.0.2:{FOLDER} /mnt")
    assert "by server" in refused.stderr, "a node that is no compute node could mount it"


def test_a_restarted_compute_comes_back_by_itself(lab: Lab) -> None:
    before = on(lab, "compute2", "cat /proc/sys/kernel/random/boot_id")
    ssh(lab, "compute2", "sudo systemctl reboot")
    started = time.monotonic()
    while ssh(lab, "compute2", "cat /proc/sys/kernel/random/boot_id").stdout.strip() in ("", before):
        assert time.monotonic() - started < RESTART_SECONDS, "compute2 does not come back"
        time.sleep(3)
    on(lab, "compute2", "systemctl is-system-running --wait || systemctl --failed")
    assert on(lab, "compute2", "sysctl -n vm.unprivileged_userfaultfd") == "1"
    assert f"{PREFIX}.1.12/24" in on(lab, "compute2", "ip -brief address show dev migration0")
    assert "master br-guest" in on(lab, "compute2", "ip link show dev guest0")
    assert "rate 100Mbit" in on(lab, "compute2", "tc qdisc show dev migration0")
    assert f"{PREFIX}.1.12:16514" in on(lab, "compute2", "ss --listening --tcp --numeric")
    assert on(lab, "compute2", f"cat {FOLDER}/tried") == "a word"
    needs = on(lab, "compute2", "cat /etc/systemd/system/nova-compute.service.d/postcopy-lab-instances.conf")
    assert f"RequiresMountsFor={FOLDER}" in needs


def test_a_study_asks_for_provisioning_after_the_restart(lab: Lab) -> None:
    """The kit does not trust a node that was started anew; nothing but its mark is missing."""
    refused = lab.command("study", STUDY, "--repetitions", "2")
    assert refused.returncode != 0
    assert "compute2" in refused.stdout and "provision" in refused.stdout
    again = playbook(lab, "playbooks/provision.yml")
    changed = {
        line.split()[0]: line.split("changed=")[1].split()[0]
        for line in again.splitlines()
        if "changed=" in line
    }
    assert changed.pop("compute2") == "2" and set(changed.values()) == {"0"}, changed


def test_a_clock_that_is_wrong_and_drifts_is_no_obstacle(lab: Lab) -> None:
    on(lab, "compute2", f'systemctl stop chrony; date --set "{STEP_SECONDS} seconds"')
    # struct timex of adjtimex(2): modes at 0 (ADJ_FREQUENCY is 2), frequency at 16 in ppm times 65536.
    adjust = (
        "import ctypes, struct; b = ctypes.create_string_buffer(208); "
        f'struct.pack_into("I", b, 0, 2); struct.pack_into("q", b, 16, {DRIFT_PPM} * 65536); '
        "assert ctypes.CDLL(None).adjtimex(b) >= 0"
    )
    done = ssh(lab, "compute2", f"sudo python3 -c '{adjust}'")
    assert done.returncode == 0, done.stderr
    # A machine takes its time from a clock of whole seconds when it starts, so the two were not alike before.
    (ahead, ours), (behind, theirs) = clock_offset(lab, "compute2"), clock_offset(lab, "controller")
    asked_at = time.monotonic()
    printed = lab.succeed("study", STUDY, "--repetitions", "2")
    assert_migrated_intact(run(lab, 2))
    keep_seen(
        "node",
        f"compute2's clock is {STEP_SECONDS} s ahead and gains {DRIFT_PPM} ppm",
        printed,
        run(lab, 2),
    )
    lab.succeed("report", STUDY)
    measured = [row for row in table(lab, "clock.csv", 2) if row["node"] == "compute2"]
    assert measured and all(float(row["jumps"]) == 0 for row in measured), measured
    drifted = DRIFT_PPM * 1e-6 * (time.monotonic() - asked_at)
    for row in measured:
        allowed = ours + theirs + float(row["uncertainty_seconds"]) + drifted + CLOCKS_DRIFT_SECONDS
        assert float(row["offset_seconds"]) == pytest.approx(ahead - behind, abs=allowed)


def table(lab: Lab, name: str, repetition: int) -> list[dict[str, str]]:
    """The rows of a table of the report that are of one repetition."""
    text = (lab.results("machines") / "report/csv" / name).read_text(encoding="utf-8")
    return [row for row in csv.DictReader(text.splitlines()) if row["run"].endswith(f"{repetition:02d}")]


def test_the_report_puts_the_clocks_right(lab: Lab) -> None:
    assert "Traceback" not in lab.succeed("report", STUDY)
    page = (lab.results("machines") / "report/report.html").read_text(encoding="utf-8")
    assert "hybrid-s-stress-1x64mib-100mbit" in page
    for repetition in (1, 2):
        (metrics,) = table(lab, "runs.csv", repetition)
        # Without the offsets it would be 5 s longer in the second run.
        assert 0 < float(metrics["downtime_seconds"]) < STEP_SECONDS / 2, metrics


def test_a_lossy_link_is_measured_like_any_other(lab: Lab) -> None:
    """What a machine's own kernel can do, and that of a container's host may not."""
    tbf = on(lab, "compute1", 'tc qdisc show dev migration0 | grep -o "tbf [0-9a-f]*:"').split()[1]
    on(lab, "compute1", f"tc qdisc add dev migration0 parent {tbf}1 netem {LOSS}")
    printed = lab.succeed("study", STUDY, "--repetitions", "3")
    assert "dropped 0," not in on(lab, "compute1", "tc -s qdisc show dev migration0 | grep -A 1 netem")
    on(lab, "compute1", f"tc qdisc del dev migration0 parent {tbf}1")
    assert_migrated_intact(run(lab, 3))
    keep_seen("migration link", f"netem on the source: {LOSS}", printed, run(lab, 3))


def test_results_of_machines_are_predicted_from_and_compared(lab: Lab) -> None:
    results = os.fspath(lab.results("machines"))
    size = ("--ram", "256M", "--stressed", "64M", "--rate", "100M")
    predicted = lab.command("predict", *size, "--from", results)
    # Two runs of one load are no line to predict from, and that is said in one line.
    assert predicted.returncode in (0, 2) and "Traceback" not in predicted.stdout, predicted.stdout
    compared = lab.succeed("compare", results, results)
    assert "hybrid-s-stress-1x64mib-100mbit" in compared
