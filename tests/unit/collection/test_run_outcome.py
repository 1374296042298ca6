"""What becomes of a run, from what its tasks returned: the evidence of real runs, changed one way each."""

import copy
import json
import re
from typing import Any

import pytest

from contract.evidence import DESTINATION_TAP
from contract.older import in_todays_words
from control import run_document, run_outcome
from tests.conftest import PROJECT

DATA = PROJECT / "tests/data/run-results"


def real_run(name: str) -> dict[str, Any]:
    """The arguments of run_record in a real run: {"run", "results", "prober"}."""
    run: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return run


def document(recorded: dict[str, Any], **logs: list[str]) -> dict[str, Any]:
    run = recorded["run"]
    texts = {"source": [], "destination": [], "guest": [], **logs}
    names = {"source": run["source"], "destination": run["destination"], "prober": recorded["prober"]}
    result: dict[str, Any] = run_document.run_document(
        run, recorded["results"], texts, [], names, recorded["recorded_at"]
    )
    return result


@pytest.fixture
def hybrid() -> dict[str, Any]:
    return copy.deepcopy(real_run("hybrid-completed"))


@pytest.fixture
def precopy() -> dict[str, Any]:
    return copy.deepcopy(real_run("precopy-not-converged"))


def judged(recorded: dict[str, Any], **logs: list[str]) -> tuple[str, str | None, str | None]:
    result = document(recorded, **logs)
    return result["outcome"], result["cause"], result["cause_detail"]


def answer(recorded: dict[str, Any], request: str) -> dict[str, Any]:
    found = [item for item in recorded["results"]["check"]["answers"] if item["request"] == request][-1]
    real: dict[str, Any] = found["answer"]
    return real


def test_a_guest_that_is_shown_intact_completed(hybrid: dict[str, Any]) -> None:
    result = document(hybrid)
    assert (result["outcome"], result["cause"], result["valid"]) == ("completed", None, True)
    assert result["integrity"]["alive_on"] == "compute2"
    assert result["integrity"]["absent_on"] == "compute1"
    assert result["integrity"]["stressor_alive"] is True
    assert result["integrity"]["stressor_progressing"] is True
    assert result["integrity"]["pattern"]["pages"] == hybrid["run"]["spec"]["pattern_bytes"] // 4096
    assert result["switchover_check"]["iteration"] == 2
    assert 0.95 < result["switchover_check"]["ratio"] < 1.1
    assert result["switchover_check"]["pass_ratio"] == pytest.approx(1, abs=0.01)


def test_a_precopy_that_was_aborted_with_its_guest_alive_at_home_did_not_converge(
    precopy: dict[str, Any],
) -> None:
    result = document(precopy)
    assert (result["outcome"], result["cause"], result["valid"]) == ("not_converged", None, True)
    assert result["integrity"]["alive_on"] == "compute1"
    assert result["switchover_check"] is None


@pytest.mark.parametrize("key", ["bad_pages", "stale_pages", "torn_pages"])
def test_one_damaged_page_is_a_corrupted_guest(hybrid: dict[str, Any], key: str) -> None:
    answer(hybrid, "pattern verify")[key] = 1
    assert judged(hybrid) == ("failed", "guest_corrupted", "pattern: 1 " + key.replace("_", " "))


@pytest.mark.parametrize("log", ["source", "destination", "guest"])
def test_a_damaged_kernel_is_a_corrupted_guest_wherever_it_says_so(hybrid: dict[str, Any], log: str) -> None:
    line = "[   31.5] BUG: Bad page map in process stress  pte:00000000 pmd:7ba5f067"
    outcome, cause, detail = judged(hybrid, **{log: ["all is well", line]})
    assert (outcome, cause) == ("failed", "guest_corrupted")
    assert detail is not None and "Bad page map" in detail


def test_a_long_complaint_is_quoted_by_its_first_two_lines(hybrid: dict[str, Any]) -> None:
    console = (DATA.parent / "consoles/corrupted-oops-panic.log").read_text().splitlines()
    outcome, cause, detail = judged(hybrid, destination=console)
    assert (outcome, cause) == ("failed", "guest_corrupted")
    assert detail is not None and re.search(r"^kernel: \[.*; \[.* \(and \d+ more\)$", detail), detail


