"""What is written down of a run and of a lab."""

import hashlib
import json
import os
import socket
import subprocess
import tarfile
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.postcopy.lab.plugins.module_utils import agent_client

from control import lab_description, plan, run_document, run_files, run_record, study_files
from control.study import StudyError

PROJECT = Path(__file__).parents[3]


def archive(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as packed:
        for name, text in files.items():
            source = path.parent / "content"
            source.write_text(text)
            packed.add(source, arcname=name)
    return path


def test_archives_become_a_run_directory_with_checksums(tmp_path: Path) -> None:
    archives = {
        "source": archive(
            tmp_path / "s.tar.gz", {"job.jsonl": "{}", "events.jsonl": "{}", "nic.jsonl": "{}"}
        ),
        "destination": archive(tmp_path / "d.tar.gz", {"events.jsonl": "{}", "nic.jsonl": ""}),
        "prober": archive(tmp_path / "p.tar.gz", {"ping.log": "x", "guest/progress.jsonl": "{}"}),
    }
    run = tmp_path / "run"
    run.mkdir()
    run_files.unpack(archives, run)
    assert run_files.missing_files(run) == [
        "destination/nic.jsonl",
        "destination/icmp.pcap",
        "destination/icmp_uplink.pcap",
        "destination/links.jsonl",
        "guest/kernel_log.txt",
        "prober/ping_fine.log",
        "prober/icmp.pcap",
        "prober/clock.jsonl",
        "source/icmp.pcap",
        "source/icmp_uplink.pcap",
    ]
    assert run_files.missing_files(run, "nova")[-2:] == [
        "source/nova-compute.log",
        "destination/nova-compute.log",
    ]
    assert not (run / "prober" / "guest").exists()
    run_files.write_checksums(run)
    checked = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=run, capture_output=True, check=True)
    assert len(checked.stdout.splitlines()) == 7
    digest = hashlib.sha256(b"x").hexdigest()
    assert f"{digest}  prober/ping.log" in (run / "SHA256SUMS").read_text().splitlines()


def test_nothing_is_unpacked_outside_its_directory(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    run_files.unpack({"source": archive(tmp_path / "s.tar.gz", {"../escaped": "x", "nic.jsonl": "{}"})}, run)
    assert not (run / "escaped").exists()
    assert (run / "source" / "nic.jsonl").exists()


def test_an_archive_is_unpacked_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_files, "LARGEST_ARCHIVE_BYTES", 1 << 20)
    monkeypatch.setattr("contract.archive.MOST_FILES", 20)
    whole = archive(tmp_path / "whole.tar.gz", {"nic.jsonl": "{}", "ping.log": "x" * 100_000})
    archives = {
        "bomb": archive(tmp_path / "b.tar.gz", {"nic.jsonl": "{}", "console.log": "0" * (2 << 20)}),
        "cut": tmp_path / "c.tar.gz",
        "garbled": tmp_path / "g.tar.gz",
        "header": archive(tmp_path / "h.tar.gz", {"nic.jsonl": "{}", "long" * (1 << 20): ""}),
        "many": archive(tmp_path / "m.tar.gz", {f"{number}.log": "" for number in range(21)}),
        "whole": whole,
    }
    archives["cut"].write_bytes(whole.read_bytes()[:-40])
    archives["garbled"].write_bytes(b"no archive at all")
    faults = run_files.unpack(archives, tmp_path)
    assert [fault.partition(": ")[0] for fault in faults] == ["bomb", "cut", "garbled", "header", "many"]
    assert "more than 1 MiB of content" in faults[0] and "a header of more than 64 KiB" in faults[3]
    assert "more than 20 files" in faults[4]
    left = {name: sorted(path.name for path in (tmp_path / name).iterdir()) for name in archives}
    assert left["bomb"] == left["header"] == ["nic.jsonl"]
    assert "ping.log" not in left["cut"] and left["garbled"] == []
    assert len(left["many"]) == 20
    assert left["whole"] == ["nic.jsonl", "ping.log"]


