"""Was the lab steady enough to be believed? As pyperf's `check` asks it, but without mean and deviation.

Each check ends as steady, unsteady (a warning) or cannot tell: with few runs no warning is no proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.run.attribution import COARSE, FINE
from analysis.run.formatter import counted
from analysis.run.metrics import RunMetrics
from analysis.stats.trend import Drift, drift
from analysis.study.cases import CaseSummary
from analysis.study.results import EXCLUDED, FULL_LINK, NOTED, Notice, Results, RunResult
from contract.evidence import LAB_FILE, PING

STEADY = "steady"
UNSTEADY = "unsteady"
CANNOT_TELL = "cannot tell"

# What tells of the machine when it drifts: the metric, and how long a guest takes to boot.
_DRIFTING: Mapping[str, Callable[[RunResult], float | None]] = {
    "migration time": lambda run: run.metrics.migration_seconds if run.metrics else None,
    "time to boot the guest": lambda run: run.boot_seconds,
}
# A drift over the whole study of less than this moves no verdict.
_LEAST_DRIFT = 0.02
# pyperf warns where the deviation is a tenth of the mean; of a few skewed values the range is more honest.
_WIDE_SPREAD = 0.10
# A migration that is asked for and waited for in steps of a fraction of a second is not steadier than this.
_RESOLUTION_SECONDS = 0.2

# What the pings are asked for, seconds; a prober that sends so much less often sees less than it says.
_PERIODS: Mapping[str, tuple[str, Callable[[RunMetrics], float | None], float]] = {
    COARSE: ("ping.log", lambda metrics: metrics.ping_period_seconds, 0.1),
    FINE: ("ping_fine.log", lambda metrics: metrics.fine_period_seconds, 0.01),
}
_LATE_SHARE = 0.1
# Headers take 5 % of what a link is sold for; more than its rate means that it is not shaped.
_LINK_SHARES = (0.9, 1.02)


@dataclass(frozen=True)
class Check:
    """One look at the lab's steadiness; `file` is relative to the results directory."""

    name: str
    file: str
    state: str
    message: str


def stability_checks(results: Results, cases: Sequence[CaseSummary]) -> tuple[Check, ...]:
    """All checks of one results directory."""
    return (
        *_drifts(cases),
        *_spreads(cases),
        *_links(results, cases),
        *_stressors(cases),
        *_pinger(results),
        *_periods(results),
    )


def stability_notices(checks: Sequence[Check]) -> tuple[Notice, ...]:
    """The warnings among them."""
    return tuple(
        Notice(check.file, None, f"{check.name}: {check.message}", NOTED)
        for check in checks
        if check.state == UNSTEADY
    )


def _drifts(cases: Sequence[CaseSummary]) -> Iterator[Check]:
    """Change of a metric over the study, each case held against itself only."""
    starts = [run.record.started_at for case in cases for run in case.counted]
    if not starts:
        return
    span = max(starts) - min(starts)
    for words, value_of in _DRIFTING.items():
        groups = [
            [(run.record.started_at, value) for run in case.counted if (value := value_of(run)) is not None]
            for case in cases
        ]
        found = drift(groups)
        if found is None:
            yield Check(
                "drift", "runs", CANNOT_TELL, f"no case was repeated: {words} cannot be seen to drift"
            )
        else:
            yield _drift_check(found, words, span)


def _drift_check(found: Drift, words: str, span: float) -> Check:
    total = found.slope_per_second * span
    hours = f"{span / 3600:.1f} h"
    if found.p is None:
        least = f"{counted(found.count, 'run')}, smallest possible p = {found.smallest_p:.2f}"
        return Check("drift", "runs", CANNOT_TELL, f"too few repetitions to see {words} drift ({least})")
    bounds = ""
    if found.bounds is not None:
        bounds = f" ({found.bounds.low * span:+.1%} to {found.bounds.high * span:+.1%})"
    unsteady = found.p <= 0.05 and abs(total) >= _LEAST_DRIFT
    return Check(
        "drift",
        "runs",
        UNSTEADY if unsteady else STEADY,
        f"{words} changed by {total:+.1%}{bounds} over the {hours} of the study, p = {found.p:.3f} "
        f"({counted(found.count, 'run')}, seasonal Kendall test)",
    )


def _spreads(cases: Sequence[CaseSummary]) -> Iterator[Check]:
    """One check per case that was repeated, one for all others together."""
    single = [case for case in cases if len(case.counted) == 1]
    if single:
        words = "1 case has" if len(single) == 1 else f"{len(single)} cases have"
        yield Check("noisy machine", "runs", CANNOT_TELL, f"{words} one counted run, which shows no spread")
    for case in cases:
        estimate = case.estimate("migration_seconds")
        if estimate is None or estimate.count < 2:
            continue
        spread = estimate.maximum - estimate.minimum
        wide = spread > _WIDE_SPREAD * estimate.median and spread > _RESOLUTION_SECONDS
        yield Check(
            "noisy machine",
            _directory(case),
            UNSTEADY if wide else STEADY,
            f"migration time of {estimate.count} runs from {estimate.minimum:.1f} to "
            f"{estimate.maximum:.1f} s, which is {spread / estimate.median:.0%} of their median",
        )


