"""Progress of a playbook whose every task counts as a check, for `check`."""

from __future__ import annotations

from postcopy_lab.board import Board
from postcopy_lab.errors import count
from postcopy_lab.events import Event, TaskDone, TaskFold

INCLUDING_ACTIONS = ("ansible.builtin.include_tasks", "ansible.builtin.include_role")


class CheckProgress:
    """One line per check with its time; a task that only gathers facts must pass too, so it counts."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._tasks = TaskFold()
        self.passed = 0
        self.failed = 0

    def __call__(self, event: Event) -> None:
        done = self._tasks.feed(event)
        # A task that includes others checks nothing by itself.
        if done is not None and (done.failures or done.action not in INCLUDING_ACTIONS):
            self._finish(done)
        if self._tasks.task:
            self._board.now(self._tasks.task)

    def _finish(self, task: TaskDone) -> None:
        name = f"{task.role}: {task.name}" if task.role else task.name
        where = count(task.hosts, "node")
        if not task.failures:
            self.passed += 1
            self._board.line("ok", name, task.seconds, task.said or where)
            return
        self.failed += 1
        for failure in task.failures:
            self._board.line("failed", name, task.seconds, f"{failure.host}: {failure.message}")