def test_what_the_agent_itself_saw_in_the_kernel_log_counts(hybrid: dict[str, Any]) -> None:
    answer(hybrid, "status")["kernel_log_errors"] = ["[   12.0] list_del corruption"]
    assert judged(hybrid)[1] == "guest_corrupted"


def test_a_silent_guest_is_unreachable_unless_its_console_tells_why(hybrid: dict[str, Any]) -> None:
    hybrid["results"]["check"] = {"answered": False, "error": "status: no answer", "answers": []}
    assert judged(hybrid) == ("failed", "guest_unreachable", "status: no answer")
    assert judged(hybrid, destination=["Kernel panic - not syncing"])[1] == "guest_corrupted"


def test_a_guest_on_no_host_or_on_both_is_no_success(hybrid: dict[str, Any]) -> None:
    hybrid["results"]["stopped"]["source"]["guest_state"] = "running"
    assert judged(hybrid)[:2] == ("failed", "guest_left_behind")
    hybrid["results"]["stopped"]["destination"]["guest_state"] = "paused"
    assert judged(hybrid)[:2] == ("failed", "guest_lost")


def test_a_dead_or_idle_stressor_is_no_success(hybrid: dict[str, Any]) -> None:
    stressor = answer(hybrid, "status")["stressor"]
    cpu_seconds = stressor["cpu_seconds"]
    stressor["cpu_seconds"] = 0
    assert judged(hybrid) == ("failed", "guest_corrupted", "the stressor stood still")
    stressor["cpu_seconds"] = cpu_seconds
    stressor["workers_alive"] = 0
    assert judged(hybrid) == ("failed", "guest_corrupted", "the stressor died")


def test_an_unanswered_pattern_is_no_success(hybrid: dict[str, Any]) -> None:
    check = hybrid["results"]["check"]
    check["answers"] = [item for item in check["answers"] if item["request"] != "pattern verify"]
    assert judged(hybrid)[:2] == ("failed", "guest_unchecked")
    hybrid["run"]["spec"]["pattern_bytes"] = 0
    assert judged(hybrid)[0] == "completed"


def test_libvirts_error_is_the_cause_of_a_failed_migration(hybrid: dict[str, Any]) -> None:
    hybrid["results"]["migration"].update(outcome="failed", error="migration job: unexpectedly failed")
    assert judged(hybrid) == ("failed", "migration_failed", "migration job: unexpectedly failed")
    hybrid["results"]["migration"].update(outcome="stuck")
    assert judged(hybrid)[:2] == ("failed", "migration_stuck")


def test_what_happened_before_the_migration_has_its_own_cause(hybrid: dict[str, Any]) -> None:
    results = hybrid["results"]
    results.update(migration={}, check={}, fill={"error": "the stressor ended by itself", "ready_at": 5.0})
    assert judged(hybrid) == ("failed", "fill_failed", "the stressor ended by itself")
    # As a guest of 8 emulated processors said it, one of whose timers was lost (QEMU 10.0, TCG).
    stall = "[   26.998922] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:"
    console = ["lab guest: up", stall, stall.replace("26.998922", "48.050809")]
    said = " ".join(stall.split())
    assert judged(hybrid, source=console)[2] == f"the stressor ended by itself; its kernel: {said}"
    results["fill"]["ready_at"] = None
    assert judged(hybrid)[1] == "boot_failed"
    results.update(fill={}, boot={"error": "no such bridge"})
    assert judged(hybrid) == ("failed", "boot_failed", "no such bridge")
    results["fault"] = {"step": "boot", "detail": "two\nlines"}
    assert judged(hybrid) == ("aborted", "lab_fault", "boot: two lines")


def test_a_migration_that_failed_stays_the_cause_whatever_failed_after_it(hybrid: dict[str, Any]) -> None:
    results = hybrid["results"]
    results["fault"] = {"step": "Stop the probes on compute1", "detail": "libvirt: connection refused"}
    assert judged(hybrid)[:2] == ("aborted", "lab_fault")
    results["migration"].update(outcome="failed", error="client socket is closed")
    result = document(hybrid)
    assert (result["cause"], result["cause_detail"]) == ("migration_failed", "client socket is closed")
    assert "failed afterwards: Stop the probes on compute1: libvirt: connection refused" in result["warnings"]
    assert result["driver"]["finished_at"] is not None