def _links(results: Results, cases: Sequence[CaseSummary]) -> Iterator[Check]:
    """What the idle link gives of each configured rate, and rates that were run at and never measured."""
    for link in results.lab.links:
        share = link.measured_bits_per_second / link.configured_bits_per_second
        yield Check(
            "link rate",
            LAB_FILE,
            STEADY if _LINK_SHARES[0] <= share <= _LINK_SHARES[1] else UNSTEADY,
            f"link {link.source} to {link.destination} gives {share:.0%} of its configured "
            f"{link.configured_bits_per_second / 1e9:g} Gbit/s",
        )
    if not results.lab.links:
        return
    unmeasured: dict[str, int] = {}
    for case in cases:
        for run in case.runs:
            if run.metrics is not None and not run.metrics.link_rate_measured:
                unmeasured[case.spec.link_rate] = unmeasured.get(case.spec.link_rate, 0) + 1
    for rate, count in unmeasured.items():
        yield Check(
            "link rate",
            LAB_FILE,
            UNSTEADY,
            f"{rate} was never measured on the idle link: the configured rate stands for it in "
            f"{counted(count, 'run')}",
        )


def _stressors(cases: Sequence[CaseSummary]) -> Iterator[Check]:
    """Pre-copy under load: can the guest dirty memory as fast as the link carries it away?"""
    for case in cases:
        if case.spec.mode.has_postcopy or not case.spec.stressed_bytes:
            continue
        known = [
            run.metrics
            for run in case.runs
            if run.metrics is not None and run.metrics.dirty_rate_bytes_per_second is not None
        ]
        if not known:
            yield Check("stressor", _directory(case), CANNOT_TELL, "QEMU reported no dirty rate")
            continue
        slow = sum(bool(too_slow_to_outrun(metrics)) for metrics in known)
        dirtied = max(metrics.dirty_rate_bytes_per_second or 0.0 for metrics in known) * 8 / 1e6
        carried = max(_carried(metrics) for metrics in known) / 1e6
        words = (
            f"dirties at most {dirtied:,.0f} Mbit/s of memory while {carried:,.0f} Mbit/s were carried away"
        )
        if slow:
            words += (
                f"; too slow to outrun the link in {slow} of {len(known)} runs: whether pre-copy converges "
                "there tests nothing"
            )
        yield Check("stressor", _directory(case), UNSTEADY if slow else STEADY, words)


def too_slow_to_outrun(metrics: RunMetrics) -> bool | None:
    """Whether the guest dirtied memory clearly more slowly than it was carried away; None if unknown.

    Held against the rate that was sent at, not the link's: a stressor that rewrites all its memory in each
    pass dirties it once per pass, however slow the pass.
    """
    dirtied = metrics.dirty_rate_bytes_per_second
    return None if dirtied is None else dirtied * 8 < FULL_LINK * _carried(metrics)


def _carried(metrics: RunMetrics) -> float:
    """Bits per second while sending."""
    return metrics.link_rate_bits_per_second * (1.0 if metrics.link_use is None else metrics.link_use)


def _pinger(results: Results) -> Iterator[Check]:
    """Runs whose ping log begins late, ends early or is not there."""
    dead = [
        notice.file
        for notice in results.notices
        if notice.effect == EXCLUDED and notice.file.endswith(PING.path)
    ]
    if results.runs or dead:
        yield Check(
            "pinger",
            dead[0] if dead else "runs",
            UNSTEADY if dead else STEADY,
            f"died in {len(dead)} of {len(results.runs)} runs: they are excluded"
            if dead
            else f"answered for in all {len(results.runs)} runs",
        )


def _periods(results: Results) -> Iterator[Check]:
    """The period that each ping kept, held against the one that it was asked for."""
    for name, (file, period_of, asked) in _PERIODS.items():
        kept = {
            run.path: period
            for run in results.runs
            if run.metrics is not None and (period := period_of(run.metrics)) is not None
        }
        if not kept:
            continue
        late = [path for path, period in kept.items() if period > (1 + _LATE_SHARE) * asked]
        low, middle, high = (1000 * value for value in np.quantile(list(kept.values()), (0, 0.5, 1)))
        yield Check(
            "ping period",
            f"{late[0]}/prober/{file}" if late else "runs",
            UNSTEADY if late else STEADY,
            f"the ping of {name} was sent every {middle:.1f} ms (median; {low:.1f} to {high:.1f} ms, "
            f"{counted(len(kept), 'run')})"
            + (f": more than {_LATE_SHARE:.0%} late in {len(late)} of them" if late else ""),
        )


def _directory(case: CaseSummary) -> str:
    return f"runs/{case.case}"
