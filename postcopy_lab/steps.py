"""Progress of a playbook by its steps (roles), for provision and destroy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from postcopy_lab.board import Board
from postcopy_lab.estimate import Forecast
from postcopy_lab.events import Event, StepDone, StepFold, TaskFold

DURATIONS_FILE = "durations.json"
# Expected of a lab's first provisioning, to have a time left at all; corrected with every step that ends.
# Measured on 2 busy cores.
FIRST_TIME_SECONDS = {
    "prechecks": 26.0,
    "local_nodes": 45.0,
    "node_baseline": 24.0,
    "lab_network": 9.0,
    "guest_image": 100.0,
    "qemu": 33.0,
    "libvirt": 53.0,
    "prober": 11.0,
}


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


def read_durations(state_dir: Path, playbook: str) -> dict[str, float]:
    """How long each step of a playbook took the last time in this lab; a guess or nothing before that."""
    try:
        known = json.loads((state_dir / DURATIONS_FILE).read_text(encoding="utf-8"))[playbook]
        return {str(key): float(seconds) for key, seconds in known.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return dict(FIRST_TIME_SECONDS) if playbook == "provision" else {}


def write_durations(state_dir: Path, playbook: str, seconds: Mapping[str, float]) -> None:
    """Remember the duration of each step for the next time."""
    path = state_dir / DURATIONS_FILE
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known[playbook] = {key: round(value, 1) for key, value in seconds.items()}
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