@pytest.mark.parametrize(
    ("key", "step", "role"),
    [
        ("fill", "Fill", "prober"),
        ("migration", "Migrate", "source"),
        ("announced", "Announce the guest", "destination"),
    ],
)
def test_a_node_that_did_not_answer_is_a_fault_of_the_lab(
    hybrid: dict[str, Any], key: str, step: str, role: str
) -> None:
    hybrid["results"][key] = {"failed": True, "msg": "no such file"}
    assert judged(hybrid) == ("aborted", "lab_fault", f"{step}: no such file")
    node = hybrid["prober"] if role == "prober" else hybrid["run"][role]
    hybrid["results"][key] = {"unreachable": True, "msg": "no route to host"}
    lost = f"{step}: lost the connection to {node}"
    assert judged(hybrid) == ("aborted", "lab_fault", f"{lost}: no route to host")
    # Seen of a node that was started anew while it was asked.
    hybrid["results"][key]["msg"] = (
        "Mitogen was disconnected from the remote environment while a call was in-progress. If you feel this "
        "is in error, please file a bug. Original error was: the respondent Context has disconnected"
    )
    assert judged(hybrid) == ("aborted", "lab_fault", lost)


def test_a_guest_that_post_copy_lost_is_said_to_be(hybrid: dict[str, Any]) -> None:
    """libvirtd may give a post-copy up whose guest arrives all the same: only one that is silent is lost."""
    migration, check = hybrid["results"]["migration"], hybrid["results"]["check"]
    migration.update(outcome="failed", error="client socket is closed")
    assert migration["switched"] and check["answered"]
    assert judged(hybrid) == ("failed", "migration_failed", "client socket is closed")
    check["answered"] = False
    lost = "client socket is closed; the guest is lost: it does not answer on compute2 since the switchover"
    assert judged(hybrid) == ("failed", "migration_failed", lost)
    migration["switched"] = False
    assert judged(hybrid) == ("failed", "migration_failed", "client socket is closed")


def test_a_node_that_was_lost_is_a_fault_of_the_lab(hybrid: dict[str, Any]) -> None:
    hybrid["results"]["stopped"]["destination"] = {}
    assert judged(hybrid) == ("aborted", "lab_fault", "Stop the probes: lost the connection to compute2")


def test_a_guest_that_ended_before_its_migration_is_said_to_with_its_last_words(
    hybrid: dict[str, Any],
) -> None:
    results = hybrid["results"]
    fill = {"error": "status: no answer", "ready_at": None}
    results.update(migration={}, check={}, fill=fill, guest_gone=True)
    said = "the guest's QEMU ended on the source: "
    assert judged(hybrid) == ("failed", "boot_failed", said + "it left no word")
    shut = "2026-11-29 10:12:07.123+0000: shutting down, reason=crashed"
    assert judged(hybrid, source_qemu=["-device virtio-net", shut, ""])[2] == said + shut
    error = "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory"
    assert judged(hybrid, source_qemu=[error, shut])[2] == said + error.partition(": ")[2]
    results.update(guest_gone=False)
    assert judged(hybrid, source_qemu=[error])[2] == "status: no answer"


def test_a_run_of_which_nothing_is_known_is_still_a_document(hybrid: dict[str, Any]) -> None:
    hybrid["results"] = {"fault": {"step": "boot", "detail": "unreachable"}}
    result = document(hybrid)
    assert result["outcome"] == "aborted"
    assert result["integrity"]["checked"] is False
    assert set(result["steps_seconds"].values()) == {None}


