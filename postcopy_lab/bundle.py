"""One archive with what is needed to understand a failed run or a failed provisioning, and with no secrets.

It is made on the control machine alone: no node need answer.
"""

from __future__ import annotations

import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from analysis.evidence.archive import ARCHIVE_FILE, read_archive
from analysis.evidence.console import printable
from analysis.evidence.errors import EvidenceError
from analysis.evidence.files import COMPRESSED_SUFFIXES, open_file
from contract.evidence import LAB_FILE, RUN_FILE, STUDY_FILE
from control.lab_record import kit_commit
from postcopy_lab.errors import InputError
from postcopy_lab.inventory import Inventory
from postcopy_lab.journal import RunRecord, read_journal, read_order
from postcopy_lab.masking import Mask, mask_documents, secrets_of_documents, secrets_of_state
from postcopy_lab.project import Project
from postcopy_lab.studies import RunKey

INDEX_FILE = "INDEX.txt"
LARGEST_BUNDLE_BYTES = 5_000_000
# What all pieces hold together before they are compressed, at most: logs compress to a tenth.
LARGEST_CONTENT_BYTES = 24 << 20
# Read beyond a cut, so that no part of a key is left at it.
_MARGIN_BYTES = 16 << 10
# Of a log that is too long, its beginning; the rest is its end, where failures are.
_HEAD_SHARE = 0.25
_PACKAGES = ("postcopy-lab", "ansible-core", "ansible-runner", "mitogen", "msgspec")
_TOOLS = (("podman", "--version"), ("ssh", "-V"), ("openssl", "version"))
# Files of the state folder with figures and no secrets.
_STATE_FILES = ("link.json", "durations.json")


@dataclass(frozen=True)
class Piece:
    """One file of the bundle. `size_bytes`: of all of it, also where the content is a part."""

    name: str
    content: bytes
    size_bytes: int
    note: str = ""


@dataclass(frozen=True)
class Source:
    """Where a piece comes from: a file, or its content."""

    name: str
    path: Path | None = None
    content: bytes = b""
    note: str = ""

    @property
    def size_bytes(self) -> int:
        return len(self.content) if self.path is None else self.path.stat().st_size

    def read(self, most_bytes: int, mask: Mask) -> Piece:
        """Its beginning and end, without secrets; whole if it is not larger than `most_bytes`."""
        size = self.size_bytes
        if size <= most_bytes:
            content = self.content if self.path is None else _read(self.path, 0, size)
            return Piece(self.name, mask(content), size, self.note)
        head = int(most_bytes * _HEAD_SHARE)
        tail = most_bytes - head
        first = mask(self._part(0, head + _MARGIN_BYTES))[:head].rpartition(b"\n")[0]
        last = mask(self._part(max(0, size - tail - _MARGIN_BYTES), size))[-tail:].partition(b"\n")[2]
        left_out = size - len(first) - len(last)
        gap = f"\n[{left_out} bytes are left out here]\n".encode()
        note = f"{self.note}; " if self.note else ""
        return Piece(self.name, first + gap + last, size, f"{note}cut: {left_out} bytes left out")

    def _part(self, start: int, end: int) -> bytes:
        return self.content[start:end] if self.path is None else _read(self.path, start, end)


def _read(path: Path, start: int, end: int) -> bytes:
    with path.open("rb") as stream:
        stream.seek(start)
        return stream.read(end - start)


@dataclass(frozen=True)
class Bundle:
    """What was written."""

    pieces: tuple[Piece, ...]
    left_out: tuple[str, ...]
    size_bytes: int

    @property
    def cut(self) -> int:
        return sum("cut:" in piece.note for piece in self.pieces)


def write_bundle(
    target: Path, project: Project, inventory: Inventory, results: Path | None, run: Path | None
) -> Bundle:
    """Write the archive, readable by its owner only.

    `results`: results/<study>/<lab>, None if there are none. `run`: the directory of one of its runs.

    Raises:
        InputError: the target exists, or cannot be written.
    """
    left_out: list[str] = []
    documents = _inventory_documents(project, inventory, left_out)
    mask = Mask(secrets_of_state(inventory.state_dir) | secrets_of_documents(documents))
    sources = [Source("versions.json", content=_versions(project, inventory))]
    sources += [
        Source(f"inventory/{name}", content=text.encode(), note="values of secrets removed")
        for name, text in mask_documents(documents).items()
    ]
    sources += _state_sources(inventory, left_out)
    if results is not None:
        sources += _results_sources(results, left_out)
    if run is not None:
        sources += _run_sources(run, left_out)
    limit = LARGEST_CONTENT_BYTES
    while True:
        pieces = read_pieces(sources, limit, mask)
        archive = pack(target.name.partition(".")[0], pieces, left_out)
        if len(archive) <= LARGEST_BUNDLE_BYTES:
            break
        limit //= 2
    _write_new(target, archive)
    return Bundle(tuple(pieces), tuple(left_out), len(archive))


