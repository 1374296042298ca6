"""A run's directory of evidence: unpacking what the nodes packed, checksums, reading consoles."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, cast

from contract.archive import TooMuchError, bounded_members
from contract.choices import Backend, Probes
from contract.evidence import CHECKSUM_FILE, LARGEST_ARCHIVE_BYTES, expected_files
from contract.nodes import Role
from control import study_files

# A console is read for its kernel's complaints; a guest that prints for ever must not fill the memory.
MOST_CONSOLE_BYTES = 4 * 1024 * 1024


def unpack(archives: Mapping[str, Path], directory: Path) -> list[str]:
    """Unpack each role's archive into DIRECTORY/ROLE, what the prober has of the guest into DIRECTORY/guest.

    `archives`: by role; a missing file is left out. Returns a line for each archive of which a part could not
    be unpacked: cut off, garbled, or larger than the evidence of a run can be. What came before is kept.
    """
    faults = []
    for role, path in sorted(archives.items()):
        target = directory / role
        target.mkdir(parents=True)
        if not path.exists():
            continue
        try:
            with gzip.open(path) as content:
                _unpack(cast(BinaryIO, content), target)
        except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, TooMuchError) as error:
            faults.append(f"{role}: not all that the node sent could be unpacked: {error}")
    guest = directory / Role.PROBER / Role.GUEST
    if guest.is_dir():
        shutil.move(guest, directory / Role.GUEST)
    return faults


def _unpack(content: BinaryIO, target: Path) -> None:
    for archive, member in bounded_members(content, LARGEST_ARCHIVE_BYTES):
        # Only what our own packing makes: plain files below the directory.
        packed = archive.extractfile(member) if member.isreg() and not member.issparse() else None
        if packed is None or member.name.startswith("/") or ".." in member.name.split("/"):
            continue
        file = target / member.name
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"{file.name}.partial")
        try:
            with partial.open("wb") as stream:
                shutil.copyfileobj(packed, stream)
            partial.rename(file)
        finally:
            partial.unlink(missing_ok=True)


def missing_files(directory: Path, backend: str = Backend.LIBVIRT) -> list[str]:
    """Evidence that a whole run may have and this one lacks, as ROLE/NAME; an empty file is missing too."""
    files = expected_files(backend, Probes.ALL, with_pattern=True, guest_came=True)
    return [file.path for file in files if not _has_content(directory / file.path)]


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def read_lines(path: Path) -> list[str]:
    """The lines of a log that may hold anything, [] if it is not there."""
    try:
        with path.open("rb") as stream:
            return stream.read(MOST_CONSOLE_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def logs_cut_short(directory: Path) -> list[str]:
    """Logs of which `read_lines` reads a part only, as ROLE/NAME. The analysis reads the pings' whole."""
    return [
        path.relative_to(directory).as_posix()
        for path in sorted(directory.glob("*/*"))
        if path.suffix in (".log", ".txt")
        and path.stat().st_size > MOST_CONSOLE_BYTES
        and not path.match("prober/ping*")
    ]


def write_checksums(directory: Path) -> None:
    """SHA256SUMS over all files of the directory, in the form of sha256sum(1)."""
    paths = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in sorted(paths.items())
    ]
    (directory / CHECKSUM_FILE).write_text("".join(lines))


def flush(directory: Path) -> None:
    """Have everything below a directory on the disk, before run.json says that it is there."""
    for path in (directory, *directory.rglob("*")):
        study_files.flush(path)