def test_a_hybrid_without_a_whole_first_pass_is_invalid(hybrid: dict[str, Any]) -> None:
    job = hybrid["results"]["migration"]["job_before_switchover"]
    whole = dict(job)
    job.update(memory_processed=4_000_000, memory_normal=900, memory_constant=0)
    result = document(hybrid)
    assert (result["outcome"], result["valid"]) == ("completed", False)
    assert "the first pass was not a whole one: 0.0" in result["invalid_reason"]
    job.pop("memory_total")
    assert "bytes before the switchover / resident bytes = 4000000 / " in document(hybrid)["invalid_reason"]
    job.update(whole, memory_processed=2 * whole["memory_processed"])
    assert document(hybrid)["valid"] is False
    job.update(whole, memory_constant=0)
    assert "not a whole one" in document(hybrid)["invalid_reason"]


def test_the_zero_bounce_buffer_of_a_larger_guest_is_not_missed(hybrid: dict[str, Any]) -> None:
    # The figures of a real idle guest of 4 GiB.
    hybrid["run"]["spec"]["ram_bytes"] = 4 << 30
    hybrid["results"]["fill"].update(resident_bytes=99442688, memory_total_bytes=(4 << 30) - 181993472)
    job = hybrid["results"]["migration"]["job_before_switchover"]
    job.update(memory_processed=226944832)
    result = document(hybrid)
    assert result["switchover_check"]["ratio"] == pytest.approx(1.06, abs=0.01)
    assert result["valid"] is True


def ended_in_precopy(recorded: dict[str, Any]) -> dict[str, Any]:
    """The same run as if what was left after its pass had fitted the allowed downtime; the completed job."""
    migration = recorded["results"]["migration"]
    job = dict(migration["job_before_switchover"], memory_iteration=3)
    migration.update(switched=False, job_completed=job, job_before_switchover=None)
    return job


def test_a_hybrid_that_was_over_within_its_pass_is_valid_and_says_so(hybrid: dict[str, Any]) -> None:
    before = document(hybrid)
    assert (before["ended_in"], before["valid"]) == ("postcopy", True)
    ended_in_precopy(hybrid)
    result = document(hybrid)
    assert (result["outcome"], result["ended_in"]) == ("completed", "precopy")
    assert (result["valid"], result["invalid_reason"]) == (True, None)
    check, of_the_pass = result["switchover_check"], before["switchover_check"]
    assert check == {**of_the_pass, "iteration": 3}


def test_what_fits_the_allowed_downtime_is_sent_after_the_pass(hybrid: dict[str, Any]) -> None:
    """Icehouse's nova allows 300 ms, 37.5 MB at 1 Gb/s: an idle guest sends them after its pass."""
    job = ended_in_precopy(hybrid)
    spec, migration = hybrid["run"]["spec"], hybrid["results"]["migration"]
    spec.update(link_rate="1gbit", link_rate_bits_per_second=10**9)
    migration["max_downtime_ms"] = 300
    check = document(hybrid)["switchover_check"]
    most = int(1.15 * check["resident_bytes"]) + (32 << 20)
    job.update(memory_processed=most + 37_000_000)
    assert document(hybrid)["valid"] is True
    job.update(memory_processed=most + 38_000_000)
    assert document(hybrid)["valid"] is False


def test_a_hybrid_that_was_over_says_so_by_its_last_sample_where_libvirt_tells_no_end(
    hybrid: dict[str, Any],
) -> None:
    job = ended_in_precopy(hybrid)
    hybrid["results"]["migration"].update(
        job_completed=None, job_before_switchover=job, libvirt_version="1.2.13"
    )
    assert (document(hybrid)["ended_in"], document(hybrid)["valid"]) == ("precopy", True)


def test_a_stressed_hybrid_that_was_never_switched_is_invalid(hybrid: dict[str, Any]) -> None:
    """Its stressed memory was sent again: these are the bytes of the real run's whole migration."""
    migration = hybrid["results"]["migration"]
    ended_in_precopy(hybrid)["memory_processed"] = real_run("hybrid-completed")["results"]["migration"][
        "job_completed"
    ]["memory_processed"]
    result = document(hybrid)
    assert (result["ended_in"], result["valid"]) == ("precopy", False)
    start = "it ended in pre-copy: bytes before the switchover / resident bytes = "
    assert result["invalid_reason"].startswith(start)
    migration["job_completed"].update(memory_processed=5_000_000, memory_normal=1200, memory_constant=0)
    assert document(hybrid)["invalid_reason"].startswith(
        "it ended in pre-copy: the first pass was not a whole"
    )


