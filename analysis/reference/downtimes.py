"""Does an allowed downtime give the downtimes that the article printed?

The article counted lost pings of 0.1 s, so a printed figure stands for an interval of one period to each
side. It is held against the median ping outage of a case by the finest ping, an interval as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.reference.lines import row_key
from analysis.reference.published import OUTAGE, PING_PERIOD_SECONDS, Published
from analysis.stats.intervals import Interval
from analysis.study.cases import CaseSummary
from contract.modes import ARTICLE_MODE

LIKE, SHORTER, LONGER, CANNOT_TELL = "like the article's", "shorter", "longer", "cannot tell"
# The table that has downtimes.
_TABLE = "table2"
# Borders that are sums of whole periods.
_ROUNDING_SECONDS = 1e-9


@dataclass(frozen=True)
class DowntimeFit:
    """One case of table 2 against its row. `outage`: its median by the finest ping."""

    case: CaseSummary
    published_seconds: float
    outage: Interval

    @property
    def verdict(self) -> str:
        """How the measured interval lies to the published one."""
        low = self.published_seconds - PING_PERIOD_SECONDS - _ROUNDING_SECONDS
        high = self.published_seconds + PING_PERIOD_SECONDS + _ROUNDING_SECONDS
        if self.outage.high < low:
            return SHORTER
        if self.outage.low > high:
            return LONGER
        return LIKE if low <= self.outage.low and self.outage.high <= high else CANNOT_TELL


def downtime_fits(published: Published | None, cases: Sequence[CaseSummary]) -> Mapping[str, DowntimeFit]:
    """By the case's name: every measured hybrid case that answers a row with a downtime."""
    rows = {row.key: row for row in published.rows(_TABLE)} if published else {}
    found = {}
    for case in cases:
        outage = case.fine_outage() or case.outage()
        row = rows.get(row_key(_TABLE, case))
        if case.spec.table == _TABLE and case.spec.mode == ARTICLE_MODE and row is not None and outage:
            found[case.case] = DowntimeFit(case, row.numbers[OUTAGE], outage)
    return found
