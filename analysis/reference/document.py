"""claims.json: the verdicts for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis.reference.verdicts import Verdict

SCHEMA = 1


def claims_document(
    study: str, lab: str, release: str, kit_commit: str | None, scale: float, verdicts: Sequence[Verdict]
) -> dict[str, Any]:
    """What claims.json holds; run directories are relative to the results directory.

    `scale`: how many times smaller memory and rates were than the article's; 1 is its own size.
    """
    return {
        "schema": SCHEMA,
        "study": study,
        "lab": lab,
        "release": release,
        "kit_commit": kit_commit,
        "scale": scale,
        "claims": [claim_record(verdict) for verdict in verdicts],
    }


def claim_record(verdict: Verdict) -> dict[str, Any]:
    """One claim. `measured` is a number in `unit` (null if the finding is none), `found` says it in words."""
    outcome = verdict.outcome
    bounded = outcome.low is not None and outcome.high is not None
    return {
        "id": verdict.identifier,
        "group": verdict.group,
        "where": verdict.where,
        "statement": verdict.statement,
        "rule": verdict.rule,
        "verdict": outcome.verdict,
        "measured": outcome.value,
        "interval": [outcome.low, outcome.high] if bounded else None,
        "interval_kind": outcome.interval_kind if bounded else None,
        "unit": outcome.unit,
        "published": outcome.published,
        "found": outcome.measured,
        "reason": outcome.reason,
        "runs": list(outcome.runs),
    }
