"""SHA256SUMS: is every file still what was fetched from the node?"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from analysis.errors import EvidenceError
from analysis.parsers.lines import text_lines

SUMS_FILE = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def parse_checksums(lines: Iterable[bytes], file: str = SUMS_FILE) -> dict[str, tuple[int, str]]:
    """Relative path -> (line number, SHA-256 in hex), as sha256sum writes them."""
    sums: dict[str, tuple[int, str]] = {}
    for number, text in text_lines(lines, file):
        match = _LINE.fullmatch(text)
        if match is None:
            raise EvidenceError(file, number, "garbled: not a line of sha256sum")
        path = match[2].removeprefix("./")
        if path.startswith("/") or ".." in Path(path).parts:
            raise EvidenceError(file, number, "garbled: a path outside the run directory")
        sums[path] = (number, match[1])
    return sums


def verify_checksums(run_dir: Path) -> None:
    """Raise EvidenceError for the first file that is missing or differs from SHA256SUMS."""
    sums_file = run_dir / SUMS_FILE
    if not sums_file.is_file():
        raise EvidenceError(SUMS_FILE, None, "missing")
    with sums_file.open("rb") as lines:
        sums = parse_checksums(lines)
    for path, (number, expected) in sums.items():
        target = run_dir / path
        if not target.is_file():
            raise EvidenceError(path, None, f"missing, but listed in {SUMS_FILE} line {number}")
        with target.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != expected:
                raise EvidenceError(path, None, f"checksum differs from {SUMS_FILE} line {number}")
