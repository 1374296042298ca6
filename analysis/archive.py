"""The logs of one run in one compressed archive: half the size of the same logs compressed one by one.

Probes at several places see the same packets, and both hosts count the same bytes: only together do they
compress to what is new in each.
"""

from __future__ import annotations

import lzma
import tarfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

from analysis.errors import EvidenceError

ARCHIVE_FILE = "evidence.tar.xz"
# All logs of a run are some MiB: stops what was made to fill the memory (a few KiB can unpack to this).
LARGEST_ARCHIVE_BYTES = 512 << 20


def read_archive(run_dir: Path) -> Mapping[str, bytes]:
    """Path in the run -> content, for each file of the run's archive; empty if it has none.

    EvidenceError if it is truncated, garbled or too large.
    """
    path = run_dir / ARCHIVE_FILE
    if not path.is_file():
        return {}
    contents: dict[str, bytes] = {}
    left = LARGEST_ARCHIVE_BYTES
    try:
        with lzma.open(path) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
            for member in archive:
                left -= member.size
                if left < 0:
                    raise EvidenceError(
                        ARCHIVE_FILE, None, f"more than {LARGEST_ARCHIVE_BYTES >> 20} MiB of content"
                    )
                content = archive.extractfile(member)
                if content is not None:
                    contents[member.name] = content.read()
    except (OSError, EOFError, ValueError, tarfile.TarError, lzma.LZMAError) as error:
        raise EvidenceError(ARCHIVE_FILE, None, f"truncated or garbled: {error}") from error
    return contents


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
