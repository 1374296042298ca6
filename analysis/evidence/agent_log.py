"""Log of neutron's linuxbridge agent on one host: when it first looked at each interface."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analysis.evidence.oslo_log import clean, read_record

# At INFO, before the agent makes the interface a port of its bridge; without details it says that it left.
_LOOKED_AT = re.compile(r"^(?:\[.*?\] )?Port (\S+) updated\. Details: ")


@dataclass(frozen=True)
class AgentLog:
    """`marks`: by the interface's name, in epoch seconds of the node's clock."""

    marks: Mapping[str, float]


def parse_agent_log(lines: Iterable[bytes], file: str) -> AgentLog:
    """The first look at each interface; lines of another kind or without a date are left out."""
    marks: dict[str, float] = {}
    for line in lines:
        record = read_record(clean(line))
        looked_at = _LOOKED_AT.search(record.text) if record else None
        if record and looked_at:
            marks.setdefault(looked_at[1], record.time)
    return AgentLog(marks)
