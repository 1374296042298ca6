"""Lines of OpenStack's services: the forms that oslo.log, syslog, journald and container engines give them.

A date with "T" or a comma, with a zone or without; something in front of it; colour codes; JSON. The services
write their node's local time, mostly without a zone: taken as UTC here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from analysis.evidence.lines import is_number
from contract.fields import LATEST_EPOCH_SECONDS

_LEVELS = rb"(?:TRACE|DEBUG|INFO|AUDIT|WARNING|WARN|ERROR|CRITICAL)"
# oslo.log's default form: "2026-11-23 11:33:37.034 PID LEVEL logger [req or -] [instance: UUID] text". What
# stands before it is another program's: its own date is no date of a service's, since no level follows it.
_LINE = re.compile(
    rb"(?P<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?)(?: ?(?P<zone>Z|UTC|[+-]\d\d:?\d\d)(?= ))?"
    rb"(?: +\d+)? +(?P<level>" + _LEVELS + rb") +(?P<logger>\S+) (?P<text>.*)"
)
# A record of nova's, whatever its date looks like; the lines of a traceback are none.
_RECORD = re.compile(rb"\b" + _LEVELS + rb"\b:? +(?:nova|oslo)[\w.]*")
# Terminal colours, and how rsyslog writes their escape character.
_COLOUR = re.compile(rb"(?:\x1b|#033)\[[0-9;]*m")
_json = msgspec.json.Decoder()


@dataclass(frozen=True)
class OsloRecord:
    """`time`: epoch seconds of the node's clock. `context`: names the instance: the text, or all JSON."""

    time: float
    whole_second: bool
    text: str
    context: str


def clean(line: bytes) -> bytes:
    """The line without terminal colours."""
    return _COLOUR.sub(b"", line).strip()


def looks_like_record(line: bytes) -> bool:
    """Whether a clean line is a record of nova's or oslo's, whatever its date looks like."""
    return _RECORD.search(line) is not None


def read_record(line: bytes) -> OsloRecord | None:
    """The record of a clean line; None if it has no date in a form that is known."""
    match = _LINE.search(line)
    if match is not None:
        text = match["text"].decode("utf-8", "replace")
        return _dated(match["time"] + (match["zone"] or b"").replace(b"UTC", b"Z"), text, text)
    start = line.find(b"{")
    return None if start < 0 else _json_record(line[start:])


def _json_record(content: bytes) -> OsloRecord | None:
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
        return OsloRecord(created, False, record["message"], context)
    date = next((record[key] for key in ("asctime", "time") if isinstance(record.get(key), str)), "")
    return _dated(date.encode(), record["message"], context)


def _dated(date: bytes, text: str, context: str) -> OsloRecord | None:
    try:
        time = datetime.fromisoformat(date.decode("ascii").replace(",", "."))
        seconds = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    if not 0 < seconds < LATEST_EPOCH_SECONDS:
        return None
    return OsloRecord(seconds, b"." not in date and b"," not in date, text, context)
