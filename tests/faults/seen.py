"""What was seen when a fault was provoked: docs/faults.json, of which `make docs` makes docs/faults.md."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# `make test-faults` and `make test-machines` name the file there.
SEEN_VARIABLE = "FAULTS_SEEN"
# What is kept of a struck run's run.json.
RECORDED = ("outcome", "cause", "cause_detail", "valid", "invalid_reason", "warnings")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One fault: where it struck, and what became of the study, the run, the guest and the lab.

    `line`: what the command says of it. `run`: outcome, cause and so on of the struck run; None where it has
    no run.json. `left`: what was left on the nodes. `earlier_files`: files of earlier runs, all as before.
    `next_run`: the run after it, and by which command it was made.
    """

    group: str
    fault: str
    step: str
    exit_code: int | None
    line: str
    run: Mapping[str, Any] | None
    guest: str
    left: tuple[str, ...]
    earlier_files: int
    next_run: str
    seconds: float

    @property
    def key(self) -> str:
        """What docs/faults.json knows it by."""
        return key_of(self.group, self.fault, self.step)


def key_of(group: str, fault: str, step: str) -> str:
    return f"{group}: {fault}: {step}"


def recorded(run: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What is kept of a run.json; None where there is none."""
    return None if run is None else {key: run[key] for key in RECORDED}


def keep(seen: Seen) -> None:
    """Add it to the file that the caller wants, in place of what was seen of the same fault before."""
    named = os.environ.get(SEEN_VARIABLE)
    if not named:
        return
    with Path(named).open("a+", encoding="utf-8") as file:
        # Two labs see faults at the same time.
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = json.loads(file.read() or "{}")
        known[seen.key] = asdict(seen)
        file.truncate(0)
        file.write(json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def guest_words(run: Mapping[str, Any] | None) -> str:
    """Where the guest of a run was found, and whether it was shown whole."""
    if run is None:
        return "removed with its run"
    integrity = run["integrity"]
    where = f"on {integrity['alive_on']}" if integrity["alive_on"] else "on no node"
    pattern = integrity["pattern"]
    if not integrity["checked"] or pattern is None:
        return f"{where}, not checked"
    damaged = sum(pattern[key] or 0 for key in ("bad_pages", "stale_pages", "torn_pages"))
    whole = (
        not damaged and not integrity["kernel_log_errors"] and integrity["stressor_progressing"] is not False
    )
    return f"{where}, {'intact' if whole else 'damaged'}"
