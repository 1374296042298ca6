"""Did the pinger live through the whole migration? What its log leaves open about the outage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from analysis.evidence.logs import Evidence
from analysis.evidence.ping import PingLog
from analysis.run.timeline import Timeline
from contract.records import RunRecord

# The driver lets the prober see five quiet seconds; an outage at the end needs one to be seen ending.
_LEAST_QUIET_SECONDS = 1.0
_LEAST_PAUSE_SECONDS = 0.5
_PAUSE_PERIODS = 5
# What was sent so shortly before the last request was merely on its way when ping was stopped.
_ON_ITS_WAY_SECONDS = 0.15


def without_removal(run: RunRecord, evidence: Evidence) -> Evidence:
    """The evidence, with pings up to the guest's removal: what was lost to that tells of no outage."""
    if run.checked_at is None:
        return evidence
    fine = evidence.ping_fine.until(run.checked_at) if evidence.ping_fine is not None else None
    return replace(evidence, ping=evidence.ping.until(run.checked_at), ping_fine=fine)


def log_doubts(ping: PingLog) -> Iterator[str]:
    """One sentence for each way in which a ping log tells less than it should, whatever was migrated."""
    yield from ping.doubts
    early = ping.undecided_sent_at < ping.ended_at - _ON_ITS_WAY_SECONDS
    if early.any():
        count = len(ping.undecided_sent_at)
        yield (
            f"{count} pings of its last second had no answer when it ended: neither answered nor lost"
            if count > 1
            else "a ping of its last second had no answer when it ended: neither answered nor lost"
        )


def pinger_doubts(ping: PingLog, timeline: Timeline) -> Iterator[str]:
    """One sentence for each way in which an outage may be longer than the log shows."""
    sent = np.sort(np.concatenate([ping.answered_sent_at, ping.lost_sent_at]))
    quiet = float(sent[-1]) - timeline.completed
    if quiet < _LEAST_QUIET_SECONDS:
        yield f"ends {quiet:.1f} s after the migration: an outage at its end may have lasted longer"
    if len(ping.lost_sent_at) and ping.lost_sent_at[-1] > ping.answered_sent_at[-1]:
        yield "ends with lost pings: the outage may have lasted longer"
    during = sent[(sent >= timeline.requested) & (sent <= timeline.completed)]
    pause = float(np.diff(during).max(initial=0.0))
    if pause > max(_LEAST_PAUSE_SECONDS, _PAUSE_PERIODS * ping.period_seconds):
        yield (
            f"sent no ping for {pause:.1f} s of the migration, blind to an outage then: a noisy machine, or "
            "a ping that waited for the guest's hardware address (runs of earlier versions)"
        )
