"""Progress of a playbook by its steps (roles), for provision and destroy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from postcopy_lab.board import Board
from postcopy_lab.estimate import Forecast
from postcopy_lab.events import Event, StepDone, StepFold, TaskFold
from postcopy_lab.project import Project

DURATIONS_FILE = "durations.json"
# By playbook and role: what to expect of a lab that was never provisioned.
FIRST_TIME_FILE = Path("vars") / "first_time_seconds.yml"


class StepProgress:
    """Shows each step of a playbook while it runs and when it is done."""

    def __init__(
        self,
        board: Board,
        expected_seconds: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._clock = clock
        self._tasks = TaskFold()
        self._steps = StepFold()
        self._current = ""
        self._current_since = clock()
        self._forecast = Forecast(dict(expected_seconds), {})
        self.seconds: dict[str, float] = {}
        board.follow(self.progress)

    def __call__(self, event: Event) -> None:
        done = self._tasks.feed(event)
        if done is not None:
            self._finish(self._steps.feed(done))
        if event.get("event") == "playbook_on_stats":
            self._finish(self._steps.close())
        current = self._tasks.role or self._tasks.play
        if self._tasks.task and current != self._current:
            self._current, self._current_since = current, self._clock()
        if self._tasks.task:
            self._board.now(f"{current}: {self._tasks.task}")

    def progress(self) -> tuple[float | None, float | None]:
        """Share done and time left, from how long the steps took the last time."""
        if not self._forecast.expected:
            return None, None
        order = list(self._forecast.expected)
        reached = [order.index(key) for key in (*self._forecast.actual, self._current) if key in order]
        # What should have come earlier and did not is not going to come.
        pending = [key for key in order[max(reached, default=0) :] if key not in self._forecast.actual]
        elapsed = self._clock() - self._current_since if pending[:1] == [self._current] else 0.0
        return self._forecast.share_done(pending, elapsed), self._forecast.seconds_left(pending, elapsed)

    def _finish(self, step: StepDone | None) -> None:
        if step is None:
            return
        self.seconds[step.name] = self.seconds.get(step.name, 0.0) + step.seconds
        self._forecast = self._forecast.done(step.name, self.seconds[step.name])
        failed = bool(step.failures)
        mark = "failed" if failed else "changed" if step.changed else "ok"
        text = f"{step.name}: {step.what}" if step.what else step.name
        self._board.line(mark, text, step.seconds, "failed" if failed else "changed" if step.changed else "")


def first_time_seconds(project: Project, playbook: str) -> dict[str, float]:
    """What to expect of each step of a playbook in a lab that never ran it; empty if that is not known."""
    try:
        text = (project.playbooks / FIRST_TIME_FILE).read_text(encoding="utf-8")
    except OSError:
        return {}
    return {str(step): float(seconds) for step, seconds in (yaml.safe_load(text).get(playbook) or {}).items()}


def read_durations(project: Project, state_dir: Path, playbook: str) -> dict[str, float]:
    """How long each step of a playbook took the last time in this lab; before that what is expected."""
    try:
        known = json.loads((state_dir / DURATIONS_FILE).read_text(encoding="utf-8"))[playbook]
        return {str(key): float(seconds) for key, seconds in known.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return first_time_seconds(project, playbook)


def write_durations(state_dir: Path, playbook: str, seconds: Mapping[str, float]) -> None:
    """Remember the duration of each step for the next time."""
    path = state_dir / DURATIONS_FILE
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known[playbook] = {key: round(value, 1) for key, value in seconds.items()}
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
