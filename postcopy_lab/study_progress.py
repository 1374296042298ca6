"""Progress of a study by its runs.

The playbook's task names carry the run ("Run 3/12 CASE 01: migrate"), its plan says which runs are pending,
and its last step of a run says how the run ended.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from contract.outcomes import GOOD_OUTCOMES
from postcopy_lab.board import Board
from postcopy_lab.errors import count, one_line
from postcopy_lab.estimate import Forecast, run_seconds
from postcopy_lab.events import Event, TaskFold, event_time
from postcopy_lab.journal import RunRecord, read_run
from postcopy_lab.studies import RunKey, Spec

RECORD_ACTION = "postcopy.lab.run_record"
RUN_TASK = re.compile(r"^Run (?P<number>\d+)/(?P<total>\d+) (?P<case>\S+) (?P<repetition>\d+): (?P<step>.+)$")


class StudyProgress:
    """Shows the run and its step while it is made, and one line when it is done."""

    def __init__(
        self,
        board: Board,
        specs: Mapping[str, Spec],
        wanted: tuple[RunKey, ...],
        finished: Mapping[RunKey, RunRecord],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._clock = clock
        self._tasks = TaskFold()
        self._wanted = wanted
        self._forecast = Forecast(
            {key: run_seconds(specs[key[0]]) for key in wanted},
            {key: record.seconds for key, record in finished.items() if key in wanted},
        )
        self._run: RunKey | None = None
        self._run_started_at = 0.0
        self._prepared_since: float | None = None
        self._since = clock()
        self.made: list[RunKey] = []
        board.follow(self.progress)

    @property
    def pending(self) -> list[RunKey]:
        """Runs not finished yet, the running one first."""
        left = [key for key in self._wanted if key not in self._forecast.actual]
        return sorted(left, key=lambda key: key != self._run)

    def progress(self) -> tuple[float | None, float | None]:
        """Share done and seconds left of all wanted runs."""
        pending = self.pending
        elapsed = self._clock() - self._since if pending[:1] == [self._run] else 0.0
        return self._forecast.share_done(pending, elapsed), self._forecast.seconds_left(pending, elapsed)

    def __call__(self, event: Event) -> None:
        done = self._tasks.feed(event)
        match = RUN_TASK.match(self._tasks.task)
        if match is None:
            if done is not None and self._prepared_since is None:
                self._prepared_since = done.started_at
            if self._tasks.task and self._run is None:
                self._board.now(self._tasks.task)
        else:
            self._follow_run(event, match)
        data = event.get("event_data") or {}
        if event.get("event") == "runner_on_ok" and data.get("task_action") == RECORD_ACTION:
            self._finish(event, data.get("res") or {}, match)

    def _follow_run(self, event: Event, match: re.Match[str]) -> None:
        key = (match["case"], int(match["repetition"]))
        if key in self.made:
            return
        if key != self._run:
            if self._prepared_since is not None and not self.made:
                self._board.line(
                    "note", "study planned, nodes ready", event_time(event) - self._prepared_since
                )
            self._run, self._run_started_at, self._since = key, event_time(event), self._clock()
        self._board.now(f"run {match['number']}/{match['total']} {key[0]} {key[1]:02d}: {match['step']}")

    def _finish(self, event: Event, result: Mapping[str, object], match: re.Match[str] | None) -> None:
        if self._run is None or match is None:
            return
        seconds = event_time(event) - self._run_started_at
        self.made.append(self._run)
        record = read_run(Path(str(result.get("path"))))
        good = record.good if record else result.get("outcome") in GOOD_OUTCOMES
        where = f"run {match['number']}/{match['total']}  {self._run[0]}  {self._run[1]:02d}"
        self._board.line(
            "ok" if good else "failed", where, seconds, one_line(str(result.get("summary") or ""))
        )
        self._forecast = self._forecast.done(self._run, seconds)
        self._run = None


def describe_totals(records: list[RunRecord]) -> str:
    """How the finished runs ended, in one line."""
    counts = Counter(record.words for record in records)
    ends = ", ".join(f"{number} {words}" for words, number in counts.most_common())
    return f"{count(len(records), 'run')}: {ends}" if records else "No run is finished."
