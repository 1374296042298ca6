"""Progress of a study by its runs.

The playbook reports when a run begins and how it ended; between the two, the task that is carried out is the
run's step.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from contract.outcomes import GOOD_OUTCOMES
from contract.records import Spec
from postcopy_lab.board import Board
from postcopy_lab.errors import count
from postcopy_lab.estimate import Forecast, run_seconds
from postcopy_lab.events import Event, Report, ReportKind, TaskFold, event_time, report_of
from postcopy_lab.journal import RunRecord, read_run
from postcopy_lab.studies import RunKey


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
        expected = {key: run_seconds(specs[key[0]]) for key in wanted}
        self._forecast = Forecast(
            expected, {key: record.seconds for key, record in finished.items() if key in expected}
        )
        self._run: RunKey | None = None
        self._run_words = ""
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
        if done is not None and self._prepared_since is None:
            self._prepared_since = done.started_at
        report = report_of(event)
        if report is not None and report.kind == ReportKind.RUN_BEGINS:
            self._begin(report, event_time(event))
        if report is not None and report.kind == ReportKind.RUN_ENDS:
            self._finish(report, event_time(event))
        task = self._tasks.task
        if task and self._run is not None:
            self._board.now(f"{self._run_words}: {task[0].lower()}{task[1:]}")
        elif task:
            self._board.now(task)

    def _begin(self, report: Report, at: float) -> None:
        if self._prepared_since is not None and not self.made:
            self._board.line("note", "study planned, nodes ready", at - self._prepared_since)
        self._run, self._run_started_at, self._since = (report.case, report.repetition), at, self._clock()
        self._run_words = f"run {report.number}/{report.total} {report.case} {report.repetition:02d}"

    def _finish(self, report: Report, at: float) -> None:
        seconds = at - self._run_started_at
        key = (report.case, report.repetition)
        self.made.append(key)
        record = read_run(Path(report.path))
        good = record.good if record else report.outcome in GOOD_OUTCOMES
        where = f"run {report.number}/{report.total}  {report.case}  {report.repetition:02d}"
        self._board.line("ok" if good else "failed", where, seconds, report.text)
        self._forecast = self._forecast.done(key, seconds)
        self._run = None


def describe_totals(records: list[RunRecord]) -> str:
    """How the finished runs ended, in one line."""
    counts = Counter(record.words for record in records)
    ends = ", ".join(f"{number} {words}" for words, number in counts.most_common())
    return f"{count(len(records), 'run')}: {ends}" if records else "No run is finished."
