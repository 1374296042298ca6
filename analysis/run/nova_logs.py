"""What the logs of a run's cloud are worth: missing, unread or on another clock, each said in one line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np

from analysis.evidence.agent_log import AgentLog
from analysis.evidence.logs import Evidence
from analysis.evidence.nic import NicLog
from analysis.evidence.nova_log import NovaLog, patterns_of
from contract.choices import Backend
from contract.evidence import DESTINATION_AGENT_LOG, DESTINATION_NOVA_LOG, SOURCE_NOVA_LOG
from contract.outcomes import RunOutcome
from contract.records import LabRecord, RunRecord

Log = TypeVar("Log", NovaLog, AgentLog)
# A service writes its node's local time; the zones in use are quarters of an hour from UTC, within 14 h.
_ZONE_STEP_SECONDS = 900.0
_FARTHEST_ZONE_STEPS = 14 * 4
# A log is kept from the start of the host's probes to their end; both are started and stopped one by one.
_SLACK_SECONDS = 60.0
# The mark that each host's metric comes from, and what it says.
_MARKS = {
    "source": ("source_ends", "that the migration ended"),
    "destination": ("destination_begins", "that the migration began"),
}


def trusted_nova_logs(
    run: RunRecord, evidence: Evidence, lab: LabRecord
) -> tuple[Evidence, tuple[tuple[str, str], ...]]:
    """The evidence with nova's times on their hosts' clocks, and (file, what is wrong with it).

    A log that is whole quarters of an hour off its host's counters is in local time and put right; one that
    is off by anything else has no marks afterwards.
    """
    patterns = patterns_of(lab.log_patterns)
    if run.spec.backend != Backend.NOVA or patterns is None:
        return evidence, ()
    doubts: list[tuple[str, str]] = []
    logs: dict[str, NovaLog | None] = {}
    for kept_as, log, nic in (
        (SOURCE_NOVA_LOG, evidence.source_nova, evidence.source_nic),
        (DESTINATION_NOVA_LOG, evidence.destination_nova, evidence.destination_nic),
    ):
        role, file = kept_as.role, kept_as.path
        if log is None:
            logs[role] = None
            doubts.append((file, "missing: nothing of this host is told by nova (does it log elsewhere?)"))
            continue
        doubts += [(file, text) for text in _unread(log)]
        logs[role], shifted = _on_host_clock(log, nic)
        if shifted:
            doubts.append((file, shifted))
        mark, meaning = _MARKS[role]
        if log.read and mark not in log.marks and run.outcome == RunOutcome.COMPLETED:
            what = f"no line of it says {meaning} (looked for: {patterns[mark].pattern})"
            doubts.append((file, what))
    agent = evidence.destination_agent
    if agent is not None:
        agent, shifted = _on_host_clock(agent, evidence.destination_nic)
        if shifted:
            doubts.append((DESTINATION_AGENT_LOG.path, shifted))
    trusted = replace(
        evidence,
        source_nova=logs["source"],
        destination_nova=logs["destination"],
        destination_agent=agent,
    )
    return trusted, tuple(doubts)


def _unread(log: NovaLog) -> Iterator[str]:
    if not log.lines:
        yield "empty: nova wrote nothing during the run"
    elif not log.read:
        yield (
            f"none of its {log.lines} lines could be read: no date as nova writes it "
            "(2026-11-23 11:33:37.034 PID LEVEL logger text, or JSON)"
        )
    elif log.unread:
        yield f"{log.unread} of its {log.lines} lines could not be read: no date as nova writes it"
    if log.whole_seconds:
        yield "its times are whole seconds: what it dates may be up to 1 s later"
    if log.failure is not None:
        yield f"nova says that the migration failed: {log.failure[:200]}"


def _on_host_clock(log: Log, nic: NicLog) -> tuple[Log, str | None]:
    """The log with its marks in the time in which its host was watched, and what was wrong with them."""
    times = np.array(list(log.marks.values()))
    if not len(times):
        return log, None
    start, end = float(nic.time[0]) - _SLACK_SECONDS, float(nic.time[-1]) + _SLACK_SECONDS
    steps = np.arange(-_FARTHEST_ZONE_STEPS, _FARTHEST_ZONE_STEPS + 1) * _ZONE_STEP_SECONDS
    fitting = steps[(times.min() - steps >= start) & (times.max() - steps <= end)]
    if 0.0 in fitting:
        return log, None
    if len(fitting) != 1:
        off = times.min() - start if times.min() < start else times.max() - end
        what = f"its times are {off:+.0f} s off the time in which its host was watched: they are not used"
        return replace(log, marks={}), what
    zone = float(fitting[0])
    hours, minutes = divmod(round(abs(zone) / 60), 60)
    ahead = "ahead of" if zone > 0 else "behind"
    return replace(log, marks={mark: time - zone for mark, time in log.marks.items()}), (
        f"its times are {hours}:{minutes:02d} h {ahead} its host's clock (local time?): corrected by that"
    )
