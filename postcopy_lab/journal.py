"""What a results directory says about the runs of a study: a run is finished once its run.json is there."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from contract.evidence import RUN_FILE, STUDY_FILE
from contract.outcomes import GOOD_OUTCOMES
from control import study_files
from postcopy_lab.errors import one_line
from postcopy_lab.studies import RunKey

T = TypeVar("T")


@dataclass(frozen=True)
class RunRecord:
    """The end of one finished run."""

    case: str
    repetition: int
    outcome: str
    cause: str | None
    valid: bool
    seconds: float

    @property
    def key(self) -> RunKey:
        return (self.case, self.repetition)

    @property
    def good(self) -> bool:
        """Whether the run can be reported on: it ended as a migration may end, and passed its checks."""
        return self.outcome in GOOD_OUTCOMES and self.valid

    @property
    def words(self) -> str:
        """The outcome with its cause."""
        text = self.outcome.replace("_", " ")
        if self.cause:
            text += f": {self.cause.replace('_', ' ')}"
        return text if self.valid else f"{text} (invalid)"


def run_directory(results: Path, key: RunKey) -> Path:
    """Where the evidence of a run lies."""
    return study_files.run_directory(results, *key)


def read_order(results: Path) -> list[RunKey] | None:
    """All runs of the study in a results directory, as study.json has them; None if that is not readable."""
    return _read_study(
        results, lambda document: [(str(case), int(repetition)) for case, repetition in document["order"]]
    )


def read_scale(results: Path) -> float | None:
    """The scale of the study in a results directory; None if that is not readable, or tells none."""
    return _read_study(results, lambda document: float(document["study"]["scale"]))


def _read_study(results: Path, take: Callable[[Any], T]) -> T | None:
    """What is taken of study.json; None where that is not there, not readable or lacks it."""
    try:
        return take(json.loads((results / STUDY_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def read_run(path: Path) -> RunRecord | None:
    """Read a run.json; None if it is not there or not readable."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return record_of(data)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def record_of(data: dict[str, Any]) -> RunRecord:
    """The few fields of a run.json that the command shows.

    Raises:
        KeyError, TypeError, ValueError: it does not follow the data contract.
    """
    seconds = float(data["finished_at"]) - float(data["started_at"])
    if not math.isfinite(seconds):
        raise ValueError(f"not a time: {seconds}")
    cause = data.get("cause")
    return RunRecord(
        case=str(data["case"]),
        repetition=int(data["repetition"]),
        outcome=one_line(str(data["outcome"])),
        cause=None if cause is None else one_line(str(cause)),
        valid=bool(data.get("valid", True)),
        seconds=max(0.0, seconds),
    )


def read_journal(results: Path, order: Iterable[RunKey]) -> dict[RunKey, RunRecord]:
    """All finished runs of an order."""
    found = ((key, read_run(run_directory(results, key) / RUN_FILE)) for key in order)
    return {key: record for key, record in found if record is not None}