def test_no_header_of_an_archive_fills_the_memory(tmp_path: Path) -> None:
    path = archive(tmp_path / "s.tar.gz", {"nic.jsonl": "{}", "long" * (5 << 20): ""})
    tracemalloc.start()
    faults = run_files.unpack({"source": path}, tmp_path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert faults == ["source: not all that the node sent could be unpacked: a header of more than 64 KiB"]
    assert peak_bytes < 2 << 20


def test_a_link_and_an_owner_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "s.tar.gz"
    with tarfile.open(path, "w:gz") as packed:
        for name, kind in (("to", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc"
            packed.addfile(member)
        member = tarfile.TarInfo("nic.jsonl")
        member.mode, member.uid = 0o4777, 4711
        packed.addfile(member)
    assert run_files.unpack({"source": path}, tmp_path) == []
    (unpacked,) = (tmp_path / "source").iterdir()
    assert unpacked.name == "nic.jsonl"
    assert (unpacked.stat().st_mode & 0o7022, unpacked.stat().st_uid) == (0, os.getuid())


def test_an_archive_is_taken_by_one_run_only(tmp_path: Path) -> None:
    recorded = json.loads((PROJECT / "tests/data/run-results/hybrid-completed.json").read_text())
    given = archive(tmp_path / "source.tar.gz", {"nic.jsonl": "{}"})
    run = {**recorded["run"], "directory": str(tmp_path / "run")}
    run_record.record_run(run, "controller", {"source": str(given)}, recorded["results"])
    assert (tmp_path / "run/source/nic.jsonl").exists() and not given.exists()


def test_a_missing_archive_leaves_an_empty_directory(tmp_path: Path) -> None:
    run_files.unpack({"prober": tmp_path / "absent.tar.gz"}, tmp_path)
    assert list((tmp_path / "prober").iterdir()) == []
    assert run_files.read_lines(tmp_path / "prober" / "console.log") == []


def test_a_log_may_hold_anything(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    path.write_bytes(b"\xff\x00[  1.0] hello\r\nBUG: x")
    assert len(run_files.read_lines(path)) == 2


def test_a_log_that_is_too_long_to_be_judged_whole_is_named(tmp_path: Path) -> None:
    for name in ("source/console.log", "prober/ping.log", "guest/kernel_log.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(
            b"\n" * (run_files.MOST_CONSOLE_BYTES + (name != "guest/kernel_log.txt"))
        )
    # The pings' logs are not judged here: the analysis reads them whole.
    assert run_files.logs_cut_short(tmp_path) == ["source/console.log"]
    assert run_document.warnings({"pattern_bytes": 0}, {}, [], cut_short=["source/console.log"]) == [
        "source/console.log: too long, only its first 4 MiB were judged"
    ]


class Agent:
    """A TCP server with one prepared answer for each connection."""

    def __init__(self, *answers: bytes) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.requests: list[bytes] = []
        self.thread = threading.Thread(target=self.serve, args=(answers,), daemon=True)
        self.thread.start()

    def serve(self, answers: tuple[bytes, ...]) -> None:
        for answer in answers:
            connection, _ = self.server.accept()
            with connection:
                self.requests.append(connection.recv(1000))
                connection.sendall(answer)


def test_one_request_one_answer() -> None:
    agent = Agent(b'{"ok": true, "pages": 3}\n')
    assert agent_client.ask("127.0.0.1", agent.port, "pattern verify", 5) == {"ok": True, "pages": 3}
    assert agent.requests == [b"pattern verify\n"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b'{"ok": false, "error": "no stressor"}\n', "status: no stressor"),
        (b'{"ok": tr', "status: the answer is not JSON"),
        (b"", "status: the answer is not JSON"),
        (b"[]", "status: refused"),
        (b"\xff\xfe", "status: the answer is not JSON"),
    ],
)
def test_whatever_else_is_answered_is_one_line(answer: bytes, message: str) -> None:
    with pytest.raises(agent_client.AgentError) as caught:
        agent_client.ask("127.0.0.1", Agent(answer).port, "status", 5)
    assert str(caught.value) == message


def test_a_guest_that_is_not_up_yet_is_asked_again() -> None:
    agent = Agent(b"", b"{}", b'{"ok": true}')
    assert agent_client.ask_until_answered("127.0.0.1", agent.port, "status", 5) == {"ok": True}


def node(**changes: Any) -> dict[str, Any]:
    return {
        "kernel": "6.12",
        "os": "Debian GNU/Linux 13 (trixie)",
        "boot_id": "a",
        "qemu_version": "10.0.13",
        "libvirt_version": "11.3.0",
        "local_facts": {"postcopy_lab_qemu": {"accelerator": "tcg", "reason": "kvm did not boot"}},
        **changes,
    }


WORDS = yaml.safe_load((PROJECT / "playbooks/vars/deviations.yml").read_text())["study_deviations"]


def test_every_deviation_in_words_is_looked_up_and_the_other_way_round() -> None:
    nodes, groups = {"compute1": node()}, {"compute1": ["compute"]}
    for backend in ("libvirt", "nova"):
        here = lab_description.found_here(backend, nodes, groups, 0, True)
        assert [one["id"] for one in WORDS] == list(here)


def test_novas_version_is_the_packages() -> None:
    facts = node(packages={"nova-compute": "2:26.2.2-1~deb12u3"})
    here = lab_description.found_here("nova", {"compute1": facts}, {"compute1": ["compute"]}, 0, False)
    assert here["cloud"] == "nova 26.2.2"


def test_novas_version_is_that_of_its_repository() -> None:
    made = {
        "name": "openstack",
        "version": "2014.1.5",
        "source": "https://github.com/openstack/glance.git https://github.com/openstack/nova.git",
    }
    facts = node(local_facts={"postcopy_lab_build_openstack": made})
    here = lab_description.found_here("nova", {"compute1": facts}, {"compute1": ["compute"]}, 0, False)
    assert here["cloud"] == "nova 2014.1.5"


def test_what_was_built_is_told_with_its_source() -> None:
    manifest = {
        "name": "qemu",
        "id": "10.0.13-6a0888e806-7cea206c",
        "version": "10.0.13",
        "source": "qemu_10.0.13+ds.orig.tar.xz",
        "origin": "6a0888e806c2ffc0c5f0733e974f9aea55491950d3c47c98669c8b236dde59ae",
        "configure_flags": ["--enable-tcg"],
        "distribution": "Debian 13 x86_64",
        "corrections": [],
        "deviations": [{"what": "source of qemu"}],
    }
    document = lab({"prober": node(), "compute1": node(local_facts={"postcopy_lab_build_qemu": manifest})})
    kept = set(manifest) - {"name", "corrections", "deviations"}
    assert document["nodes"]["compute1"]["builds"] == {"qemu": {key: manifest[key] for key in kept}}
    assert document["nodes"]["prober"]["builds"] == {}
    deviations = {deviation["what"]: deviation for deviation in document["deviations"]}
    assert deviations["QEMU"]["here"] == "QEMU 10.0.13, built from qemu_10.0.13+ds.orig.tar.xz (6a0888e806c2)"
    assert deviations["libvirt"]["here"] == "libvirt 11.3.0"
    assert "source of qemu" in deviations


def lab(
    nodes: dict[str, Any], vcpu_nice: int = 0, tls: bool = False, backend: str = "libvirt"
) -> dict[str, Any]:
    groups = {name: ["lab", "compute" if name.startswith("compute") else "prober"] for name in nodes}
    result: dict[str, Any] = lab_description.lab_document(
        "local", "epoxy", backend, "abc", nodes, groups, None, "prober", 1.0, WORDS, "epoxy", vcpu_nice, tls
    )
    return result


def test_containers_of_one_machine_share_a_clock_and_deviate_from_the_article() -> None:
    document = lab({"prober": node(), "compute1": node(), "compute2": node()}, vcpu_nice=10)
    assert document["vcpu_nice"] == 10
    assert document["clock_offsets_seconds"]["compute1"]["method"] == "same kernel"
    assert document["nodes"]["compute1"]["accelerator"] == "tcg"
    assert document["nodes"]["compute1"]["accelerator_reason"] == "kvm did not boot"
    deviations = {deviation["what"]: deviation for deviation in document["deviations"]}
    assert {"nodes", "processor virtualization", "who migrates"} <= set(deviations)
    assert deviations["nodes"]["here"].startswith("containers on one machine, guests' processors yield")
    assert deviations["QEMU"]["here"] == "QEMU 10.0.13"
    assert deviations["libvirt"]["here"] == "libvirt 11.3.0"
    assert deviations["operating system"]["article"] == "Ubuntu 14.04"
    assert deviations["dirty page tracking"]["here"].endswith("QEMU 10.0.13 0 of 80")
    assert all(
        set(deviation) == {"what", "article", "pinned", "here", "effect"}
        for deviation in document["deviations"]
    )


def test_who_connects_the_guests_is_recorded_and_set_beside_the_articles() -> None:
    told = node(local_facts={"postcopy_lab_guest_network": {"guest_network": "nova-network"}})
    for backend, facts, found in (
        ("nova", told, "nova-network"),
        ("nova", node(), None),
        # Left by an earlier provisioning of these nodes as a cloud.
        ("libvirt", told, "the kit's bridge"),
    ):
        document = lab({"prober": facts, "compute1": facts}, backend=backend)
        assert document["nodes"]["compute1"]["guest_network"] == found
        assert document["nodes"]["prober"]["guest_network"] is None
        (deviation,) = (one for one in document["deviations"] if one["what"] == "guest network")
        assert deviation["here"] == (found or "unknown")


def test_an_encrypted_stream_is_recorded_and_deviates_from_the_article() -> None:
    nodes = {"prober": node(), "compute1": node()}
    for tls, told in ((False, []), (True, ["encrypted (TLS)"])):
        document = lab(nodes, tls=tls)
        assert document["migration_stream_tls"] is tls
        stream = [one["here"] for one in document["deviations"] if one["what"] == "QEMU's migration stream"]
        assert stream == told


def test_machines_with_kvm_have_unmeasured_clocks_and_fewer_deviations() -> None:
    facts = {"postcopy_lab_qemu": {"accelerator": "kvm", "deviations": [{"what": "patched"}]}}
    document = lab(
        {name: node(boot_id=name, local_facts=facts) for name in ("prober", "compute1", "compute2")}
    )
    assert document["clock_offsets_seconds"]["compute1"]["offset_seconds"] is None
    deviations = [deviation["what"] for deviation in document["deviations"]]
    assert "nodes" not in deviations
    assert not {"processor virtualization", "dirty page tracking"} & set(deviations)
    assert deviations.count("patched") == 1


def planned(tmp_path: Path, **changes: Any) -> tuple[plan.Plan, list[dict[str, Any]]]:
    asked = plan.Request(
        study_file=PROJECT / "studies" / "quick.yml",
        results_directory=tmp_path,
        lab="local",
        release="epoxy",
        computes=["compute1", "compute2"],
    )
    asked = replace(asked, **changes)
    made = plan.make_plan(asked)
    return made, plan.run_items(made, asked)


def test_a_plan_says_all_that_a_run_needs(tmp_path: Path) -> None:
    items = planned(tmp_path)[1]
    assert len(items) == 12
    item = next(item for item in items if item["case"] == "hybrid-s-stress-2x256mib-1gbit")
    assert item["label"].endswith(f"/12 hybrid-s-stress-2x256mib-1gbit {item['repetition']:02d}")
    assert item["requests"] == ["pattern start 33554432", "status", "stressor start stress 2 268435456"]
    assert item["guest"]["address"] in ("10.91.2.100", "10.91.2.101")
    assert (item["source"], item["destination"]) == ("compute1", "compute2")
    unloaded = next(item for item in items if "unloaded" in item["case"])
    assert unloaded["requests"] == ["pattern start 4194304"]
    assert unloaded["check_requests"] == ["status", "pattern verify", "kernel-log", "progress", "status"]


def test_of_a_large_study_the_first_missing_runs_are_planned(tmp_path: Path) -> None:
    whole = planned(tmp_path)[1]
    made, items = planned(tmp_path, most_runs=5)
    assert [item["label"] for item in items] == [item["label"] for item in whole[:5]]
    assert items[3]["next_guest"] == items[4]["guest"]
    # No guest is started that nobody would migrate.
    assert (whole[4]["next_guest"], items[4]["next_guest"]) == (whole[5]["guest"], None)
    assert len(made.whole_order) == len(made.order) == 12
    with pytest.raises(StudyError, match=r"most_runs: 0 is not allowed \(allowed: 1 or more\)"):
        planned(tmp_path, most_runs=0)


def test_a_nova_that_switches_over_by_itself_is_asked_for_nothing_else(tmp_path: Path) -> None:
    lab = {"backend": "nova", "release": "icehouse", "modes": ["hybrid"]}
    fault = (
        "mode: p.+copy in case p.+, but the lab's nova switches over by its own settings, "
        r"nova_live_migration_settings of releases/icehouse.yml \(allowed: hybrid\)"
    )
    with pytest.raises(StudyError, match=fault):
        planned(tmp_path, **lab)
    assert {item["spec"]["mode"] for item in planned(tmp_path, only="hybrid-*", **lab)[1]} == {"hybrid"}


def recoverable(tmp_path: Path) -> Path:
    """The quick study, whose post-copies are waited for."""
    text = (PROJECT / "studies" / "quick.yml").read_text(encoding="utf-8")
    path = tmp_path / "quick.yml"
    path.write_text(
        text.replace("defaults:\n", "defaults:\n  postcopy_recovery_seconds: 90\n"), encoding="utf-8"
    )
    return path


def test_a_postcopy_that_recovers_has_its_time_beside_the_migrations(tmp_path: Path) -> None:
    plain = planned(tmp_path)[1][0]
    longer = planned(tmp_path, study_file=recoverable(tmp_path))[1][0]
    assert longer["case"] == plain["case"]
    assert longer["spec"]["postcopy_recovery_seconds"] == 90
    assert longer["stuck_seconds"] == plain["stuck_seconds"] + 90
    assert longer["deadline_seconds"] == plain["deadline_seconds"] + 90


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"backend": "nova"},
            r"postcopy_recovery_seconds: nova gives up a post-copy that lost its connection \(allowed: 0",
        ),
        (
            {"nodes": {"compute2": node(libvirt_version="8.4.0", memory_available_bytes=1 << 40)}},
            r"libvirt 8.4.0 on compute2 gives up .* \(allowed: 0, or libvirt 8.5.0 or newer\)",
        ),
    ],
)
def test_who_gives_up_a_broken_postcopy_is_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(StudyError, match=reason):
        planned(tmp_path, study_file=recoverable(tmp_path), **changes)
    planned(tmp_path, **changes)


