"""Reads run.json, study.json and lab.json into the contract's records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from analysis.evidence.errors import EvidenceError
from analysis.evidence.files import open_file
from analysis.evidence.lines import json_object
from contract.evidence import LAB_FILE, RUN_FILE, STUDY_FILE
from contract.faults import fault_of
from contract.older import READ_SCHEMAS, SCHEMA, in_todays_words
from contract.outcomes import GOOD_OUTCOMES
from contract.records import LabRecord, RunRecord, StudyRecord

R = TypeVar("R")

# A run.json has some KiB, a study.json of thousands of cases some MiB.
LARGEST_DOCUMENT_BYTES = 64 << 20


def read_run(path: Path, file: str = RUN_FILE) -> RunRecord:
    """Read run.json; EvidenceError names what is wrong."""
    document = _tidied(_document(path, file))
    # A run may have ended before its migration was asked for, and a guest may not have verified its pattern.
    _drop_without(document, "driver", "requested_at")
    _drop_without(document.get("integrity"), "pattern", "pages")
    run = _typed(document, RunRecord, file)
    if run.driver is None and run.outcome in GOOD_OUTCOMES:
        raise EvidenceError(file, None, f'"driver.requested_at" missing although the run is {run.outcome}')
    try:
        _ = run.nova_record_seconds
    except ValueError as error:
        raise EvidenceError(file, None, f'"nova.migration" has {error}'[:200]) from error
    return run


def read_study(path: Path, file: str = STUDY_FILE) -> StudyRecord:
    """Read study.json; EvidenceError names what is wrong."""
    return _typed(_tidied(_document(path, file)), StudyRecord, file)


def read_lab(path: Path, file: str = LAB_FILE) -> LabRecord:
    """Read lab.json; EvidenceError names what is wrong."""
    document = _document(path, file)
    # What the nodes say of themselves is shown as it is.
    nodes = {key: document[key] for key in ("nodes",) if key in document}
    lab = _typed({**_tidied(document), **nodes}, LabRecord, file)
    return replace(lab, file=file, log_patterns=lab.log_patterns or lab.release)


def read_labs(directory: Path) -> tuple[LabRecord, ...]:
    """Every description of a results directory by session, the newest (lab.json) last."""
    newest = read_lab(directory / LAB_FILE)
    files = (path for path in directory.glob("lab-*.json") if path.stem.removeprefix("lab-").isdecimal())
    earlier = [read_lab(path, path.name) for path in files]
    return (
        *sorted((lab for lab in earlier if lab.session != newest.session), key=lambda lab: lab.session),
        newest,
    )


def lab_of(run: RunRecord, labs: Sequence[LabRecord]) -> LabRecord:
    """The description that a run was made with; the first for one of before sessions were counted.

    The newest stands in for one that is gone.
    """
    return next((lab for lab in labs if lab.session == (run.session or 1)), labs[-1])


def _document(path: Path, file: str) -> dict[str, Any]:
    """One JSON document of a known schema; `file` names it in messages."""
    with open_file(path.parent, path.name) as content:
        text = content.read(LARGEST_DOCUMENT_BYTES + 1)
    if len(text) > LARGEST_DOCUMENT_BYTES:
        raise EvidenceError(file, None, f"garbled: more than {LARGEST_DOCUMENT_BYTES >> 20} MiB")
    document = json_object(text, file, None)
    if document.get("schema") not in READ_SCHEMAS:
        known = " and ".join(map(str, READ_SCHEMAS))
        raise EvidenceError(
            file, None, f"unknown schema {str(document.get('schema'))[:80]}, this version reads {known}"
        )
    return {**in_todays_words(document), "schema": SCHEMA}


def _tidied(value: Any) -> Any:
    """The same with each text on one line, and without the keys whose value is null: they say nothing."""
    if isinstance(value, dict):
        return {key: _tidied(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_tidied(item) for item in value]
    return " ".join(value.split()) if isinstance(value, str) else value


def _drop_without(document: Any, key: str, needed: str) -> None:
    """Take out an object that does not have what it is of no use without."""
    if isinstance(document, dict) and isinstance(document.get(key), dict) and needed not in document[key]:
        del document[key]


def _typed(document: dict[str, Any], record: type[R], file: str) -> R:
    try:
        return msgspec.convert(document, record)
    except (msgspec.ValidationError, OverflowError) as error:
        fault = fault_of(document, record)
        if fault is None:
            raise EvidenceError(file, None, f"garbled: {error}"[:200]) from error
    found = "missing" if fault.kind == "missing" else f"is {fault.value!r}"
    expected = {"record": "an object", "choice": f"one of {fault.allowed}"}.get(fault.kind, fault.allowed)
    raise EvidenceError(file, None, f'"{fault.key}" {found[:80]}, expected {expected}')
