"""SHA256SUMS: what every file of a run was when it was fetched from its node."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from analysis.evidence.errors import EvidenceError
from analysis.evidence.lines import text_lines
from contract.evidence import CHECKSUM_FILE

_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^\0\r]+)\r?")


def parse_checksums(lines: Iterable[bytes], file: str = CHECKSUM_FILE) -> dict[str, tuple[int, str]]:
    """Relative path -> (line number, SHA-256 in hex), as sha256sum writes them."""
    sums: dict[str, tuple[int, str]] = {}
    for number, text in text_lines(lines, file):
        match = _LINE.fullmatch(text)
        if match is None:
            raise EvidenceError(file, number, "garbled: not a line of sha256sum")
        path = match[2].removeprefix("./")
        if path.startswith("/") or ".." in PurePosixPath(path).parts:
            raise EvidenceError(file, number, "garbled: a path outside the run directory")
        if path in sums:
            raise EvidenceError(file, number, f"garbled: {path} is listed twice")
        sums[path] = (number, match[1])
    if not sums:
        raise EvidenceError(file, None, "empty: it vouches for no file")
    return sums
