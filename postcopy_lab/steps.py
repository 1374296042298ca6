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


class StepProgress:
    """Shows each step of a playbook while it runs and when it is done."""

    def __init__(
        self,
        board: Board,
        describe: Callable[[str], str],
        expected_seconds: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._describe = describe
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
        current = f"{self._tasks.play} / {self._tasks.role}"
        if self._tasks.task and current != self._current:
            self._current, self._current_since = current, self._clock()
        if self._tasks.task:
            self._board.now(f"{self._tasks.role or self._tasks.play}: {self._tasks.task}")

    def progress(self) -> tuple[float | None, float | None]:
        """Share done and time left, from how long the steps took the last time."""
        if not self._forecast.expected:
            return None, None
        pending = [key for key in self._forecast.expected if key not in self._forecast.actual]
        pending.sort(key=lambda key: key != self._current)
        elapsed = self._clock() - self._current_since if pending[:1] == [self._current] else 0.0
        return self._forecast.share_done(pending, elapsed), self._forecast.seconds_left(pending, elapsed)

    def _finish(self, step: StepDone | None) -> None:
        if step is None:
            return
        key = f"{step.play} / {step.name if step.is_role else ''}"
        self.seconds[key] = self.seconds.get(key, 0.0) + step.seconds
        self._forecast = self._forecast.done(key, self.seconds[key])
        failed = bool(step.failures)
        mark = "failed" if failed else "changed" if step.changed else "ok"
        said = self._describe(step.name) if step.is_role else ""
        text = f"{step.name}: {said}" if said else step.name
        self._board.line(mark, text, step.seconds, "failed" if failed else "changed" if step.changed else "")


def role_description(project: Project, role: str) -> str:
    """What a role says about itself (argument_specs, main, short_description); empty if it says nothing."""
    try:
        text = (project.roles / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
        return str(yaml.safe_load(text)["argument_specs"]["main"]["short_description"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return ""


def read_durations(state_dir: Path, playbook: str) -> dict[str, float]:
    """How long each step of a playbook took the last time in this lab; empty if that is not known."""
    try:
        known = json.loads((state_dir / DURATIONS_FILE).read_text(encoding="utf-8"))[playbook]
        return {str(key): float(seconds) for key, seconds in known.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_durations(state_dir: Path, playbook: str, seconds: Mapping[str, float]) -> None:
    """Remember the duration of each step for the next time."""
    path = state_dir / DURATIONS_FILE
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known[playbook] = {key: round(value, 1) for key, value in seconds.items()}
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
