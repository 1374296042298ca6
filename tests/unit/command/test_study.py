"""A study's progress and end, on the recorded events and run.json files of a real one."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from postcopy_lab.board import PlainBoard
from postcopy_lab.estimate import run_seconds
from postcopy_lab.inventory import load_inventory
from postcopy_lab.journal import RunRecord, read_journal, read_run, record_of
from postcopy_lab.project import Project
from postcopy_lab.status import (
    FactsCollector,
    failed_node_lines,
    failure_words,
    lab_memory_lines,
    state_of,
    study_states,
)
from postcopy_lab.studies import Plan, load_plan, study_variable
from postcopy_lab.study_progress import StudyProgress, describe_totals
from tests.unit.command.conftest import STREAMS, events_of, files_below

Call = Callable[..., tuple[int, str, str]]
PENDING = (("precopy-s-stress-2x256mib-1gbit", 1), ("hybrid-s-stress-2x256mib-1gbit", 1))


@pytest.fixture
def results(checkout: Project) -> Path:
    """The recorded results as results of the miniature's lab: 4 of 6 runs, 2 of them failed."""
    folder = checkout.root / "results" / "quick" / "tiny"
    shutil.copytree(STREAMS / "results" / "quick" / "cmd", folder)
    return folder


def plan_of(checkout: Project, text: str = "quick", **options: object) -> Plan:
    inventory = load_inventory(checkout, "local")
    return load_plan(checkout, inventory, text, **options)  # type: ignore[arg-type]


def followed(checkout: Project, now: Callable[[], float] = lambda: 0.0) -> tuple[StudyProgress, list[str]]:
    plan = plan_of(checkout, repetitions=1, only="precopy-*,hybrid-s-stress-2x256mib-1gbit")
    console = Console(file=io.StringIO(), width=200, highlight=False, markup=False)
    progress = StudyProgress(PlainBoard(console), plan.specs, plan.wanted, {}, now)
    for event in events_of("study"):
        progress(event)
    assert isinstance(console.file, io.StringIO)
    return progress, console.file.getvalue().splitlines()


def test_each_run_is_one_line_with_its_end_and_time(checkout: Project) -> None:
    progress, lines = followed(checkout)
    assert progress.made == list(PENDING)
    assert len(lines) == 3
    assert lines[0].startswith("· study planned, nodes ready  ")
    assert lines[1].startswith("✗ run 1/2  precopy-s-stress-2x256mib-1gbit  01  1 min ")
    assert "failed (migration_failed: operation failed: domain is not running" in lines[1]
    assert lines[2].startswith("✓ run 2/2  hybrid-s-stress-2x256mib-1gbit  01  ")
    assert lines[2].endswith("  completed in 24.1 s")


def test_the_time_left_ends_at_zero(checkout: Project) -> None:
    progress, _lines = followed(checkout)
    assert progress.pending == []
    assert progress.progress() == (1.0, 0.0)


def test_the_live_line_names_run_case_and_step(checkout: Project) -> None:
    said: list[str] = []

    class Listening(PlainBoard):
        def now(self, text: str) -> None:
            said.append(text)

    plan = plan_of(checkout, repetitions=1, only="precopy-*,hybrid-s-stress-2x256mib-1gbit")
    progress = StudyProgress(Listening(Console(file=io.StringIO())), plan.specs, plan.wanted, {})
    for event in events_of("study"):
        progress(event)
    assert "run 1/2 precopy-s-stress-2x256mib-1gbit 01: boot" in said
    assert "run 2/2 hybrid-s-stress-2x256mib-1gbit 01: fill" in said


def test_finished_runs_count_for_the_time_left(checkout: Project, results: Path) -> None:
    plan = plan_of(checkout, repetitions=1)
    finished = read_journal(plan.results, plan.wanted)
    progress = StudyProgress(PlainBoard(Console(file=io.StringIO())), plan.specs, plan.wanted, finished)
    assert len(progress.pending) == 2
    share, left = progress.progress()
    modelled = sum(run_seconds(plan.specs[case]) for case, _ in progress.pending)
    assert share is not None
    assert 0.5 < share < 0.8
    # The machine was busy: real runs took several times longer than the model says.
    assert left is not None
    assert left > 2 * modelled


def test_the_order_is_the_playbooks(checkout: Project) -> None:
    import json

    recorded = json.loads((STREAMS / "results" / "quick" / "cmd" / "study.json").read_text(encoding="utf-8"))
    assert [list(key) for key in plan_of(checkout, repetitions=1).order] == recorded["order"]


def test_a_study_is_named_or_given_by_its_path(checkout: Project) -> None:
    assert study_variable(checkout, plan_of(checkout)) == "quick"
    elsewhere = checkout.root / "mine.yml"
    text = (checkout.studies / "quick.yml").read_text(encoding="utf-8").replace("name: quick", "name: mine")
    elsewhere.write_text(text, encoding="utf-8")
    assert study_variable(checkout, plan_of(checkout, "mine.yml")) == str(elsewhere)


