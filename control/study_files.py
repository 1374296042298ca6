"""Reading a study file and a results directory, and writing its documents; all rules are in study.py."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from contract.evidence import LAB_FILE, RUN_FILE, STUDY_FILE
from contract.records import Case
from control.study import (
    Run,
    Study,
    StudyError,
    base_of,
    check_same_lab,
    check_same_study,
    derive,
    is_derived,
    validate,
)
from control.yaml_text import LARGEST_BYTES, YamlFault, read_yaml

# Beside runs/: what is left of runs that were cut short.
PARTIAL_RUNS = "partial"


def read_study(path: Path) -> Study:
    """The checked study of a file; StudyError with one line for a missing, unreadable or wrong one."""
    document = _read_document(path)
    if not is_derived(document):
        return validate(document, str(path), path.stem)
    base_name = base_of(document, str(path))
    base_path = path.with_name(f"{base_name}.yml")
    base = _read_document(base_path) if base_path.is_file() else None
    if base is None or is_derived(base):
        problem = "is itself based on another" if base is not None else f"is not in {path.parent}"
        raise StudyError(
            f"{path}: based_on: {base_name} {problem} (allowed: a study file beside it with a matrix)"
        )
    validate(base, str(base_path), base_path.stem)
    return derive(document, base, str(path), path.stem)


def _read_document(path: Path) -> Any:
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
        return read_yaml(content, decimal=True)
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror}") from error
    except YamlFault as error:
        where = f"line {error.line}: " if error.line is not None else ""
        raise StudyError(f"{path}: {where}{error}") from error
    except (yaml.YAMLError, ValueError) as error:
        # What a value's own constructor refuses: an unknown tag, the 31st of February.
        problem = getattr(error, "problem", None) or str(error)
        raise StudyError(f"{path}: not usable YAML: {problem}") from error


def run_directory(results_directory: Path, case: str, repetition: int) -> Path:
    """Where a run's evidence lies below results/<study>/<lab>."""
    return results_directory.joinpath("runs", case, f"{repetition:02d}")


def finished_runs(results_directory: Path, order: Iterable[Run]) -> set[Run]:
    """The runs of an order that are complete."""
    return {run for run in order if is_complete(run_directory(results_directory, *run))}


def is_complete(directory: Path) -> bool:
    """Whether a run has its run.json, whole: it is written last. One that was cut is none."""
    try:
        document = json.loads((directory / RUN_FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict)


def keep_aside(directory: Path) -> Path | None:
    """Move what there is of an incomplete run to partial/CASE/NN-NUMBER, beside runs/; None if nothing is."""
    if not directory.exists():
        return None
    case, repetition = directory.parts[-2:]
    kept = directory.parents[2] / PARTIAL_RUNS / case
    kept.mkdir(parents=True, exist_ok=True)
    free = (kept / f"{repetition}-{number}" for number in itertools.count(1))
    return directory.rename(next(path for path in free if not path.exists()))


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Name the directory where the system refuses to write (a full disk). Raises StudyError."""
    try:
        yield
    except OSError as error:
        raise StudyError(f"{directory}: cannot be written: {error.strerror}") from error


def flush(path: Path) -> None:
    """Have a file's content, or a directory's names, on the disk before anything else is done."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_results_directory(
    results_directory: Path, study: Study, cases: Sequence[Case], lab: str, release: str
) -> None:
    """StudyError if the directory holds another study, another lab's or something else; absent is fine."""
    path = results_directory / STUDY_FILE
    if not path.exists():
        if results_directory.is_dir() and any(results_directory.iterdir()):
            raise StudyError(
                f"{results_directory}: is not a results directory: it has no {STUDY_FILE} "
                "(choose another results directory)"
            )
        return
    check_same_study(_read_json(path), study, cases, str(path))
    lab_path = results_directory / LAB_FILE
    if lab_path.exists():
        check_same_lab(_read_json(lab_path), lab, release, str(lab_path))


def earlier_lab_file(session: int) -> str:
    """Where the description of an earlier session is kept."""
    return f"lab-{session}.json"


def keep_description(directory: Path, document: Mapping[str, Any]) -> tuple[int, bool]:
    """Write lab.json, unless it says the same already, and keep the description that it had before.

    Runs of several pairs are made by several processes: one after the other comes here. Returns the number of
    the session that this description is of, counted from 1, and whether anything changed.
    """
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
    path = directory / LAB_FILE
    lock = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        session = 1 + max((0, *_earlier_sessions(directory)))
        if path.exists():
            held = _read_json(path)
            session = held.get("session", 1)
            if _content(held) == _content(json.loads(json.dumps(document))):
                return session, False
            with writing(directory):
                shutil.copyfile(path, directory / earlier_lab_file(session))
            session += 1
        return session, write_json(path, {**document, "session": session})
    finally:
        os.close(lock)


def _earlier_sessions(directory: Path) -> list[int]:
    found = (re.match(r"lab-(\d+)\.json$", path.name) for path in directory.iterdir())
    return [int(match.group(1)) for match in found if match]


def _content(description: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a description another one: all but when it was written, and its number."""
    return {key: description[key] for key in description if key not in ("session", "written_at")}


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: cannot be read as JSON (choose another results directory)") from error


def write_json(path: Path, document: Mapping[str, Any]) -> bool:
    """Write a JSON file in one step; returns whether its content changed. Creates missing directories.

    Raises StudyError if the directory cannot be written.
    """
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    if path.is_file() and path.read_text() == text:
        return False
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.write_text(text)
        flush(partial)
        partial.rename(path)
        flush(path.parent)
    return True