def with_downtime(tmp_path: Path, value: str) -> Path:
    """The quick study with an allowed downtime of its own."""
    text = (PROJECT / "studies" / "quick.yml").read_text(encoding="utf-8")
    path = tmp_path / "quick.yml"
    path.write_text(text.replace("defaults:\n", f"defaults:\n  max_downtime_ms: {value}\n"), encoding="utf-8")
    return path


def test_nova_takes_no_allowed_downtime_but_its_own(tmp_path: Path) -> None:
    for value in ("1", "300"):
        reason = (
            rf"max_downtime_ms: {value} in case hybrid-s-unloaded-1gbit-{value}ms-downtime, but nova sets "
            r"the allowed downtime itself, .* \(allowed: native\)$"
        )
        with pytest.raises(StudyError, match=reason):
            planned(tmp_path, study_file=with_downtime(tmp_path, value), backend="nova")
        planned(tmp_path, study_file=with_downtime(tmp_path, value))
    for study_file in (with_downtime(tmp_path, "native"), PROJECT / "studies/quick.yml"):
        items = planned(tmp_path, study_file=study_file, backend="nova")[1]
        assert {item["spec"]["max_downtime_ms"] for item in items} == {"native"}


def test_only_a_nova_that_takes_the_request_is_asked_to_switch_over(tmp_path: Path) -> None:
    study_file = PROJECT / "studies" / "switchovers.yml"
    items = planned(tmp_path, study_file=study_file, backend="nova")[1]
    assert {item["spec"]["switchover_by"] for item in items} == {"libvirt", "nova"}
    where = r"switchover_by: nova in case hybrid-s-unloaded-1gbit-nova-switchover, but the lab's backend is"
    for changes, why in (
        ({"backend": "libvirt"}, "libvirt, its release epoxy: it has no nova"),
        (
            {"backend": "nova", "modes": ("hybrid",)},
            "nova, its release epoxy: its nova takes no such request",
        ),
    ):
        with pytest.raises(StudyError, match=rf"{where} {why} \(allowed: libvirt\)$"):
            planned(tmp_path, study_file=study_file, **changes)


