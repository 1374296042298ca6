"""What recorded event streams are understood to mean."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from postcopy_lab.errors import ExitCode
from postcopy_lab.events import Recorder, StepDone, StepFold, TaskDone, TaskFold, failure_message, failure_of
from postcopy_lab.runner import describe, explain
from tests.unit.command.conftest import events_of

NEUTRAL = Path("/srv/postcopy-lab")


def recorded(name: str) -> Recorder:
    recorder = Recorder()
    for event in events_of(name):
        recorder.feed(event)
    return recorder


def tasks_of(name: str) -> list[TaskDone]:
    fold = TaskFold()
    return [done for event in events_of(name) if (done := fold.feed(event)) is not None]


def steps_of(name: str) -> list[StepDone]:
    fold = StepFold()
    steps = [fold.feed(task) for task in tasks_of(name)] + [fold.close()]
    return [step for step in steps if step is not None]


def test_steps_are_roles_with_their_times_and_changes() -> None:
    steps = steps_of("provision")
    assert [(step.name, step.is_role, step.changed) for step in steps] == [
        ("first", True, True),
        ("second", True, False),
    ]
    assert all(step.seconds > 0 for step in steps)


def test_a_role_that_another_one_includes_is_a_part_of_that_ones_step() -> None:
    assert [(step.name, step.what, step.changed) for step in steps_of("nested")] == [
        ("outer", "The outer thing", True),
        ("second", "The second thing", False),
    ]


def test_a_task_counts_each_host_once_and_not_the_skipped_ones() -> None:
    hosts = {task.name: task.hosts for task in tasks_of("provision")}
    assert hosts["Look around"] == 3
    assert hosts["Nothing to do here"] == 1


def test_success_is_no_failure() -> None:
    recorder = recorded("provision")
    assert explain(recorder, 0, NEUTRAL, "provision.yml") == (None, ExitCode.OK)
    assert recorder.changed
    assert recorder.totals is not None
    assert recorder.totals.processed == {"node0", "node1", "node2"}


def test_the_cause_is_neither_the_rescued_nor_the_ignored_failure() -> None:
    message, code = explain(recorded("failed"), 2, NEUTRAL, "failed.yml")
    assert code == ExitCode.FAILED
    assert message == (
        "node2: second: Write it down: non-zero return code: the disk is full (exit code 3) "
        "(roles/second/tasks/main.yml:6)"
    )


def test_a_refusal_before_any_change_is_bad_input() -> None:
    message, code = explain(recorded("refused"), 2, NEUTRAL, "check.yml")
    assert code == ExitCode.BAD_INPUT
    assert message == "node2: node2 is not wanted; allowed: node0, node1 (playbooks/check.yml:8)"


def test_a_refusal_after_a_change_is_a_failure() -> None:
    recorder = recorded("refused")
    recorder.changed = True
    assert explain(recorder, 2, NEUTRAL, "check.yml")[1] == ExitCode.FAILED


def test_a_node_that_does_not_answer_is_named() -> None:
    recorder = recorded("unreachable")
    recorder.changed = False
    message, code = explain(recorder, 4, NEUTRAL, "provision.yml")
    assert code == ExitCode.BAD_INPUT
    assert message is not None
    assert message.startswith("node2 cannot be reached: ")
    assert "postcopy-lab provision" in message


def test_a_silence_that_was_ignored_is_not_the_cause() -> None:
    message, code = explain(recorded("silent"), 2, NEUTRAL, "silent.yml")
    assert code == ExitCode.FAILED
    assert message == (
        "node0: second: Write it down: non-zero return code: the disk is full (exit code 3) "
        "(roles/second/tasks/main.yml:6)"
    )


def test_no_matching_host_is_an_error_although_ansible_ends_with_0() -> None:
    message, code = explain(recorded("no-hosts"), 0, NEUTRAL, "no_hosts.yml")
    assert code == ExitCode.BAD_INPUT
    assert message is not None
    assert message.startswith("no_hosts.yml: no host of the inventory was worked on")


def test_a_broken_playbook_is_told_in_ansibles_words() -> None:
    message, code = explain(recorded("broken"), 4, NEUTRAL, "broken.yml")
    assert code == ExitCode.FAILED
    assert message is not None
    assert message.startswith("broken.yml: couldn't resolve module/action 'ansible.builtin.no_such_module'")
    assert "\n" not in message


def test_a_playbook_that_dies_without_a_word_is_a_failure() -> None:
    assert explain(Recorder(), 137, NEUTRAL, "x.yml") == (
        "x.yml: ansible-playbook ended with 137",
        ExitCode.FAILED,
    )


def test_a_signal_is_the_cause_whatever_failed_before() -> None:
    said, code = explain(recorded("failed"), -signal.SIGSEGV, NEUTRAL, "x.yml")
    assert (said, code) == ("x.yml: ansible-playbook was killed by SIGSEGV", ExitCode.FAILED)
    assert explain(Recorder(), -40, NEUTRAL, "x.yml")[0] == "x.yml: ansible-playbook was killed by signal 40"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"msg": "No package matching 'x'"}, "No package matching 'x'"),
        ({"msg": "non-zero return code", "rc": 1, "stderr": ""}, "non-zero return code (exit code 1)"),
        ({"censored": "hidden", "msg": "secret"}, "output is hidden (no_log)"),
        ({"msg": "two\nlines"}, "two lines"),
        ({}, "no message"),
        ({"error": "no such bridge", "failed_when_result": True}, "no such bridge"),
        (
            {
                "msg": "All items completed",
                "results": [{"failed": False}, {"failed": True, "item": 2, "msg": "no"}],
            },
            "no (item 2)",
        ),
    ],
)
def test_failure_message_is_one_line(result: dict[str, object], message: str) -> None:
    assert failure_message(result) == message


def test_a_failure_names_the_host_that_carried_the_task_out() -> None:
    event = [event for event in events_of("failed") if event["event"] == "runner_on_failed"][-1]
    said = str(event["stdout"]).replace("[node2]", "[node2 -> localhost]")
    failure = failure_of({**event, "stdout": said})
    assert failure is not None and (failure.host, failure.delegate) == ("node2", "localhost")
    assert describe(failure, ["node2"], NEUTRAL).startswith("localhost: second: Write it down: ")
