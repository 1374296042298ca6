"""Records a run: unpacks its evidence, judges it and writes run.json, last of all."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.evidence import (
    DESTINATION_CONSOLE,
    DESTINATION_NOVA_LOG,
    DESTINATION_QEMU_LOG,
    GUEST_KERNEL_LOG,
    PROBE_LOG,
    RUN_FILE,
    SOURCE_CONSOLE,
    SOURCE_NOVA_LOG,
    SOURCE_QEMU_LOG,
)
from contract.nodes import MEASURING
from control import run_files, study_files
from control.pauses import read_signs
from control.run_document import run_document


class RunFinished(ValueError):
    """A run that has its run.json is never touched again; one line."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded. `summary`: outcome, cause and figures in one line, for whoever watches the study."""

    path: Path
    outcome: str
    summary: str


def record_run(
    run: Mapping[str, Any],
    prober: str,
    archives: Mapping[str, str],
    results: Mapping[str, Any],
    session: int | None = None,
) -> Recorded:
    """Record a run; the parameters are those of the module run_record.

    Raises RunFinished, and StudyError if the directory cannot be written. What there is then is kept aside
    when the run is made anew: without a whole run.json it is no run.
    """
    directory = Path(run["directory"])
    path = directory / RUN_FILE
    if study_files.is_complete(directory):
        raise RunFinished(f"{path}: this run is finished, it is never overwritten")
    names = {"source": run["source"], "destination": run["destination"], "prober": prober}
    with study_files.writing(directory):
        study_files.keep_aside(directory)
        directory.mkdir(parents=True)
        faults = run_files.unpack({role: Path(archive) for role, archive in archives.items()}, directory)
        run_files.write_checksums(directory)
        run_files.flush(directory)
    logs = {**_logs(directory), "not_unpacked": faults, "signs": read_signs(directory, names)}
    missing = run_files.missing_files(directory, run["spec"]["backend"])
    document = run_document(run, results, logs, missing, names, time.time(), session)
    study_files.write_json(path, document)
    for archive in archives.values():
        # The next run must not take it for its own, should a node not give one then.
        Path(archive).unlink(missing_ok=True)
    return Recorded(path, document["outcome"], summary_of(document))


def _logs(directory: Path) -> dict[str, Any]:
    def lines(path: str) -> list[str]:
        return run_files.read_lines(directory / path)

    return {
        "source": lines(SOURCE_CONSOLE.path),
        "destination": lines(DESTINATION_CONSOLE.path),
        "guest": lines(GUEST_KERNEL_LOG.path),
        "nova": lines(SOURCE_NOVA_LOG.path) + lines(DESTINATION_NOVA_LOG.path),
        "qemu": lines(DESTINATION_QEMU_LOG.path),
        "source_qemu": lines(SOURCE_QEMU_LOG.path),
        "cut_short": run_files.logs_cut_short(directory),
        "probes": {role.value: lines(f"{role}/{PROBE_LOG}") for role in MEASURING},
    }


def summary_of(document: Mapping[str, Any]) -> str:
    """One line for whoever watches the study."""
    words = [str(document["outcome"])]
    if document["cause"]:
        words.append(f"({document['cause']}: {document['cause_detail']})")
    if document["steps_seconds"]["migrate"] is not None:
        words.append(f"in {document['steps_seconds']['migrate']:.1f} s")
    if not document["valid"]:
        words.append(f"INVALID: {document['invalid_reason']}")
    words.extend(f"warning: {line}" for line in document["warnings"])
    return " ".join(words)
