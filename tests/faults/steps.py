"""The steps of a run, as one sees from outside that they begin: in the playbook's log and on the nodes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.faulty_lab import PRECOPY_BYTES, SOURCE, RunningStudy


@dataclass(frozen=True)
class Step:
    """`wait` ends when a study is in the step."""

    name: str
    wait: Callable[[RunningStudy], None]


def _task(name: str, task: str) -> Step:
    """A step that begins with a task of the playbook."""

    def wait(study: RunningStudy) -> None:
        study.wait_until(name, lambda: f"TASK [{task}]" in study.log())

    return Step(name, wait)


PLAN = _task("planning", "Look at the nodes")
BOOT = _task("boot", "Start the first guest")
MEASURE = _task("start of the probes", "Start the probes")
FILL = _task("fill", "Fill")
CHECK = _task("check", "Check")
COLLECT = _task("collecting", "Stop the probes and remove the guest")


def _precopy(study: RunningStudy) -> None:
    study.wait_until("the migration", lambda: "TASK [Migrate]" in study.log())
    before = study.lab.sent_bytes(SOURCE)
    study.wait_until("pre-copy", lambda: study.lab.sent_bytes(SOURCE) - before > PRECOPY_BYTES)


def _switchover(study: RunningStudy) -> None:
    _precopy(study)
    study.wait_until("the switchover", lambda: '"switchover-requested"' in study.lab.events(SOURCE))


def _postcopy(study: RunningStudy) -> None:
    _switchover(study)
    study.wait_until("post-copy", lambda: '"POSTCOPY"' in study.lab.events(SOURCE))
    time.sleep(1)


def _after(study: RunningStudy) -> None:
    _switchover(study)
    study.wait_until("the end", lambda: '"finished"' in study.lab.events(SOURCE))


AFTER = Step("the quiet seconds after the migration", _after)
PRECOPY = Step("pre-copy", _precopy)
SWITCHOVER = Step("switchover", _switchover)
POSTCOPY = Step("post-copy", _postcopy)
STEPS = (PLAN, BOOT, MEASURE, FILL, PRECOPY, POSTCOPY, CHECK, COLLECT)
