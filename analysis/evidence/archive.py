"""The logs of one run in one compressed archive: half the size of the same logs compressed one by one.

Several observation points see the same packets, and both hosts count the same bytes: only together do they
compress to what is new in each.
"""

from __future__ import annotations

import lzma
import tarfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from analysis.evidence.errors import EvidenceError
from contract.archive import TooMuchError, bounded_members
from contract.evidence import LARGEST_ARCHIVE_BYTES

ARCHIVE_FILE = "evidence.tar.xz"
# Recorded logs compress to 1/18 at best; small files may do so better. What unpacks to more was made for it.
_PLAUSIBLE_RATIO = 100
_PLAUSIBLE_BYTES = 64 << 20


def most_unpacked_bytes(path: Path, largest_bytes: int) -> int:
    """What a compressed file may unpack to: plausible for its size, and never more than `largest_bytes`."""
    return min(largest_bytes, max(_PLAUSIBLE_BYTES, _PLAUSIBLE_RATIO * path.stat().st_size))


def read_archive(run_dir: Path) -> Mapping[str, bytes]:
    """Path in the run -> content, for each file of the run's archive; empty if it has none.

    EvidenceError if it is truncated, garbled or too large, or holds something else than files of the run:
    links, devices, names that lead out of it.
    """
    path = run_dir / ARCHIVE_FILE
    if not path.is_file():
        return {}
    contents: dict[str, bytes] = {}
    try:
        with lzma.open(path) as unpacked:
            most_bytes = most_unpacked_bytes(path, LARGEST_ARCHIVE_BYTES)
            for archive, member in bounded_members(cast(BinaryIO, unpacked), most_bytes):
                if member.isdir():
                    continue
                name = _checked_name(member, contents)
                content = archive.extractfile(member)
                contents[name] = content.read() if content is not None else b""
    except TooMuchError as error:
        raise EvidenceError(ARCHIVE_FILE, None, str(error)) from error
    except (OSError, EOFError, tarfile.TarError, lzma.LZMAError) as error:
        raise EvidenceError(ARCHIVE_FILE, None, f"truncated or garbled: {error}") from error
    return contents


def _checked_name(member: tarfile.TarInfo, known: Mapping[str, bytes]) -> str:
    """The member's path in the run; EvidenceError for what no archive of a run holds."""
    path = PurePosixPath(member.name)
    shown = repr(member.name)[:200]
    if member.issparse() or not member.isreg():
        raise EvidenceError(ARCHIVE_FILE, None, f"{shown} is a link, a device or the like, not a plain file")
    if path.is_absolute() or ".." in path.parts:
        raise EvidenceError(ARCHIVE_FILE, None, f"{shown} is a path outside the run directory")
    if path.as_posix() in known:
        raise EvidenceError(ARCHIVE_FILE, None, f"{shown} is there twice")
    return path.as_posix()


def write_archive(run_dir: Path, names: Sequence[str], target: Path) -> None:
    """Write an archive of these files of a run; the same files always give the same bytes.

    Captures, which are numbers of four bytes, and texts are a stream of xz each: 3 % less than one of both.
    """
    # One host's captures share most with each other, a text with its like on the other host.
    captures = sorted(name for name in names if Path(name).suffix == ".pcap")
    texts = sorted(
        set(names).difference(captures), key=lambda name: (Path(name).suffix, Path(name).name, name)
    )
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, run_dir, captures)
        captures_end = archive.offset
        _add(archive, run_dir, texts)
    content = packed.getvalue()
    target.write_bytes(
        _strongest(content[:captures_end], lc=2, lp=2, pb=2, nice_len=40, depth=1000)
        + _strongest(content[captures_end:], lc=2, lp=0, pb=0, nice_len=200)
    )


def _add(archive: tarfile.TarFile, run_dir: Path, names: Sequence[str]) -> None:
    for name in names:
        content = (run_dir / name).read_bytes()
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, BytesIO(content))


def _strongest(content: bytes, **settings: int) -> bytes:
    """One stream of xz; `settings` are those of its filter LZMA2."""
    # A dictionary beyond the content takes ten times its size of memory and gains nothing; 4 KiB is least.
    size = max(len(content), 4096)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": size, **settings}]
    return lzma.compress(content, format=lzma.FORMAT_XZ, filters=filters)