def test_a_hybrid_without_statistics_of_its_end_is_no_hybrid_of_one_pass(hybrid: dict[str, Any]) -> None:
    ended_in_precopy(hybrid)
    hybrid["results"]["migration"]["job_completed"] = None
    assert document(hybrid)["invalid_reason"] == (
        "it ended in pre-copy, without job statistics that show how much was sent"
    )


def test_a_postcopy_that_was_never_switched_is_invalid() -> None:
    recorded = copy.deepcopy(real_run("postcopy-completed"))
    assert document(recorded)["ended_in"] == "postcopy"
    recorded["results"]["migration"]["switched"] = False
    assert document(recorded)["invalid_reason"] == (
        "it ended in pre-copy: there was no switchover to post-copy"
    )


def test_a_migration_that_was_aborted_ended_in_no_phase(precopy: dict[str, Any]) -> None:
    assert document(precopy)["ended_in"] is None


@pytest.mark.parametrize(
    ("allowed", "told", "valid"),
    [(None, None, False), (1, 1, False), ("native", 300, True), ("native", None, True), (300, None, True)],
)
def test_what_fits_the_allowed_downtime_may_be_missing_of_the_pass(
    hybrid: dict[str, Any], allowed: int | str | None, told: int | None, valid: bool
) -> None:
    """At 1 Gb/s 300 ms are 37.5 MB: QEMU takes the first pass for done when so much of it is left."""
    migration, spec = hybrid["results"]["migration"], hybrid["run"]["spec"]
    job = migration["job_before_switchover"]
    job["memory_constant"] = job["memory_total"] // 4096 - job["memory_normal"]
    job["memory_normal"] -= (
        int((1 - run_outcome.PASS_RATIO_MINIMUM) * job["memory_total"] + 37_000_000) // 4096
    )
    spec.pop("max_downtime_ms", None)
    if allowed is not None:
        spec["max_downtime_ms"] = allowed
    migration["max_downtime_ms"] = told
    result = document(hybrid)
    assert result["driver"]["max_downtime_ms"] == told
    assert result["valid"] is valid
    job["memory_normal"] -= 2_000_000 // 4096
    assert document(hybrid)["valid"] is False


def test_a_postcopy_that_recovered_is_no_measure_of_a_migration(hybrid: dict[str, Any]) -> None:
    hybrid["results"]["migration"]["recovery"] = {"failed_at": 1000.0, "recovered_at": 1061.25}
    result = document(hybrid)
    assert result["outcome"] == "completed"
    assert result["driver"]["recovery"] == {"failed_at": 1000.0, "recovered_at": 1061.25}
    assert result["invalid_reason"] == (
        "post-copy lost its connection: the guest arrived 61.2 s after libvirt gave up"
    )


def test_a_run_in_which_a_link_was_lost_is_no_measure_of_it(hybrid: dict[str, Any]) -> None:
    hybrid["results"]["stopped"]["destination"]["lost_carriers"] = ["guest0", "migration0"]
    result = document(hybrid)
    assert (result["outcome"], result["valid"]) == ("completed", False)
    assert result["invalid_reason"] == "guest0 of compute2, migration0 of compute2 lost carrier in the run"
    hybrid["results"]["migration"]["iteration_at_switchover"] = 3
    assert document(hybrid)["invalid_reason"].startswith("it switched at iteration 3")


def test_steps_divide_the_wall_time_without_gaps(hybrid: dict[str, Any]) -> None:
    result = document(hybrid)
    assert sum(result["steps_seconds"].values()) == pytest.approx(
        result["finished_at"] - result["started_at"], abs=0.01
    )
    assert result["steps_seconds"]["quiet"] == 5.0


def test_a_measuring_process_that_ended_early_is_a_warning(hybrid: dict[str, Any]) -> None:
    hybrid["results"]["stopped"]["prober"]["was_running"] = False
    assert document(hybrid)["warnings"] == [
        "the measuring process on the prober had ended before the run did"
    ]


