"""The files of one run, plain or compressed in their place, as far as SHA256SUMS vouches for them."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import stat
import zlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from analysis.evidence.archive import most_unpacked_bytes, read_archive
from analysis.evidence.checksums import parse_checksums
from analysis.evidence.errors import EvidenceError
from contract.evidence import CHECKSUM_FILE

# A log may lie there compressed by hand, as NAME.xz or NAME.gz instead of NAME.
COMPRESSED_SUFFIXES = (".xz", ".gz")
# Far above any log of one migration: stops what was made to unpack for ever.
LARGEST_FILE_BYTES = 2 << 30
# A line for each file of a run.
_LARGEST_SUMS_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class RunFiles:
    """Files of one run whose content is what SHA256SUMS says: plain, compressed, or in the run's archive."""

    directory: Path
    listed: frozenset[str]
    archived: Mapping[str, bytes] = field(repr=False)

    def __contains__(self, name: str) -> bool:
        """Whether there is such a file. EvidenceError if there is one that nothing vouches for."""
        if name in self.listed:
            return True
        if name in self.archived or stored_at(self.directory, name) is not None:
            raise EvidenceError(name, None, f"not listed in {CHECKSUM_FILE}")
        return False

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Its uncompressed content; EvidenceError if it is missing or cannot be read to its end."""
        if name not in self:
            raise EvidenceError(name, None, "missing")
        with _open(stored_at(self.directory, name), name, self.archived) as content:
            yield content


def verified_files(run_dir: Path) -> RunFiles:
    """Hold every file against SHA256SUMS; EvidenceError names the first that is missing or differs."""
    with open_file(run_dir, CHECKSUM_FILE) as content:
        listed = content.read(_LARGEST_SUMS_BYTES + 1)
    if len(listed) > _LARGEST_SUMS_BYTES:
        raise EvidenceError(CHECKSUM_FILE, None, f"garbled: more than {_LARGEST_SUMS_BYTES >> 20} MiB")
    sums = parse_checksums(BytesIO(listed))
    archived = read_archive(run_dir)
    for name, (line, expected) in sums.items():
        path = stored_at(run_dir, name)
        with _open(path, name, archived, f"missing, but listed in {CHECKSUM_FILE} line {line}") as content:
            if _sha256(content, name, _most_bytes(path)) != expected:
                raise EvidenceError(name, None, f"checksum differs from {CHECKSUM_FILE} line {line}")
    return RunFiles(run_dir, frozenset(sums), archived)


def stored_at(run_dir: Path, name: str) -> Path | None:
    """Where a file lies, plain or compressed; None if it does not.

    EvidenceError if something else than a file is in its place.
    """
    for suffix in ("", *COMPRESSED_SUFFIXES):
        path = run_dir / f"{name}{suffix}"
        try:
            if stat.S_ISREG(path.stat().st_mode):
                return path
        except (FileNotFoundError, NotADirectoryError):
            if not path.is_symlink():
                continue
        except (OSError, ValueError) as error:
            raise EvidenceError(name, None, f"cannot be read: {_reason(error)}") from error
        raise EvidenceError(name, None, "cannot be read: not a file, or a link to nowhere")
    return None


def open_file(run_dir: Path, name: str) -> AbstractContextManager[BinaryIO]:
    """The uncompressed content of a file that lies there plain or compressed, checksum or not.

    EvidenceError if it is missing, or cannot be read to its end.
    """
    return _open(stored_at(run_dir, name), name, {})


@contextmanager
def _open(
    path: Path | None, name: str, archived: Mapping[str, bytes], missing: str = "missing"
) -> Iterator[BinaryIO]:
    """What lies openly at `path` comes before what is in the archive: it is what one sees."""
    if path is None:
        if name not in archived:
            raise EvidenceError(name, None, missing)
        yield BytesIO(archived[name])
        return
    try:
        with _opened(path) as content:
            yield content
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise EvidenceError(name, None, f"cannot be read: {_reason(error)}") from error


def _opened(path: Path) -> BinaryIO:
    if path.suffix == ".xz":
        return cast(BinaryIO, lzma.open(path))
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path))
    return path.open("rb")


def _most_bytes(path: Path | None) -> int:
    """How much may be read of a file: less where it is compressed and small."""
    compressed = path is not None and path.suffix in COMPRESSED_SUFFIXES
    return most_unpacked_bytes(path, LARGEST_FILE_BYTES) if path and compressed else LARGEST_FILE_BYTES


def _sha256(content: BinaryIO, name: str, most_bytes: int) -> str:
    digest = hashlib.sha256()
    size = 0
    while chunk := content.read(_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        if size > most_bytes:
            raise EvidenceError(name, None, f"more than {most_bytes >> 20} MiB of content")
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
