"""The programs that run on nodes, as far as they are pure or run anywhere."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postcopy.lab.plugins.module_utils import agent_client, guest_domain, node_texts
from ansible_collections.postcopy.lab.plugins.module_utils.node import (
    captures,
    errors,
    jsonl,
    libvirt_events,
    migrate,
    pings,
    probe,
    processes,
    qmp,
    ticks,
)

from analysis.evidence.ping import parse_ping
from contract.modes import Mode
from tests.node.pure_parts import GUEST

PROC_NET_DEV = Path("/proc/net/dev").read_text()


@pytest.mark.parametrize(
    ("mode", "iteration", "elapsed", "switched", "aborted", "action"),
    [
        ("hybrid", 0, 1, False, False, None),
        ("hybrid", 1, 1, False, False, None),
        ("hybrid", 2, 1, False, False, "switchover"),
        ("hybrid", 2, 31, False, False, "switchover"),
        ("hybrid", 2, 1, True, False, None),
        ("hybrid", 3, 100, True, False, None),
        ("hybrid", 3, 151, True, False, "give-up"),
        ("hybrid", 1, 31, False, False, "abort"),
        ("postcopy", 0, 1, False, False, None),
        ("postcopy", 1, 1, False, False, "switchover"),
        ("precopy", 9, 29, False, False, None),
        ("precopy", 9, 31, False, False, "abort"),
        ("precopy", 9, 32, False, True, None),
        ("precopy", 9, 151, False, True, "give-up"),
    ],
)
def test_what_a_migration_does_when(
    mode: str, iteration: int, elapsed: float, switched: bool, aborted: bool, action: str | None
) -> None:
    switchover = Mode.named(mode).switchover_iteration
    assert migrate.next_action(switchover, iteration, elapsed, 30, 150, switched, aborted) == action


# Values of wp3's libvirt-domain.h; it has no VIR_MIGRATE_POSTCOPY and no event of iterations.
WP3 = {
    "VIR_MIGRATE_LIVE": 1,
    "VIR_MIGRATE_PEER2PEER": 2,
    "VIR_MIGRATE_ENABLE_POSTCOPY": 1 << 15,
    "VIR_MIGRATE_POSTCOPY_AFTER_PRECOPY": 1 << 16,
    "VIR_DOMAIN_JOB_BOUNDED": 1,
}
UPSTREAM = {"VIR_MIGRATE_LIVE": 1, "VIR_MIGRATE_PEER2PEER": 2, "VIR_MIGRATE_POSTCOPY": 1 << 15}


def bare_migration(constants: dict[str, int], mode: str) -> migrate.Migration:
    """A migration that is connected to nothing."""
    migration = object.__new__(migrate.Migration)
    migration.libvirt = types.SimpleNamespace(**constants)
    migration.settings = {"switchover_iteration": Mode.named(mode).switchover_iteration, "tls": False}
    migration.changed = threading.Condition()
    migration.iteration = 0
    migration.result = {"switched": False, "job_before_switchover": None, "iteration_at_switchover": None}
    return migration


@pytest.mark.parametrize(
    ("constants", "mode", "flags"),
    [
        (UPSTREAM, "precopy", 3),
        (UPSTREAM, "hybrid", 3 | 1 << 15),
        (UPSTREAM, "postcopy", 3 | 1 << 15),
        (WP3, "precopy", 3),
        (WP3, "hybrid", 3 | 1 << 15 | 1 << 16),
        (WP3, "postcopy", 3 | 1 << 15),
    ],
)
def test_flags_are_those_that_the_binding_has(constants: dict[str, int], mode: str, flags: int) -> None:
    assert bare_migration(constants, mode).flags() == flags


def test_without_events_the_switchover_is_seen_in_the_kind_of_job() -> None:
    migration = bare_migration(WP3, "hybrid")
    first, last = {"type": 2, "memory_processed": 1}, {"type": 2, "memory_processed": 9}
    for job in (first, last):
        migration.infer_events(job)
    # Iteration 1: the mode postcopy may ask for the switchover; the mode hybrid leaves it to libvirt.
    assert (migration.iteration, migration.result["switched"]) == (1, False)
    migration.infer_events({"type": 1, "memory_processed": 10})
    assert migration.result == {
        "switched": True,
        "job_before_switchover": last,
        "iteration_at_switchover": None,
    }


def test_libvirts_versions_are_numbers() -> None:
    assert migrate.version_text(11003000) == "11.3.0"
    assert migrate.version_text(10000013) == "10.0.13"


def test_lifecycle_events_have_libvirts_names() -> None:
    assert libvirt_events.lifecycle_names(3, 7) == ("SUSPENDED", "POSTCOPY")
    assert libvirt_events.lifecycle_names(4, 3) == ("RESUMED", "POSTCOPY")
    assert libvirt_events.lifecycle_names(5, 3) == ("STOPPED", "MIGRATED")
    assert libvirt_events.lifecycle_names(2, 99) == ("STARTED", "99")
    assert libvirt_events.lifecycle_names(99, 1) == ("99", "1")


def test_counters_of_the_wanted_interfaces_only() -> None:
    (record,) = probe.read_counters(PROC_NET_DEV, ["lo"])
    assert record["interface"] == "lo"
    assert set(record) == {"interface", "rx_bytes", "rx_packets", "tx_bytes", "tx_packets"}
    # What a machine sends to itself it receives.
    assert record["rx_bytes"] == record["tx_bytes"]
    assert probe.read_counters(PROC_NET_DEV, ["nothing0"]) == []


def test_lines_are_whole_json_with_their_time(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    lines = jsonl.JsonLines(str(path))
    threads = [
        threading.Thread(target=lambda: [lines.write({"a": "é"}) for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines.write({"event": "given"}, at=12.5)
    lines.close()
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(records) == 201
    assert records[-1] == {"event": "given", "t": 12.5}
    assert abs(records[0]["t"] - time.time()) < 60


def test_a_line_that_cannot_be_written_names_its_file() -> None:
    with pytest.raises(OSError) as error:
        jsonl.JsonLines("/dev/full").write({"a": 1})
    assert errors.described(error.value) == "/dev/full: No space left on device"


def test_ticks_keep_their_rate_and_skip_what_was_missed() -> None:
    stop = threading.Event()
    times = []
    for _ in ticks.ticks(50, stop):
        times.append(time.time())
        if len(times) == 3:
            time.sleep(0.2)
        if len(times) == 6:
            stop.set()
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[2] >= 0.2
    assert all(gap >= 0.005 for gap in gaps[3:])


def test_a_pid_file_of_another_program_is_none_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PID_DIRECTORY", str(tmp_path / "pids"))
    assert processes.running_pid("probe") is None
    assert processes.stop("probe") is False
    processes.write_pid("probe")
    # This test's own process is not "python -m node.probe", whatever the file says.
    assert processes.running_pid("probe") is None
    assert processes.stop("probe") is False
    assert not (tmp_path / "pids" / "probe.pid").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="a raw socket is root's")
def test_the_finer_ping_runs_until_it_is_stopped_and_is_read_as_ping_is() -> None:
    settings = {"period": 0.01, "payload": 16, "steady": True}
    _python, _module, program, arguments = pings.command(settings, "127.0.0.1")
    command = [sys.executable, "-m", program.split("module_utils.")[1], arguments]
    folder = Path(pings.__file__).parents[1]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=10)[0]
    log = parse_ping(said.splitlines(keepends=True), "ping_fine.log")
    assert process.returncode == 0
    assert len(log.answered) > 20 and len(log.lost) == 0 and log.doubts == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="a raw socket is root's")
def test_a_ping_that_is_killed_is_told_and_the_other_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = json.dumps({"address": "127.0.0.1", "period": 0.01, "payload": 16})
    program = [sys.executable, "-c", f"from node import steady_ping; steady_ping.main({settings})"]
    monkeypatch.setenv("PYTHONPATH", str(Path(pings.__file__).parents[1]))
    monkeypatch.setattr(pings, "command", lambda _ping, _address: program)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as guest:
        arguments = ({"ping.log": {}, "ping_fine.log": {}}, *guest.getsockname(), str(tmp_path), stop)
        thread = threading.Thread(target=pings.run, args=arguments)
        thread.start()
        fine = wait_for_lines(tmp_path / "ping_fine.log")
        wait_for_lines(tmp_path / "ping.log")
        (killed,) = pings_into(tmp_path / "ping_fine.log")
        os.kill(killed, signal.SIGKILL)
        time.sleep(0.2)
        stop.set()
        thread.join(10)
    assert capfd.readouterr().err == (
        "ping_fine.log: ping: killed by signal 9 (SIGKILL) before it was stopped\n"
    )
    assert "ping statistics" in (tmp_path / "ping.log").read_text()
    assert "ping statistics" not in fine.read_text()


def wait_for_lines(path: Path) -> Path:
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text().count("bytes from") > 2):
        assert time.monotonic() < deadline, path
        time.sleep(0.02)
    return path


def pings_into(path: Path) -> list[int]:
    """Processes of this test whose standard output is this file."""
    outputs = Path("/proc").glob("[0-9]*/fd/1")
    return [int(output.parts[2]) for output in outputs if os.path.realpath(output) == str(path)]


def test_a_thread_that_dies_is_told_with_what_it_was_to_record(capfd: pytest.CaptureFixture[str]) -> None:
    def write() -> None:
        raise OSError(28, "No space left on device")

    probe.start_thread("nic.jsonl", write).join()
    assert capfd.readouterr().err == "nic.jsonl: OSError: [Errno 28] No space left on device\n"


def test_nobody_answers_on_a_closed_port() -> None:
    assert pings.guest_answers("127.0.0.1", 1) is False
    with pytest.raises(agent_client.AgentError, match=r"^status: no answer from 127.0.0.1 port 1: "):
        agent_client.ask("127.0.0.1", 1, "status", 1)


def test_a_dead_guests_silence_ends() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as guest,
        socket.create_connection(guest.getsockname()) as ours,
    ):
        agent_client.keep_alive(ours)
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        first, then, count = (
            ours.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
    assert first + then * count == 20


def test_sockets_of_dead_guests_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qmp, "DIRECTORY", str(tmp_path / "q"))
    connection = types.SimpleNamespace(
        listAllDomains=lambda _flags: [types.SimpleNamespace(name=lambda: "postcopy-lab-next")]
    )
    assert guest_domain.destroy(None, connection, "postcopy-lab-x") == []
    (tmp_path / "q").mkdir()
    for name in ("postcopy-lab-x", "postcopy-lab-next"):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(qmp.socket_path(name))
    assert guest_domain.destroy(None, connection, "postcopy-lab-x") == []
    assert [path.name for path in (tmp_path / "q").iterdir()] == ["postcopy-lab-next"]


def settings(**changes: object) -> dict[str, object]:
    return {**GUEST, "accelerator": "tcg", "qemu_arguments": [], **changes}


def test_the_guest_is_a_domain_without_disks() -> None:
    from xml.etree import ElementTree

    domain = ElementTree.fromstring(guest_domain.domain_xml(settings()))
    assert domain.get("type") == "qemu"
    assert domain.findtext("os/kernel") == "/k&r/vmlinuz"
    assert domain.findtext("os/cmdline") == ("console=ttyS0 lab.address=10.91.2.100 lab.prober=10.91.2.10")
    assert domain.findtext("memory") == str(2**31)
    assert domain.find("devices/disk") is None
    assert domain.find("cpu") is None
    kvm = ElementTree.fromstring(
        guest_domain.domain_xml(settings(accelerator="kvm", qemu_arguments=["-x", "a b"]))
    )
    assert kvm.get("type") == "kvm"
    assert kvm.find("cpu") is not None
    arguments = kvm.findall("{http://libvirt.org/schemas/domain/qemu/1.0}commandline/*")
    assert [argument.get("value") for argument in arguments] == ["-x", "a b"]


def test_facts_of_this_very_machine() -> None:
    assert node_texts.processors(Path("/proc/cpuinfo").read_text())["cpus"] >= 1
    memory = node_texts.memory(Path("/proc/meminfo").read_text())
    assert 0 < memory["memory_available_bytes"] < memory["memory_bytes"]
    mine = node_texts.proportional_bytes(Path("/proc/self/smaps_rollup").read_text())
    assert 1024 * 1024 < mine < memory["memory_bytes"]
    assert node_texts.proportional_bytes("") == 0
    assert (
        node_texts.os_name('PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\n')
        == "Debian GNU/Linux 13 (trixie)"
    )
    assert node_texts.os_name("") is None
    text = "ii qemu-system-x86 1:10.0.2+ds-1\nrc libvirt0 9.0\nun nova \n"
    assert node_texts.installed_packages(text) == {"qemu-system-x86": "1:10.0.2+ds-1"}


LISTENING = "tcpdump: listening on vnet0, link-type EN10MB (Ethernet), snapshot length 64 bytes\n"
COUNTS = "10 packets captured\n12 packets received by filter\n0 packets dropped by kernel"


@pytest.mark.parametrize(
    ("said", "code", "stays", "faults"),
    [
        (LISTENING + COUNTS, 0, True, ["ended with code 0"]),
        (LISTENING + "tcpdump: pcap_loop: The interface disappeared\n" + COUNTS, 1, False, []),
        (
            LISTENING + "tcpdump: pcap_loop: The interface disappeared\n" + COUNTS,
            1,
            True,
            ["pcap_loop: The interface disappeared"],
        ),
        (
            LISTENING + "tcpdump: pcap_loop: recvfrom: Network is down\n" + COUNTS,
            1,
            False,
            ["pcap_loop: recvfrom: Network is down"],
        ),
        (
            LISTENING + "tcpdump: pcap_loop: The interface went down\n10 packets captured",
            1,
            False,
            ["pcap_loop: The interface went down"],
        ),
        (LISTENING + "tcpdump: vnet0: That device is not up", 1, False, ["vnet0: That device is not up"]),
        ("dropped privs to root\n" + LISTENING, -9, False, ["killed by signal 9 (SIGKILL)"]),
        (LISTENING, -64, False, ["killed by signal 64 (SIGRTMAX)"]),
        (LISTENING, -50, False, ["killed by signal 50 (unknown)"]),
    ],
)
def test_why_tcpdump_ended(said: str, code: int, stays: bool, faults: list[str]) -> None:
    """tcpdump's own texts; whatever comes first, the line with the reason is told."""
    recorder = captures.Captures("/nowhere")
    recorder._running = [(ended_process(said, code), "icmp.pcap", stays)]
    assert recorder.stop() == [f"icmp.pcap: tcpdump: {fault}" for fault in faults]


