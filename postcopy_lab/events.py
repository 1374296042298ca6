"""What the events of a playbook mean: steps with their times, failures, totals.

Everything here is a pure fold over the dictionaries that ansible-runner hands to its event handler, so it
is tested on recorded event streams. Times are UTC epoch seconds from the events' own `created`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from postcopy_lab.errors import one_line

Event = Mapping[str, Any]

# Its refusals name file, key and allowed values by themselves.
PLAN_ACTION = "postcopy.lab.study_plan"
# A task that only looks, and ends the play in words: what failed here was refused, not broken.
REFUSING_ACTIONS = (
    "assert",
    "ansible.builtin.assert",
    "fail",
    "ansible.builtin.fail",
    "ansible.builtin.validate_argument_spec",
    PLAN_ACTION,
)
ARGUMENT_CHECK_ACTION = "ansible.builtin.validate_argument_spec"
# What a playbook reports of a run or of a check, as data (docs/modules/event.md).
REPORT_ACTION = "postcopy.lab.event"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
DELEGATED = re.compile(r"^(?:fatal|failed): \[\S+ -> ([^\](]+)", re.MULTILINE)
# What Ansible prints after a failure that does not count. The event of a silent host says no more.
IGNORED = "...ignoring"
ERROR_MARKS = ("ERROR!", "[ERROR]:")
TASK_STARTS = ("playbook_on_task_start", "playbook_on_handler_task_start")
HOST_EVENTS = ("runner_on_ok", "runner_on_failed", "runner_on_unreachable")
ROLE_INCLUDING_ACTION = "ansible.builtin.include_role"


@dataclass(frozen=True)
class Failure:
    """One failed task on one host."""

    host: str
    task: str
    role: str
    action: str
    place: str
    message: str
    unreachable: bool
    unprovisioned: bool = False
    # The host that carried the task out for `host`; empty if that did it itself.
    delegate: str = ""

    @property
    def refused(self) -> bool:
        """Whether a check said no, before the thing itself was tried."""
        return self.unreachable or self.action in REFUSING_ACTIONS

    @property
    def said(self) -> str:
        """The message, without Mitogen's own words before those of ssh."""
        return (
            self.message.rpartition("lines received: ")[2].rstrip(".") if self.unreachable else self.message
        )


class ReportKind(StrEnum):
    """What a playbook may report."""

    RUN_BEGINS = "run_begins"
    RUN_ENDS = "run_ends"
    NOTE = "note"


@dataclass(frozen=True)
class Report:
    """What a playbook reported; a note has no place among the runs, and only a run's end has an outcome."""

    kind: ReportKind
    text: str
    case: str = ""
    repetition: int = 0
    number: int = 0
    total: int = 0
    outcome: str = ""
    path: str = ""


@dataclass(frozen=True)
class Totals:
    """Ansible's own recap."""

    processed: frozenset[str]
    failed: frozenset[str]
    unreachable: frozenset[str]
    changed: frozenset[str]
    rescued: Mapping[str, int]


@dataclass(frozen=True)
class TaskDone:
    """A task that at least one host ran, after its last host.

    `role` is the role that the play runs. A role that it includes is a part of it.
    """

    name: str
    action: str
    role: str
    play: str
    started_at: float
    finished_at: float
    hosts: int
    changed: bool
    failures: tuple[Failure, ...]
    said: str

    @property
    def seconds(self) -> float:
        return self.finished_at - self.started_at


def event_time(event: Event) -> float:
    """UTC epoch seconds of an event (ansible-runner writes an ISO date with its offset)."""
    return datetime.fromisoformat(str(event["created"])).timestamp()


def failure_of(event: Event) -> Failure | None:
    """The failure that an event reports; None for other events and for ignored failures."""
    kind = event.get("event")
    data = event.get("event_data") or {}
    if kind not in ("runner_on_failed", "runner_on_unreachable"):
        return None
    printed = COLOUR.sub("", str(event.get("stdout") or ""))
    if data.get("ignore_errors") or printed.rstrip().endswith(IGNORED):
        return None
    return Failure(
        host=str(data.get("host", "?")),
        task=str(data.get("task", "?")),
        role=str(data.get("role") or ""),
        action=str(data.get("resolved_action") or data.get("task_action") or ""),
        place=str(data.get("task_path") or ""),
        message=failure_message(data.get("res") or {}),
        unreachable=kind == "runner_on_unreachable",
        unprovisioned=bool((data.get("res") or {}).get("unprovisioned")),
        delegate=_delegate_of(printed),
    )