def test_an_instances_hardware_address_says_its_address(tmp_path: Path) -> None:
    guests = [item["guest"] for item in planned(tmp_path, backend="nova", guest_network="10.95.2")[1]]
    assert {(guest["address"], guest["mac"]) for guest in guests} == {
        ("10.95.2.100", "52:54:0a:5f:02:64"),
        ("10.95.2.101", "52:54:0a:5f:02:65"),
    }


def test_a_study_may_do_without_the_pattern(tmp_path: Path) -> None:
    # The pattern's writer keeps emulated processors from hiding lost writes; a run that is to be caught
    # needs none.
    spec = replace(next(iter(planned(tmp_path)[0].specs.values())), pattern_bytes=0, stress_threads=0)
    assert plan.load_requests(spec) == []
    assert plan.check_requests(spec) == ["status", "kernel-log", "progress", "status"]


def test_finished_runs_keep_their_number_and_are_not_planned_again(tmp_path: Path) -> None:
    first, second = planned(tmp_path)[1][:2]
    Path(first["directory"]).mkdir(parents=True)
    (Path(first["directory"]) / "run.json").write_text("{}")
    document = planned(tmp_path / "elsewhere")[0].document()
    (tmp_path / "quick" / "local" / "study.json").write_text(json.dumps(document))
    again = planned(tmp_path)[1]
    assert len(again) == 11
    assert again[0]["label"] == second["label"]
    assert second["label"].startswith("Run 2/12 ")