def read_pieces(sources: Sequence[Source], limit_bytes: int, mask: Mask) -> list[Piece]:
    """All of them, the largest cut so that together they hold no more than `limit_bytes`."""
    most = fair_share([source.size_bytes for source in sources], limit_bytes)
    return [source.read(most, mask) for source in sources]


def fair_share(sizes: Sequence[int], limit: int) -> int:
    """The size to cut to, so that all together are within the limit and no smaller one is touched."""
    left = limit
    for number, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - number)
        if size > share:
            return share
        left -= size
    return max(sizes, default=0)


def pack(folder: str, pieces: Sequence[Piece], left_out: Sequence[str]) -> bytes:
    """A compressed tar of the pieces in one folder, their index first."""
    index = Piece(INDEX_FILE, _index(pieces, left_out).encode(), 0)
    packed = io.BytesIO()
    now = int(time.time())
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for piece in (index, *pieces):
            member = tarfile.TarInfo(f"{folder}/{piece.name}")
            member.size, member.mtime, member.mode = len(piece.content), now, 0o600
            archive.addfile(member, io.BytesIO(piece.content))
    return packed.getvalue()


def _index(pieces: Iterable[Piece], left_out: Iterable[str]) -> str:
    lines = [
        "What is in this bundle. Secrets were replaced by [removed], so checksums of evidence need not hold.",
        "",
        *(
            f"{piece.size_bytes:>10}  {piece.name}{f'  ({piece.note})' if piece.note else ''}"
            for piece in pieces
        ),
        "",
        "Left out:",
        *(left_out or ["nothing"]),
    ]
    return "".join(f"{printable(line)}\n" for line in lines)


def _write_new(target: Path, content: bytes) -> None:
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InputError(
            f"{target}: exists already, nothing is overwritten; give another file with --output"
        ) from error
    except OSError as error:
        raise InputError(f"{target}: {error.strerror}; nothing was written") from error
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
    except OSError as error:
        target.unlink()
        raise InputError(f"{target}: {error.strerror}; nothing was written") from error


def plain_files(folder: Path, left_out: list[str], shown: str) -> Iterator[tuple[str, Path]]:
    """(path below the folder, file) of each file in it. A link out of it is not followed but named."""
    home = folder.resolve()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and not path.is_symlink():
            continue
        if path.is_file() and path.resolve().is_relative_to(home):
            yield name, path
        else:
            left_out.append(f"{shown}/{name}: not a file, or a link out of its folder")


def _inventory_documents(project: Project, inventory: Inventory, left_out: list[str]) -> dict[str, str]:
    """The inventory's YAML, and the release's: by name in the bundle."""
    files: dict[str, Path] = {}
    if inventory.source.is_dir():
        for name, path in plain_files(inventory.source, left_out, "inventory"):
            # Ansible reads others too, but how secrets are written in them is not known.
            if path.suffix in (".yml", ".yaml"):
                files[name] = path
            else:
                left_out.append(f"inventory/{name}: not YAML")
    else:
        files[inventory.source.name] = inventory.source
    release = project.releases / f"{inventory.release}.yml"
    if release.is_file():
        files[f"release/{release.name}"] = release
    return {name: path.read_text(encoding="utf-8", errors="replace") for name, path in files.items()}


