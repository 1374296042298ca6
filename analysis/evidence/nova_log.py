"""nova-compute.log of one host, as far as it tells of one live migration.

Read are the forms that oslo.log, syslog, journald and container engines give nova's lines: a date with "T" or
a comma, with a zone or without; something in front of it; colour codes; JSON. What no form reads is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from analysis.evidence.lines import is_number
from contract.fields import LATEST_EPOCH_SECONDS

PATTERNS_FILE = Path(__file__).parent / "nova_log_patterns.yml"
_LEVELS = rb"(?:TRACE|DEBUG|INFO|AUDIT|WARNING|WARN|ERROR|CRITICAL)"
# oslo.log's default form: "2026-11-23 11:33:37.034 PID LEVEL logger [req or -] [instance: UUID] text". What
# stands before it is another program's: its own date is no date of nova's, since no level follows it.
_LINE = re.compile(
    rb"(?P<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?)(?: ?(?P<zone>Z|UTC|[+-]\d\d:?\d\d)(?= ))?"
    rb"(?: +\d+)? +(?P<level>" + _LEVELS + rb") +(?P<logger>\S+) (?P<text>.*)"
)
# A record of nova's, whatever its date looks like; the lines of a traceback are none.
_RECORD = re.compile(rb"\b" + _LEVELS + rb"\b:? +(?:nova|oslo)[\w.]*")
# Terminal colours, and how rsyslog writes their escape character.
_COLOUR = re.compile(rb"(?:\x1b|#033)\[[0-9;]*m")
_INSTANCE = re.compile(r"\[instance: ([0-9a-f-]{36})\]")
_UUID = re.compile(r'"(?:instance|instance_uuid|uuid)": ?"([0-9a-f-]{36})"')
_json = msgspec.json.Decoder()


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


@dataclass(frozen=True)
class _Record:
    """`context`: what names the instance: the text, or a whole JSON object."""

    time: float
    whole_second: bool
    text: str
    context: str


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
        line = _COLOUR.sub(b"", raw).strip()
        if not line:
            continue
        count += 1
        record = _record(line)
        if record is None:
            unread += _RECORD.search(line) is not None
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


def _record(line: bytes) -> _Record | None:
    match = _LINE.search(line)
    if match is not None:
        text = match["text"].decode("utf-8", "replace")
        return _dated(match["time"] + (match["zone"] or b"").replace(b"UTC", b"Z"), text, text)
    start = line.find(b"{")
    return None if start < 0 else _json_record(line[start:])


def _json_record(content: bytes) -> _Record | None:
    """A record of oslo.log's JSONFormatter or FluentFormatter."""
    try:
        record: Any = _json.decode(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("message"), str):
        return None
    context = content.decode("utf-8", "replace")
    created = record.get("created")
    if is_number(created) and 0 < created < LATEST_EPOCH_SECONDS:
        return _Record(created, False, record["message"], context)
    date = next((record[key] for key in ("asctime", "time") if isinstance(record.get(key), str)), "")
    return _dated(date.encode(), record["message"], context)


def _dated(date: bytes, text: str, context: str) -> _Record | None:
    try:
        time = datetime.fromisoformat(date.decode("ascii").replace(",", "."))
        seconds = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    if not 0 < seconds < LATEST_EPOCH_SECONDS:
        return None
    return _Record(seconds, b"." not in date and b"," not in date, text, context)
