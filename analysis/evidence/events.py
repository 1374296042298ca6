"""events.jsonl: libvirt's events and the driver's own marks, each at the moment it was received."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from analysis.evidence.errors import EvidenceError
from analysis.evidence.lines import json_samples

T = TypeVar("T")


@dataclass(frozen=True)
class Event:
    """One event; `time` in epoch seconds of the node's clock, keys that do not apply are None.

    `line`: where it stands in the file, which is the order in which events arrived.
    """

    time: float
    kind: str
    name: str | None
    detail: str | None
    iteration: int | None
    job: Mapping[str, Any] | None
    line: int

    @property
    def stopped_for_good(self) -> bool:
        """Whether it says that the guest has left this host."""
        return self.kind == "lifecycle" and self.name == "STOPPED" and self.detail == "MIGRATED"


def parse_events(lines: Iterable[bytes], file: str) -> tuple[Event, ...]:
    """Parse all events, sorted by time; kinds that this version does not know are kept.

    Several threads write them, each at its own moment: their times count, not the order of their lines.
    """
    events = [
        Event(
            time=time,
            kind=_typed(sample, "event", str, file, number) or "",
            name=_typed(sample, "name", str, file, number),
            detail=_typed(sample, "detail", str, file, number),
            iteration=_typed(sample, "iteration", int, file, number),
            job=_typed(sample, "job", dict, file, number),
            line=number,
        )
        for number, time, sample in json_samples(lines, file, math.inf)
    ]
    return tuple(sorted(events, key=lambda event: event.time))


def _typed(sample: Mapping[str, Any], key: str, kind: type[T], file: str, number: int) -> T | None:
    value = sample.get(key)
    if value is None and key != "event":
        return None
    if not isinstance(value, kind):
        raise EvidenceError(file, number, f'garbled: "{key}" is not a {kind.__name__}')
    return value
