"""nova-compute.log of one host, as far as it tells of one live migration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import yaml

PATTERNS_FILE = Path(__file__).parent / "nova_log_patterns.yml"
# oslo.log's default format: "2026-11-23 11:33:37.034 PID LEVEL logger [req or -] [instance: UUID] text".
_LINE = re.compile(
    rb"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) \d+ (?P<level>[A-Z]+) (?P<logger>\S+) (?P<text>.*)"
)
_INSTANCE = re.compile(r"\[instance: ([0-9a-f-]{36})\]")


@dataclass(frozen=True)
class NovaLog:
    """When each mark of the migration was written, in epoch seconds of the node's clock, and why it failed.

    nova writes local time without a zone; nodes keep UTC.
    """

    marks: Mapping[str, float]
    failure: str | None
    errors: int


@cache
def patterns_of(release: str) -> Mapping[str, re.Pattern[str]] | None:
    """The marks of a release; None if nobody wrote them down yet."""
    releases = yaml.safe_load(PATTERNS_FILE.read_text(encoding="utf-8"))["releases"]
    if release not in releases:
        return None
    return {mark: re.compile(text) for mark, text in releases[release].items() if mark != "source"}


def parse_nova_log(lines: Iterable[bytes], release: str, instance: str | None = None) -> NovaLog:
    """Find the marks; lines of other forms (tracebacks, a cut first line) and instances are passed over.

    `instance` is its UUID; without it every line counts.

    Raises:
        KeyError: there are no patterns for this release.
    """
    patterns = patterns_of(release)
    if patterns is None:
        raise KeyError(release)
    marks: dict[str, float] = {}
    failure: str | None = None
    errors = 0
    for line in lines:
        match = _LINE.match(line.strip())
        if match is None:
            continue
        text = match["text"].decode("utf-8", "replace")
        named = _INSTANCE.search(text)
        if instance is not None and named is not None and named[1] != instance:
            continue
        errors += match["level"] == b"ERROR"
        for mark, pattern in patterns.items():
            found = pattern.search(text)
            if found is None:
                continue
            if mark == "failed":
                failure = failure or found["reason"]
            marks.setdefault(mark, _epoch_seconds(match["time"].decode("ascii")))
    return NovaLog(marks, failure, errors)


def _epoch_seconds(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC).timestamp()
