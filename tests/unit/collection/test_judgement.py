"""What becomes of a run, from what its tasks returned: the evidence of real runs, changed one way each."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postcopy.lab.plugins.module_utils import judgement, run_document

DATA = Path(__file__).parents[2] / "data" / "run-results"


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
    assert result["switch_check"]["iteration"] == 2
    assert 0.95 < result["switch_check"]["ratio"] < 1.1
    assert result["switch_check"]["pass_ratio"] == pytest.approx(1, abs=0.01)


def test_a_precopy_that_was_aborted_with_its_guest_alive_at_home_did_not_converge(
    precopy: dict[str, Any],
) -> None:
    result = document(precopy)
    assert (result["outcome"], result["cause"], result["valid"]) == ("not_converged", None, True)
    assert result["integrity"]["alive_on"] == "compute1"
    assert result["switch_check"] is None


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
    results["fill"]["ready_at"] = None
    assert judged(hybrid)[1] == "boot_failed"
    results.update(fill={}, boot={"error": "no such bridge"})
    assert judged(hybrid) == ("failed", "boot_failed", "no such bridge")
    results["fault"] = {"step": "boot", "detail": "two\nlines"}
    assert judged(hybrid) == ("aborted", "lab_fault", "boot: two lines")


def test_a_run_of_which_nothing_is_known_is_still_a_document(hybrid: dict[str, Any]) -> None:
    hybrid["results"] = {"fault": {"step": "boot", "detail": "unreachable"}}
    result = document(hybrid)
    assert result["outcome"] == "aborted"
    assert result["integrity"]["checked"] is False
    assert set(result["steps_seconds"].values()) == {None}


def test_a_hybrid_without_a_whole_first_pass_is_invalid(hybrid: dict[str, Any]) -> None:
    job = hybrid["results"]["migration"]["job_before_switch"]
    whole = dict(job)
    job["memory_processed"] = 4_000_000
    result = document(hybrid)
    assert (result["outcome"], result["valid"]) == ("completed", False)
    assert "bytes before the switch / resident bytes = 4000000 / " in result["invalid_reason"]
    job.update(whole, memory_processed=2 * whole["memory_processed"])
    assert document(hybrid)["valid"] is False
    job.update(whole, memory_constant=0)
    assert "not a whole one" in document(hybrid)["invalid_reason"]


def test_the_zero_bounce_buffer_of_a_larger_guest_is_not_missed(hybrid: dict[str, Any]) -> None:
    # The figures of a real idle guest of 4 GiB.
    hybrid["run"]["spec"]["ram_bytes"] = 4 << 30
    hybrid["results"]["fill"].update(resident_bytes=99442688, memory_total_bytes=(4 << 30) - 181993472)
    job = hybrid["results"]["migration"]["job_before_switch"]
    job.update(memory_processed=226944832)
    result = document(hybrid)
    assert result["switch_check"]["ratio"] == pytest.approx(1.06, abs=0.01)
    assert result["valid"] is True


def test_a_hybrid_that_was_never_switched_is_invalid(hybrid: dict[str, Any]) -> None:
    hybrid["results"]["migration"].update(switched=False, job_before_switch=None)
    result = document(hybrid)
    assert (result["valid"], result["invalid_reason"]) == (
        False,
        "it ended in pre-copy: there was no switch to post-copy",
    )


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


def test_the_switch_tolerance_is_around_one() -> None:
    low, high = judgement.SWITCH_RATIO_RANGE
    assert 0 < low < 1 < high < 2


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


def test_a_run_without_nova_says_nothing_of_it(hybrid: dict[str, Any]) -> None:
    assert "nova" not in document(hybrid)