def test_the_next_guest_boots_beside_the_last_one(tmp_path: Path) -> None:
    items = planned(tmp_path)[1]
    for item, following in pairwise(items):
        assert item["next_guest"] == following["guest"]
        for key in ("name", "address", "mac"):
            assert item["guest"][key] != following["guest"][key]
    assert items[-1]["next_guest"] is None


def test_pairs_share_the_cases_without_overlap(tmp_path: Path) -> None:
    computes = ["c1", "c2", "c3", "c4"]
    shares = [planned(tmp_path, computes=computes, pair=pair, pairs=2)[1] for pair in (0, 1)]
    cases = [{item["case"] for item in share} for share in shares]
    assert cases[0] & cases[1] == set()
    assert len(cases[0] | cases[1]) == 6
    assert shares[1][0]["source"] == "c3"
    addresses = [{item["guest"]["address"] for item in share} for share in shares]
    assert addresses == [{"10.91.2.100", "10.91.2.101"}, {"10.91.2.102", "10.91.2.103"}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pair": 1}, "pair: 1 is not allowed (allowed: 0 to 0)"),
        ({"pairs": 2}, "inventory: group compute: 2 computes, 4 are needed"),
        ({"computes": ["one"]}, "inventory: group compute: 1 computes, 2 are needed"),
        ({"repetitions": 0}, "repetitions: 0 is not allowed (allowed: 1 to 999)"),
        ({"only": "none*"}, "only: 'none*': matches no case"),
        (
            {
                "nodes": {
                    name: {"boot_id": "x", "memory_available_bytes": 1 << 30}
                    for name in ("compute1", "compute2")
                }
            },
            f"{PROJECT}/studies/quick.yml: case hybrid-s-stress-4x256mib-1gbit needs",
        ),
    ],
)
def test_what_cannot_be_planned_is_one_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError) as caught:
        planned(tmp_path, **changes)
    assert str(caught.value).startswith(message)