def test_missing_evidence_is_a_warning_once_there_was_a_migration(hybrid: dict[str, Any]) -> None:
    results, spec, lost = hybrid["results"], hybrid["run"]["spec"], ["prober/ping.log"]
    assert run_document.warnings(spec, results, lost) == ["missing evidence: prober/ping.log"]
    assert run_document.warnings(spec, {**results, "migration": {"skipped": True}}, lost) == []


@pytest.mark.parametrize(
    ("outcome", "missed"), [("migrated", ["missing evidence: destination/icmp.pcap"]), ("aborted", [])]
)
def test_a_guest_that_never_came_has_no_tap_to_capture(
    hybrid: dict[str, Any], outcome: str, missed: list[str]
) -> None:
    results = {**hybrid["results"], "migration": {**hybrid["results"]["migration"], "outcome": outcome}}
    lost = [DESTINATION_TAP.path]
    assert run_document.warnings(hybrid["run"]["spec"], results, lost) == missed


def test_a_guest_without_pattern_has_no_progress_to_miss(hybrid: dict[str, Any]) -> None:
    results, spec, lost = hybrid["results"], hybrid["run"]["spec"], ["guest/progress.jsonl"]
    assert run_document.warnings(spec, results, lost) == ["missing evidence: guest/progress.jsonl"]
    assert run_document.warnings({**spec, "pattern_bytes": 0}, results, lost) == []


def test_what_a_measuring_process_said_is_a_warning() -> None:
    spec, results = {"pattern_bytes": 0}, {"migration": {"outcome": "migrated"}}
    said = {
        "source": ["icmp_uplink.pcap: tcpdump: pcap_loop: recvfrom: Network is down"],
        "destination": [],
        "prober": ["Traceback (most recent call last):", '  File "x.py", line 1', "OSError: no space"],
    }
    assert run_document.warnings(spec, results, [], said) == [
        "prober/probe.log: OSError: no space",
        "source/probe.log: icmp_uplink.pcap: tcpdump: pcap_loop: recvfrom: Network is down",
    ]


def test_a_hybrid_run_is_valid_only_if_it_switched_at_the_second_iteration(hybrid: dict[str, Any]) -> None:
    migration = hybrid["results"]["migration"]
    assert document(hybrid)["valid"] is True
    for iteration, named in ((1, "1"), (3, "3"), (6, "6"), (None, "unknown")):
        migration["iteration_at_switchover"] = iteration
        reason = f"it switched at iteration {named}, not at 2: not after exactly one pass"
        assert document(hybrid)["invalid_reason"] == reason
    # wp3's libvirt does not tell iterations.
    migration["libvirt_version"] = "1.2.13"
    assert document(hybrid)["valid"] is True
    migration["libvirt_version"] = "1.3.2"
    assert document(hybrid)["valid"] is False


@pytest.mark.parametrize(
    ("ratio", "valid"),
    [(0.01, False), (0.86, False), (0.957, True), (1.137, True), (1.29, False), (1.6, False)],
)
def test_bytes_before_the_switchover_are_those_of_one_pass_where_no_pages_are_told(
    hybrid: dict[str, Any], ratio: float, valid: bool
) -> None:
    job = hybrid["results"]["migration"]["job_before_switchover"]
    job.pop("memory_total")
    resident = document(hybrid)["switchover_check"]["resident_bytes"]
    job["memory_processed"] = int(resident * ratio)
    result = document(hybrid)
    assert result["valid"] is valid
    assert valid or "bytes before the switchover / resident bytes = " in result["invalid_reason"]


def test_workers_that_took_pages_of_each_other_had_less_in_use_than_each_ever_held(
    hybrid: dict[str, Any],
) -> None:
    """Recorded: 8 workers with 1 GiB each in a guest of 16 GiB on wp3's QEMU, every page looked at."""
    hybrid["run"]["spec"]["ram_bytes"] = 16 << 30
    job = hybrid["results"]["migration"]["job_before_switchover"]
    pages = (16 << 30) // 4096
    job.update(memory_total=16 << 30, memory_normal=1_900_000, memory_constant=pages - 1_900_000)
    job.update(memory_processed=7907453929)
    # In use and outside of what the guest's kernel counts: 8684834816 bytes.
    hybrid["results"]["fill"].update(
        resident_bytes=8684834816 - (260 << 20), memory_total_bytes=(16 << 30) - (324 << 20)
    )
    result = document(hybrid)
    assert result["switchover_check"]["ratio"] == 0.9105
    assert (result["valid"], result["invalid_reason"]) == (True, None)
    job.update(memory_normal=900_000)
    assert "the first pass was not a whole one: 0.76" in document(hybrid)["invalid_reason"]


