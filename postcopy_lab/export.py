"""Copies a results directory to share it: whole, its logs packed and every checksum held against them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from analysis.evidence.archive import ARCHIVE_FILE, read_archive, write_archive
from analysis.evidence.errors import EvidenceError, InputError
from analysis.evidence.files import COMPRESSED_SUFFIXES, verified_files
from analysis.evidence.pool import map_in_order
from contract.evidence import CHECKSUM_FILE, RUN_FILE, STUDY_FILE

# Written anew from the rest by `postcopy-lab report`.
DERIVED = "report"
# What one wants to read without unpacking.
_LEFT_PLAIN = (RUN_FILE, CHECKSUM_FILE)


@dataclass(frozen=True)
class Exported:
    """What was written; `doubts` has a line for each run that is not as SHA256SUMS says."""

    runs: int
    files: int
    bytes_before: int
    bytes_after: int
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class _PackedRun:
    files: int
    bytes_before: int
    bytes_after: int
    doubt: str | None


def export_results(
    results: Path, target: Path, progress: Callable[[int, int], None] | None = None
) -> Exported:
    """Copy results/<study>/<lab> to `target`, all but report/, which is derived.

    Each run is held against its SHA256SUMS and packed; what was packed is read back. A run that differs is
    copied all the same (nothing is left out) and named. The copy takes its name when it is whole. `progress`
    is told how many runs are packed, and of how many.

    Raises:
        InputError: `results` is no results directory, `target` exists or lies in it, something in the results
            is no file of theirs (a link out of them, a pipe), or the disk refused.
    """
    if not (results / STUDY_FILE).is_file():
        raise InputError(f"{results}: no study.json here; give a directory results/<study>/<lab>")
    if target.exists() or target.is_symlink():
        raise InputError(f"{target}: exists already, nothing is overwritten; give a directory that does not")
    if target.resolve().is_relative_to(results.resolve()):
        raise InputError(f"{target}: lies in the results themselves; give a directory outside of them")
    _refuse_foreign(results)
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        unfinished.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{unfinished}: {error.strerror}; nothing was exported") from error
    try:
        exported = _export(results, unfinished, progress)
        unfinished.rename(target)
    except OSError as error:
        raise InputError(f"{error.filename or target}: {error.strerror}; nothing was exported") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return exported


def _export(results: Path, target: Path, progress: Callable[[int, int], None] | None) -> Exported:
    runs = [path.relative_to(results) for path in sorted((results / "runs").glob("*/*/"))]
    packed: list[_PackedRun] = []
    # A run takes seconds to pack: worth processes from the second on.
    for run in map_in_order(partial(_pack_run, results, target), runs, worth_processes=2):
        packed.append(run)
        if progress is not None:
            progress(len(packed), len(runs))
    others = [
        file
        for file in _files(results)
        if file.parts[0] != DERIVED and not any(run in file.parents for run in runs)
    ]
    for file in others:
        _copy(results / file, target / file)
    size = sum((results / file).stat().st_size for file in others)
    return Exported(
        runs=len(runs),
        files=len(others) + sum(run.files for run in packed),
        bytes_before=size + sum(run.bytes_before for run in packed),
        bytes_after=size + sum(run.bytes_after for run in packed),
        doubts=tuple(run.doubt for run in packed if run.doubt is not None),
    )


def _pack_run(results: Path, target: Path, run: Path) -> _PackedRun:
    source, copy = results / run, target / run
    doubt = None
    try:
        verified_files(source)
    except EvidenceError as error:
        doubt = f"{run.as_posix()}/{error}"
    files = [file.as_posix() for file in _files(source)]
    # What is compressed already stays as it is.
    packs = [] if ARCHIVE_FILE in files else [file for file in files if _is_packed(file)]
    copy.mkdir(parents=True)
    for file in files:
        if file not in packs:
            _copy(source / file, copy / file)
    if packs:
        write_archive(source, packs, copy / ARCHIVE_FILE)
        try:
            unpacked = read_archive(copy)
        except EvidenceError as error:
            raise InputError(
                f"{run.as_posix()}: cannot be packed: {error.message}; nothing was exported"
            ) from error
        if any(unpacked.get(file) != (source / file).read_bytes() for file in packs):
            raise OSError(0, "was not written as it was packed", str(copy / ARCHIVE_FILE))
    return _PackedRun(
        files=len(files),
        bytes_before=sum((source / file).stat().st_size for file in files),
        bytes_after=sum((copy / file).stat().st_size for file in _files(copy)),
        doubt=doubt,
    )


def _refuse_foreign(results: Path) -> None:
    """A link may lead to a file of the results; what else is no file is never left out without a word."""
    home = results.resolve()
    for path in sorted(results.rglob("*")):
        shown = path.relative_to(results)
        if shown.parts[0] == DERIVED or (path.is_dir() and not path.is_symlink()):
            continue
        if not path.is_file() or not path.resolve().is_relative_to(home):
            what = "a link out of the results, or to no file" if path.is_symlink() else "not a file"
            raise InputError(f"{results}: {shown.as_posix()} is {what}; nothing was exported, remove it")


def _is_packed(file: str) -> bool:
    return file not in _LEFT_PLAIN and not file.endswith(COMPRESSED_SUFFIXES)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _files(directory: Path) -> list[Path]:
    """All files below the directory, relative to it."""
    return sorted(path.relative_to(directory) for path in directory.rglob("*") if path.is_file())