def test_results_of_another_release_are_refused(tmp_path: Path) -> None:
    document = planned(tmp_path)[0].document()
    directory = tmp_path / "quick" / "local"
    directory.mkdir(parents=True)
    (directory / "study.json").write_text(json.dumps(document))
    (directory / "lab.json").write_text(json.dumps({"lab": "local", "release": "zed"}))
    with pytest.raises(StudyError, match=r"lab.json: release: holds results of 'zed', not of 'epoxy'"):
        planned(tmp_path)


def test_the_counts_of_damaged_guests_are_those_of_the_kept_runs() -> None:
    counted = {}
    for version, suite in (("7.2", "bookworm"), ("10.0", "trixie"), ("11.1", "forky")):
        lines = (PROJECT / f"tests/bench/results/integrity/{suite}.jsonl").read_text().splitlines()
        verdicts = [
            run["verdict"]
            for run in map(json.loads, lines)
            if (run["variant"], run["load"]) == ("no-pattern", "stressed")
            and run["mode"] in ("precopy", "hybrid")
            and run["guest_kernel"].startswith("6.12.117")
            and run["verdict"] != "not_judged"
        ]
        counted[version] = f"{verdicts.count('corrupted')} of {len(verdicts)}"
    assert counted == lab_description.DAMAGE_COUNTED