def test_run_records_are_read_and_judged(results: Path) -> None:
    run = read_run(results / "runs" / "hybrid-s-unloaded-1gbit" / "01" / "run.json")
    assert run is not None
    assert (run.outcome, run.good, run.words) == ("completed", True, "completed")
    assert run.seconds > 0
    failed = read_run(results / "runs" / "precopy-s-stress-2x256mib-1gbit" / "01" / "run.json")
    assert failed is not None
    assert (failed.good, failed.words) == (False, "failed: fill failed")


def test_an_invalid_run_is_not_a_good_one() -> None:
    record = RunRecord("c", 1, "completed", None, valid=False, seconds=1.0)
    assert not record.good
    assert record.words == "completed (invalid)"


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"case": 1'])
def test_an_unreadable_run_is_not_finished(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content, encoding="utf-8")
    assert read_run(tmp_path / "run.json") is None


def test_a_record_needs_its_fields() -> None:
    with pytest.raises(KeyError):
        record_of({"case": "x", "repetition": 1})


def test_totals_in_one_line(results: Path, checkout: Project) -> None:
    plan = plan_of(checkout, repetitions=1)
    records = list(read_journal(results, plan.order).values())
    assert describe_totals(records) == "4 runs: 2 completed, 2 failed: fill failed"
    assert describe_totals([]) == "No run is finished."


def test_no_resume_refuses_where_runs_are(call: Call, checkout: Project, results: Path) -> None:
    before = files_below(checkout.root)
    code, out, err = call("study", "quick", "--repetitions", "1", "--no-resume")
    assert (code, out) == (2, "")
    assert "results/quick/tiny: has runs of this study already" in err
    assert "--resume" in err
    assert files_below(checkout.root) == before


def test_a_finished_study_is_left_alone_and_exit_code_3_tells_of_failed_runs(
    call: Call, checkout: Project, results: Path
) -> None:
    before = files_below(checkout.root)
    only = ("--repetitions", "1", "--only")
    code, out, err = call("study", "quick", *only, "hybrid-s-unloaded-1gbit,hybrid-s-stress-1x256mib-1gbit")
    assert (code, err) == (0, "")
    assert "2 runs of 2 cases: 2 done, 0 to make" in out
    code, out, err = call("study", "quick", *only, "hybrid-s-unloaded-1gbit,precopy-*")
    assert (code, err) == (3, "")
    assert "2 runs: 1 completed, 1 failed: fill failed" in out
    assert files_below(checkout.root) == before


def test_status_counts_the_runs(call: Call, checkout: Project, results: Path) -> None:
    (state,) = study_states(load_inventory(checkout, "local"))
    assert (state.name, state.total, state.good, state.failed, state.report) == ("quick", 6, 2, 2, None)
    assert failure_words([state]) == ["quick: 2 failed: fill failed"]


def test_status_adds_the_memory_of_all_nodes() -> None:
    nodes = {
        "a": {"services_bytes": 2**30, "guests_bytes": 0},
        "b": {"services_bytes": 2**29, "guests_bytes": 2**31},
    }
    assert lab_memory_lines(nodes) == ["The lab's services take 1.50 GiB of memory, its guests 2.00 GiB."]
    # A node with an old kernel does not know it, and a sum without it would be wrong.
    assert lab_memory_lines({**nodes, "c": {"services_bytes": 0, "guests_bytes": 0}}) == []


def test_status_calls_up_only_what_it_could_log_in_to() -> None:
    asked = FactsCollector()
    for event in events_of("unreachable"):
        asked(event)
    asked.nodes["node1"] = {"os": "Debian 13"}
    greeting = {"node0", "node1", "node2"}
    assert [state_of(f"node{number}", greeting, asked) for number in range(3)] == [
        "not asked",
        "up",
        "no login",
    ]
    assert state_of("node2", {"node0", "node1"}, asked) == "down"
    (line,) = failed_node_lines(asked)
    assert line.startswith("node2: ") and "ssh" in line


def test_status_says_that_there_is_no_lab(call: Call, checkout: Project, results: Path) -> None:
    before = files_below(checkout.root)
    code, out, err = call("status")
    assert (code, err) == (0, "")
    assert "No node answers: there is no lab." in out
    assert "link: not measured yet" in out
    row = next(line for line in out.splitlines() if line.strip().startswith("quick"))
    assert row.split()[:5] == ["quick", "2", "2", "2", "6"]
    assert any(line.split()[:1] == ["icclab-2014"] and "not started" in line for line in out.splitlines())
    assert files_below(checkout.root) == before