def _delegate_of(printed: str) -> str:
    """The host that a task was delegated to, as is printed: "fatal: [compute1 -> localhost]"."""
    found = DELEGATED.search(printed)
    return found.group(1) if found else ""


def report_of(event: Event) -> Report | None:
    """What the playbook reports with this event; None for other events.

    Raises:
        KeyError, ValueError: the event is not of this version of the collection.
    """
    data = event.get("event_data") or {}
    if event.get("event") != "runner_on_ok" or data.get("task_action") != REPORT_ACTION:
        return None
    reported = {key: value for key, value in data["res"]["event"].items() if value is not None}
    return Report(
        kind=ReportKind(reported["kind"]),
        text=one_line(str(reported.get("text", ""))),
        case=str(reported.get("case", "")),
        repetition=int(reported.get("repetition", 0)),
        number=int(reported.get("number", 0)),
        total=int(reported.get("total", 0)),
        outcome=str(reported.get("outcome", "")),
        path=str(reported.get("path", "")),
    )


def failure_message(result: Mapping[str, Any]) -> str:
    """The cause in one line: the module's message, with the last words of a command that failed."""
    if "censored" in result:
        return "output is hidden (no_log)"
    # A module of this kit that reports a failure as its result, which failed_when then made one, says it so.
    message = one_line(str(result.get("msg") or result.get("error") or ""))
    items = [item for item in result.get("results") or () if isinstance(item, Mapping) and item.get("failed")]
    if items:
        label = items[0].get("_ansible_item_label", items[0].get("item"))
        return one_line(f"{failure_message(items[0])} (item {label})")
    if "rc" in result:
        said = str(result.get("stderr") or result.get("module_stderr") or result.get("stdout") or "").strip()
        if said:
            last = said.splitlines()[-1]
            message = f"{message.rstrip('.')}: {last}" if message and last not in message else message or last
        message = f"{message} (exit code {result['rc']})"
    return one_line(message) or "no message"


def totals_of(event: Event) -> Totals | None:
    """Ansible's recap, from its last event."""
    if event.get("event") != "playbook_on_stats":
        return None
    data = event.get("event_data") or {}

    def hosts(name: str) -> frozenset[str]:
        return frozenset(host for host, count in (data.get(name) or {}).items() if count)

    return Totals(
        processed=hosts("processed"),
        failed=hosts("failures"),
        unreachable=hosts("dark"),
        changed=hosts("changed"),
        rescued=dict(data.get("rescued") or {}),
    )


@dataclass
class Recorder:
    """Remembers what decides about the end of an invocation."""

    failures: list[Failure] = field(default_factory=list)
    changed: bool = False
    totals: Totals | None = None
    errors: list[str] = field(default_factory=list)

    def feed(self, event: Event) -> None:
        failure = failure_of(event)
        if failure is not None:
            self.failures.append(failure)
        data = event.get("event_data") or {}
        if event.get("event") == "runner_on_ok" and (data.get("res") or {}).get("changed"):
            self.changed = True
        self.totals = totals_of(event) or self.totals
        if event.get("event") in ("verbose", "error"):
            for line in str(event.get("stdout") or "").splitlines():
                text = COLOUR.sub("", line).strip()
                if text.startswith(ERROR_MARKS):
                    self.errors.append(one_line(text.split(maxsplit=1)[-1]))

    def cause(self) -> Failure | None:
        """The failure that ended the play: the first on a failed host that no rescue section took care of."""
        if self.totals is None:
            return self.failures[-1] if self.failures else None
        for host in sorted(self.totals.failed | self.totals.unreachable):
            rescued = self.totals.rescued.get(host, 0)
            of_host = [failure for failure in self.failures if failure.host == host]
            if of_host:
                return of_host[min(rescued, len(of_host) - 1)]
        return None

    def failed_hosts(self) -> tuple[str, ...]:
        """Hosts that failed or could not be reached, by Ansible's own recap."""
        return tuple(sorted(self.totals.failed | self.totals.unreachable)) if self.totals else ()


