"""Reading an archive of evidence, whoever made it, within bounds of memory and disk."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import BinaryIO, cast

# A run has some 20 files.
MOST_FILES = 1000
# Between two members of a tar there are headers, and what tarfile reads ahead of them (10 KiB).
_HEADER_BYTES = 64 << 10


class TooMuchError(Exception):
    """The archive has more than an archive of evidence can have; one line."""


class _Bounded:
    """An unpacked archive, which may be read up to `end`."""

    def __init__(self, content: BinaryIO) -> None:
        self._content = content
        self._position = 0
        self.end = _HEADER_BYTES

    def read(self, size: int) -> bytes:
        if self._position + size > self.end:
            raise TooMuchError(f"a header of more than {_HEADER_BYTES >> 10} KiB")
        data = self._content.read(size)
        self._position += len(data)
        return data


def bounded_members(content: BinaryIO, most_bytes: int) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Each member of a tar, with the archive that extracts it before the next one is asked for.

    :param content: the tar, not compressed, read from its beginning on; its errors are passed on
    :param most_bytes: how much the members may hold together
    :raises TooMuchError: more content, members or header than there may be; nothing of it was read
    :raises tarfile.TarError: garbled
    """
    bounded = _Bounded(content)
    left_bytes = most_bytes
    try:
        with tarfile.open(fileobj=cast(BinaryIO, bounded), mode="r|") as archive:
            for number, member in enumerate(archive):
                if not 0 <= member.size <= left_bytes:
                    raise TooMuchError(f"more than {most_bytes >> 20} MiB of content")
                if number == MOST_FILES:
                    raise TooMuchError(f"more than {MOST_FILES} files")
                left_bytes -= member.size
                # Where the next header begins; a member may say that it is larger than it is.
                bounded.end = archive.offset + _HEADER_BYTES
                yield archive, member
    except (ValueError, RecursionError) as error:
        raise tarfile.ReadError(f"a garbled header: {error}") from error
