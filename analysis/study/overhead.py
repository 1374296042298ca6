"""What the probes cost: cases that differ in their probes alone, held against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from analysis.stats.tests import Comparison, IntervalComparison, compare_intervals, compare_rounds
from analysis.study.cases import CaseSummary
from contract.choices import Probes


@dataclass(frozen=True)
class ProbeCost:
    """All probes against the basic ones: ratios of time and data, the two outages as intervals."""

    basic: CaseSummary
    all_probes: CaseSummary
    seconds: Comparison | None
    forward_bytes: Comparison | None
    downtime: Comparison | None
    outage: IntervalComparison | None


def probe_costs(cases: Sequence[CaseSummary]) -> Iterator[ProbeCost]:
    """One for each pair of cases whose specifications differ in `probes` alone."""
    basic = {
        replace(case.spec, probes=Probes.ALL): case for case in cases if case.spec.probes == Probes.BASIC
    }
    for case in cases:
        other = basic.get(case.spec)
        if other is not None and case.spec.probes == Probes.ALL and case.counted and other.counted:
            yield ProbeCost(
                basic=other,
                all_probes=case,
                seconds=_compare(other, case, "migration_seconds"),
                forward_bytes=_compare(other, case, "forward_bytes"),
                downtime=_compare(other, case, "downtime_seconds"),
                outage=compare_intervals(other.outages, case.outages),
            )


def _compare(first: CaseSummary, second: CaseSummary, metric: str) -> Comparison | None:
    return compare_rounds(first.by_round(metric), second.by_round(metric))