def _versions(project: Project, inventory: Inventory) -> bytes:
    """Of this kit and what it rests on, on the control machine; lab.json holds those of the nodes."""
    document = {
        "kit_commit": kit_commit(project.root),
        "packages": {name: _package_version(name) for name in _PACKAGES},
        "python": sys.version,
        "system": platform.platform(),
        "distribution": _distribution(),
        "processors": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "tools": {command[0]: _said(command) for command in _TOOLS},
        "lab": inventory.lab,
        "release": inventory.release,
        "backend": inventory.backend,
        "nodes": {
            node.name: f"{node.address} port {node.port}: {', '.join(node.groups)}"
            for node in inventory.nodes
        },
        "free_bytes": {
            str(folder): shutil.disk_usage(folder).free
            for folder in (inventory.state_dir, inventory.results_dir)
            if folder.is_dir()
        },
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def _package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _distribution() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def _said(command: Sequence[str]) -> str | None:
    """What a tool says of its version; None if it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout or done.stderr).decode(errors="replace").strip()


def _state_sources(inventory: Inventory, left_out: list[str]) -> list[Source]:
    """The last log of each playbook, a few figures, and which files the state folder has."""
    state = inventory.state_dir
    if not state.is_dir():
        left_out.append("state/: this lab has no state folder; it was never provisioned, or was removed")
        return []
    sources = [Source("state/files.txt", content=_listing(state))]
    sources += [Source(f"state/{name}", state / name) for name in _STATE_FILES if (state / name).is_file()]
    newest: dict[str, Path] = {}
    if inventory.runner_dir.is_dir():
        # TIME-PLAYBOOK-PROCESS: the last of a playbook wins.
        newest = {path.name.split("-")[1]: path for path in sorted(inventory.runner_dir.glob("*-*-*"))}
    for folder in newest.values():
        for name, path in plain_files(folder, left_out, f"logs/{folder.name}"):
            sources.append(Source(f"logs/{folder.name}/{name}", path))
    return sources


def _listing(folder: Path) -> bytes:
    """Mode, size and name of everything in a folder; no content."""
    lines = []
    for path in sorted(folder.rglob("*")):
        with suppress(OSError):
            known = path.lstat()
            lines.append(
                f"{known.st_mode:o} {known.st_size:>12} {printable(path.relative_to(folder).as_posix())}\n"
            )
    return "".join(lines).encode(errors="replace")


def _results_sources(results: Path, left_out: list[str]) -> list[Source]:
    """The documents of a study, and how each of its runs ended."""
    names = [STUDY_FILE, LAB_FILE, *sorted(path.name for path in results.glob("lab-*.json"))]
    home = results.resolve()
    sources = []
    for name in names:
        path = results / name
        if path.is_file() and path.resolve().is_relative_to(home):
            sources.append(Source(f"study/{name}", path))
        else:
            left_out.append(f"study/{name}: missing, or a link out of the results")
    order = read_order(results)
    records = read_journal(results, order or ())
    journal = "".join(f"{_journal_line(key, records.get(key))}\n" for key in order or ())
    return [*sources, Source("study/journal.txt", content=journal.encode(errors="replace"))]


def _journal_line(key: RunKey, record: RunRecord | None) -> str:
    case, repetition = key
    ended = f"{record.words}, {record.seconds:.1f} s" if record else "not made yet"
    return printable(f"{case} {repetition:02d}: {ended}")


def _run_sources(run: Path, left_out: list[str]) -> list[Source]:
    """All files of a run's directory, unpacked within bounds."""
    sources = []
    for name, path in plain_files(run, left_out, "run"):
        if name == ARCHIVE_FILE:
            try:
                contents = read_archive(run)
            except EvidenceError as error:
                left_out.append(f"run/{name}: {error.message}")
                continue
            sources += [Source(f"run/{inner}", content=content) for inner, content in contents.items()]
        elif path.suffix in COMPRESSED_SUFFIXES:
            sources += _unpacked(run, name.removesuffix(path.suffix), left_out)
        else:
            sources.append(Source(f"run/{name}", path))
    if not (run / RUN_FILE).is_file():
        left_out.append(f"run/{RUN_FILE}: missing: the run was not recorded to its end")
    return sources


def _unpacked(run: Path, name: str, left_out: list[str]) -> list[Source]:
    """A log that was compressed by hand: as much of it as may be in a bundle."""
    try:
        with open_file(run, name) as stream:
            content = stream.read(LARGEST_CONTENT_BYTES)
            note = "cut: only its beginning was unpacked" if stream.read(1) else ""
    except EvidenceError as error:
        left_out.append(f"run/{name}: {error.message}")
        return []
    return [Source(f"run/{name}", content=content, note=note)]