def description(**changes: Any) -> dict[str, Any]:
    return {"schema": 1, "lab": "local", "kit_commit": "a", "written_at": 1.0, **changes}


def test_each_description_of_a_lab_is_kept(tmp_path: Path) -> None:
    keep, results = study_files.keep_description, tmp_path / "quick" / "local"

    def held(name: str) -> Any:
        return json.loads((results / name).read_text())

    assert keep(results, description()) == (1, True)
    assert keep(results, description(written_at=2.0)) == (1, False)
    assert held("lab.json") == {**description(), "session": 1}
    assert keep(results, description(kit_commit="b")) == (2, True)
    # The first again is a third session: whoever changed the lab may have changed more than is told.
    assert keep(results, description(written_at=3.0)) == (3, True)
    assert [held(f"lab-{number}.json")["kit_commit"] for number in (1, 2)] == ["a", "b"]
    assert held("lab.json")["session"] == 3
    assert sorted(path.name for path in results.iterdir()) == ["lab-1.json", "lab-2.json", "lab.json"]


def test_a_description_of_before_sessions_were_counted_is_the_first(tmp_path: Path) -> None:
    (tmp_path / "lab.json").write_text(json.dumps(description()))
    assert study_files.keep_description(tmp_path, description(written_at=9.0)) == (1, False)
    assert study_files.keep_description(tmp_path, description(kit_commit="b")) == (2, True)
    assert json.loads((tmp_path / "lab-1.json").read_text()) == description()


def test_two_pairs_that_begin_at_once_share_one_description(tmp_path: Path) -> None:
    study_files.keep_description(tmp_path, description())
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(
                lambda number: study_files.keep_description(
                    tmp_path, description(kit_commit="b", written_at=number)
                ),
                range(8),
            )
        )
    assert sorted(found) == [(2, False)] * 7 + [(2, True)]
