"""A node that stood still in a migration while others went on: it was paused, or got no processor.

Each node shows that it runs: a host reads its counters 20 times a second and answers the prober's question
for its clock once a second, and the prober logs its pings and those answers. Where all of a node's signs are
lacking for long while another's are there, the figures are of the pause and not of the migration.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from contract.clocks import offset_seconds
from contract.evidence import CLOCK, DESTINATION_NIC, PING, SOURCE_NIC
from contract.nodes import HOSTS, Role

# On a busy machine a node waits for its turn: in 16 recorded migrations (every ninth run of examples/) a
# host's counters were read every 0.55 s at worst.
LONGEST_WAIT_SECONDS = 5.0
# Answers so near to a pause's borders tell nothing: clocks are compared once a second.
BORDER_SECONDS = 1.5
_STAMP = re.compile(rb"^\[(\d{1,11}\.\d+)\]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Signs:
    """When each node of a run showed that it ran, epoch seconds, in order.

    `counters`: of each host, by its own clock. `answers`: of each host's clock, (when it came by the prober's
    clock, the host's clock minus the prober's). `pings`: lines of the prober's log, by its clock.
    """

    counters: Mapping[Role, Sequence[float]]
    answers: Mapping[Role, Sequence[tuple[float, float]]]
    pings: Sequence[float]

    def on_prober(self, role: Role, time: float) -> float:
        """A moment of a host's clock by the prober's; the host's own where they were not compared."""
        offsets = [offset for _, offset in self.answers.get(role, ())]
        return time - median(offsets) if offsets else time


def read_signs(directory: Path, node_names: Mapping[str, str]) -> Signs:
    """The signs in a run's directory; a line that cannot be read is none.

    `node_names`: {"source", "destination"}.
    """
    counters = {
        role: [record["t"] for record in _records(directory / file.path, ("t",))]
        for role, file in ((Role.SOURCE, SOURCE_NIC), (Role.DESTINATION, DESTINATION_NIC))
    }
    answers: dict[Role, list[tuple[float, float]]] = {role: [] for role in HOSTS}
    keys = ("sent_at", "received_at", "answered_at", "returned_at")
    for record in _records(directory / CLOCK.path, keys):
        for role in HOSTS:
            if record.get("node") == node_names[role]:
                sent, received, answered, returned = (record[key] for key in keys)
                answers[role].append((returned, offset_seconds(sent, received, answered, returned)))
    log = directory / PING.path
    pings = [float(stamp) for stamp in _STAMP.findall(log.read_bytes())] if log.exists() else []
    return Signs(counters, answers, pings)


def _records(path: Path, numbers: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Objects of a file of JSON lines that have these keys with numbers."""
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and all(isinstance(record.get(key), float) for key in numbers):
                yield record


def stood_still(
    signs: Signs, node_names: Mapping[str, str], requested_at: float, finished_at: float
) -> str | None:
    """Which node stood still in the migration, and for how long, in one line; None if none did.

    `node_names`: {"source", "destination", "prober"}. Times are epoch seconds of the source's clock.
    """
    start, end = (signs.on_prober(Role.SOURCE, time) for time in (requested_at, finished_at))
    counters = {
        role: [signs.on_prober(role, time) for time in times] for role, times in signs.counters.items()
    }
    answered = {role: [time for time, _ in answers] for role, answers in signs.answers.items()}
    lives = {
        **counters,
        Role.PROBER: sorted([*signs.pings, *(t for times in answered.values() for t in times)]),
    }
    for role, times in lives.items():
        for before, after in pairwise(times):
            if min(after, end) - max(before, start) <= LONGEST_WAIT_SECONDS:
                continue
            if _within(answered.get(role, ()), before + BORDER_SECONDS, after - BORDER_SECONDS):
                # It answered: its clock was set, or its counters alone were not read.
                continue
            others = [_longest_wait(lives[other], before, after) for other in lives if other != role]
            if min(others) < (after - before) / 2:
                return f"{node_names[role]} stood still for {after - before:.1f} s while other nodes went on"
    return None


def _within(times: Sequence[float], start: float, end: float) -> list[float]:
    return [time for time in times if start < time < end]


def _longest_wait(times: Sequence[float], start: float, end: float) -> float:
    """The longest time without a sign between two moments."""
    return max(later - earlier for earlier, later in pairwise((start, *_within(times, start, end), end)))
