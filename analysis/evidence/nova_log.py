"""nova-compute.log of one host, as far as it tells of one live migration.

What no form of oslo_log.py reads is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from analysis.evidence.oslo_log import clean, looks_like_record, read_record

PATTERNS_FILE = Path(__file__).parent / "nova_log_patterns.yml"
_INSTANCE = re.compile(r"\[instance: ([0-9a-f-]{36})\]")
_UUID = re.compile(r'"(?:instance|instance_uuid|uuid)": ?"([0-9a-f-]{36})"')


@dataclass(frozen=True)
class NovaLog:
    """When each mark of the migration was written, in epoch seconds of the node's clock, and why it failed.

    nova writes its node's local time, mostly without a zone: taken as UTC here. `lines`: how many the log has
    that are not empty, `read`: those with a date, `unread`: records of nova's whose date no form reads.
    `whole_seconds`: a mark's time has no fraction.
    """

    marks: Mapping[str, float]
    failure: str | None
    lines: int
    read: int
    unread: int
    whole_seconds: bool


@cache
def patterns_of(release: str) -> Mapping[str, re.Pattern[str]] | None:
    """The marks of a release; None if nobody wrote them down yet."""
    releases = yaml.safe_load(PATTERNS_FILE.read_text(encoding="utf-8"))["releases"]
    if release not in releases:
        return None
    return {mark: re.compile(text) for mark, text in releases[release].items() if mark != "source"}


def parse_nova_log(lines: Iterable[bytes], release: str, instance: str | None = None) -> NovaLog:
    """Find the marks; lines without a date (tracebacks, a cut first line) and other instances' are left out.

    `instance` is its UUID; without it every line counts.

    Raises:
        KeyError: there are no patterns for this release.
    """
    patterns = patterns_of(release)
    if patterns is None:
        raise KeyError(release)
    marks: dict[str, float] = {}
    failure: str | None = None
    count = read = unread = 0
    whole_seconds = False
    for raw in lines:
        line = clean(raw)
        if not line:
            continue
        count += 1
        record = read_record(line)
        if record is None:
            unread += looks_like_record(line)
            continue
        read += 1
        named = _INSTANCE.search(record.context) or _UUID.search(record.context)
        if instance is not None and named is not None and named[1] != instance:
            continue
        for mark, pattern in patterns.items():
            found = pattern.search(record.text)
            if found is None:
                continue
            if mark == "failed":
                failure = failure or found["reason"]
            elif mark not in marks:
                marks[mark] = record.time
                whole_seconds |= record.whole_second
    return NovaLog(marks, failure, count, read, unread, whole_seconds)