def test_an_idle_guest_of_2015_sent_a_quarter_more(hybrid: dict[str, Any]) -> None:
    """Recorded with wp3's QEMU: 1.26 of 105 MiB, which are 27 MiB."""
    hybrid["results"]["migration"]["job_before_switchover"]["memory_processed"] = int(1.26 * 105 * 2**20)
    hybrid["results"]["fill"].update(memory_total_bytes=2**31 - 60 * 2**20, resident_bytes=45 * 2**20)
    assert document(hybrid)["switchover_check"]["ratio"] == pytest.approx(1.26, abs=0.001)
    assert document(hybrid)["valid"] is True


def test_every_shipped_hybrid_run_is_one_of_one_pass() -> None:
    checks = [
        record["switchover_check"]
        for path in (PROJECT / "examples").glob("*/local/runs/hybrid-*/*/run.json")
        if (record := in_todays_words(json.loads(path.read_text())))["valid"]
        and record["driver"]["requested_at"] is not None
    ]
    assert len(checks) > 250
    for check in checks:
        (share, less), (most, more) = run_outcome.LEAST_SENT, run_outcome.MOST_SENT
        sent, resident = check["bytes_before_switchover"], check["resident_bytes"]
        assert check["iteration"] == 2 and sent <= most * resident + more
        # Pages in use that are all zero send no bytes: QEMU's count of pages says more, where it is told.
        looked_at, least = check.get("pass_ratio"), run_outcome.PASS_RATIO_MINIMUM
        assert share * resident + less <= sent if looked_at is None else looked_at >= least


def test_a_pattern_that_shows_nothing_is_no_check(hybrid: dict[str, Any]) -> None:
    verified, status = answer(hybrid, "pattern verify"), hybrid["results"]["check"]["answers"][0]["answer"]
    pages = hybrid["run"]["spec"]["pattern_bytes"] // 4096
    for change, detail in (
        ({"pages": 1}, f"1 of the pattern's {pages} pages were looked at"),
        ({"pages": None}, "no answer about the memory pattern"),
        ({"stale_pages": None}, "no count of the pattern's damaged pages"),
        ({"generation": 1}, "the pattern was not rewritten once: no stale page could be told"),
    ):
        kept = dict(verified)
        verified.update(change)
        assert judged(hybrid) == ("failed", "guest_unchecked", detail)
        verified.update(kept)
    written = status["pattern"]["bytes_written"]
    hybrid["results"]["fill"]["status"] = {"pattern": {"bytes_written": written}}
    stood = ("failed", "guest_unchecked", "nothing was written to the pattern since before the migration")
    assert judged(hybrid) == stood
    hybrid["results"]["fill"]["status"]["pattern"]["bytes_written"] = written - 4096
    assert judged(hybrid)[0] == "completed"


def test_a_stressor_that_hardly_works_stands_still(hybrid: dict[str, Any]) -> None:
    first = hybrid["results"]["check"]["answers"][0]["answer"]
    last = answer(hybrid, "status")
    passed = last["uptime_seconds"] - first["uptime_seconds"]
    for share, outcome in ((0.001, "failed"), (0.09, "failed"), (0.11, "completed")):
        last["stressor"]["cpu_seconds"] = first["stressor"]["cpu_seconds"] + share * passed
        assert judged(hybrid)[0] == outcome


def test_a_log_with_a_hole_is_no_check(hybrid: dict[str, Any]) -> None:
    line = "guest-agent: lines of the kernel's log were overwritten unread"
    assert judged(hybrid, guest=[line])[:2] == ("failed", "guest_unchecked")
    assert judged(hybrid, guest=[line, "[    9.0] list_del corruption"])[1] == "guest_corrupted"