@dataclass(frozen=True)
class StepDone:
    """Consecutive tasks of one role (or, outside roles, of one play)."""

    name: str
    what: str
    play: str
    is_role: bool
    seconds: float
    tasks: int
    changed: bool
    failures: tuple[Failure, ...]


@dataclass
class TaskFold:
    """Turns events into finished tasks, in order, whatever the number of hosts."""

    play: str = ""
    _data: Mapping[str, Any] = field(default_factory=dict)
    # The role that the play runs, and those that are included within it, down to the running task's.
    _roles: list[str] = field(default_factory=list)
    _included: bool = False
    _started_at: float = 0.0
    _finished_at: float = 0.0
    _hosts: int = 0
    _changed: bool = False
    _failures: list[Failure] = field(default_factory=list)
    _said: str = ""

    def feed(self, event: Event) -> TaskDone | None:
        """Return the task that this event closes (the next task, play or recap closes one)."""
        kind = event.get("event")
        data = event.get("event_data") or {}
        if kind in ("playbook_on_play_start", "playbook_on_stats", *TASK_STARTS):
            done = self._close()
            if kind == "playbook_on_play_start":
                self.play = str(data.get("name") or "")
                self._roles = []
            if kind in TASK_STARTS:
                self._data = data
                self._enter(str(data.get("role") or ""))
                self._started_at = self._finished_at = event_time(event)
            return done
        if kind in HOST_EVENTS and data.get("task_uuid") == self._data.get("task_uuid"):
            self._hosts += 1
            self._finished_at = event_time(event)
            self._changed = self._changed or bool((data.get("res") or {}).get("changed"))
            failure = failure_of(event)
            if failure is not None:
                self._failures.append(failure)
            report = report_of(event)
            if report is not None:
                self._said = report.text
        return None

    @property
    def task(self) -> str:
        """Name of the task that is running, without its role."""
        return str(self._data.get("task") or "")

    @property
    def role(self) -> str:
        """Role that the play is running; empty outside of roles."""
        return self._roles[0] if self._roles else ""

    def _enter(self, role: str) -> None:
        """Find out whether the role of a task is inside of the one before it, the same, or another one."""
        if role in self._roles:
            del self._roles[self._roles.index(role) + 1 :]
        elif self._included and self._roles:
            self._roles.append(role)
        else:
            self._roles = [role] if role else []

    @property
    def _action(self) -> str:
        return str(self._data.get("resolved_action") or self._data.get("task_action") or "")

    def _close(self) -> TaskDone | None:
        done = None
        self._included = bool(self._hosts) and self._action == ROLE_INCLUDING_ACTION
        if self._hosts:
            done = TaskDone(
                name=self.task,
                action=self._action,
                role=self.role,
                play=self.play,
                started_at=self._started_at,
                finished_at=self._finished_at,
                hosts=self._hosts,
                changed=self._changed,
                failures=tuple(self._failures),
                said=self._said,
            )
        self._data, self._hosts, self._changed, self._failures, self._said = {}, 0, False, [], ""
        return done


@dataclass
class StepFold:
    """Turns finished tasks into finished steps."""

    _tasks: list[TaskDone] = field(default_factory=list)

    def feed(self, task: TaskDone) -> StepDone | None:
        """Return the step that this task, being of another role or play, closes."""
        first = self._tasks[0] if self._tasks else None
        done = self.close() if first and (first.play, first.role) != (task.play, task.role) else None
        self._tasks.append(task)
        return done

    def close(self) -> StepDone | None:
        """Return the step that is open, if one is."""
        tasks, self._tasks = self._tasks, []
        if not tasks:
            return None
        return StepDone(
            name=tasks[0].role or tasks[0].play,
            what=_role_words(tasks[0]),
            play=tasks[0].play,
            is_role=bool(tasks[0].role),
            seconds=tasks[-1].finished_at - tasks[0].started_at,
            tasks=len(tasks),
            changed=any(task.changed for task in tasks),
            failures=tuple(failure for task in tasks for failure in task.failures),
        )


def _role_words(first: TaskDone) -> str:
    """What a role says of itself: Ansible's check of its arguments comes first and ends in it."""
    return first.name.partition(" - ")[2] if first.action == ARGUMENT_CHECK_ACTION else ""


def short_place(place: str, root: PurePosixPath) -> str:
    """A task's `file:line`, relative to the project."""
    try:
        return str(PurePosixPath(place).relative_to(root))
    except ValueError:
        return place