def test_packets_that_the_kernel_dropped_are_told() -> None:
    recorder = captures.Captures("/nowhere")
    said = LISTENING + "10 packets captured\n90 packets received by filter\n80 packets dropped by kernel"
    recorder._running = [(ended_process(said, 0, running=True), "icmp.pcap", True)]
    assert recorder.stop() == ["icmp.pcap: tcpdump: 80 packets dropped by kernel"]


def ended_process(said: str, code: int, running: bool = False) -> Any:
    """What Captures wants of a process that said this, and ended of itself unless `running`."""
    return types.SimpleNamespace(
        poll=lambda: None if running else code,
        send_signal=lambda _signal: None,
        communicate=lambda: (b"", said.encode()),
        returncode=code,
    )


def test_events_of_another_domain_are_none_of_ours() -> None:
    callbacks = []
    connection = types.SimpleNamespace(
        domainEventRegisterAny=lambda _domain, _number, callback, _opaque: callbacks.append(callback)
    )
    received: list[dict[str, Any]] = []
    libvirt_events.subscribe(
        types.SimpleNamespace(VIR_DOMAIN_EVENT_ID_LIFECYCLE=0),
        connection,
        "ours",
        lambda record, _at: received.append(record),
    )
    (on_lifecycle,) = callbacks
    for name in ("theirs", "ours", "ours-too"):
        on_lifecycle(connection, types.SimpleNamespace(name=lambda name=name: name), 4, 1, None)
    assert received == [{"event": "lifecycle", "name": "RESUMED", "detail": "MIGRATED"}]