def test_a_sound_guests_notices_are_no_damage_whoever_reports_them(hybrid: dict[str, Any]) -> None:
    notice = "[    0.12] RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable to RETBleed attacks"
    answer(hybrid, "status")["kernel_log_errors"] = [notice]
    assert judged(hybrid, destination=[notice], guest=[notice])[0] == "completed"


NOVA_ERROR = (
    "2026-11-24 12:00:00.000 1922 ERROR nova.virt.libvirt.driver [-] [instance: 0e73e074] "
    "Live Migration failure: operation failed: lost connection to destination host"
)


def by_nova(recorded: dict[str, Any], **migration: Any) -> dict[str, Any]:
    recorded["run"]["spec"]["backend"] = "nova"
    recorded["results"]["boot"]["server_id"] = "0e73e074-3f4f-447b-a668-674b4eda5719"
    recorded["results"]["migration"].update(migration)
    return recorded


def test_novas_own_record_goes_into_the_run(hybrid: dict[str, Any]) -> None:
    record = {"id": 5, "status": "completed", "created_at": "2026-11-24T13:15:13.000000"}
    run = document(by_nova(hybrid, nova_migration=record, nova_ended_at=1795526126.3))
    assert run["nova"]["server_id"] == "0e73e074-3f4f-447b-a668-674b4eda5719"
    assert run["nova"]["migration"] == record
    assert run["outcome"] == "completed"


def test_a_migration_that_nova_failed_quotes_its_log(hybrid: dict[str, Any]) -> None:
    run = document(by_nova(hybrid, outcome="failed", error="nova: the migration is error"), nova=[NOVA_ERROR])
    assert (run["outcome"], run["cause"]) == ("failed", "migration_failed")
    assert run["cause_detail"].startswith("nova: the migration is error; nova-compute.log: nova.virt.libvirt")
    assert "lost connection to destination host" in run["cause_detail"]


# The log of a destination whose devices did not fit, with libvirt's lines around QEMU's.
QEMU_LOG = """2026-11-28 20:13:00.101+0000: starting up libvirt version: 1.2.13, qemu version: 2.4.50
LC_ALL=C PATH=/bin /usr/bin/qemu-system-x86_64 -name postcopy-lab-x -machine pc,accel=tcg -incoming defer
char device redirected to /dev/pts/1 (label charserial0)
qemu-system-x86_64: warning: TCG doesn't support requested feature: CPUID.01H:EDX.vme [bit 1]
2026-11-28T20:13:04.224411Z qemu-system-x86_64: VQ 1 Guest index 0x6 inconsistent with Host index 0x5
2026-11-28T20:13:04.224498Z qemu-system-x86_64: load of migration failed: Operation not permitted
2026-11-28T20:13:04.301000Z qemu-system-x86_64: terminating on signal 15 from pid 873 (/usr/sbin/libvirtd)
2026-11-28 20:13:04.400+0000: shutting down, reason=failed
""".splitlines()


@pytest.mark.parametrize("outcome", ["failed", "stuck"])
def test_a_migration_that_failed_quotes_the_destinations_qemu(hybrid: dict[str, Any], outcome: str) -> None:
    error = "Domain not found: no domain with matching name 'postcopy-lab-x'"
    hybrid["results"]["migration"].update(outcome=outcome, error=error)
    assert judged(hybrid, qemu=QEMU_LOG)[2] == (
        f"{error}; QEMU on the destination: VQ 1 Guest index 0x6 inconsistent with Host index 0x5; "
        "load of migration failed: Operation not permitted"
    )
    assert judged(hybrid, qemu=QEMU_LOG[:4] + QEMU_LOG[6:])[2] == error


def test_qemus_log_is_no_cause_of_a_run_that_went_well(hybrid: dict[str, Any]) -> None:
    assert judged(hybrid, qemu=QEMU_LOG) == ("completed", None, None)


def test_a_run_without_nova_says_nothing_of_it(hybrid: dict[str, Any]) -> None:
    assert "nova" not in document(hybrid)
