"""Causes of lost pings over the runs of a case or a lab, and what they say on the article's suspicion.

The authors lost pings for up to tens of seconds in post-copy and suspected that switches had not learned
where the guest was. That is tested on the pings lost once the guest ran on the destination: most of them
would have to have been sent to the source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.run.attribution import Attribution, StreamAttribution, Tally
from analysis.run.causes import STALE_CAUSES, Cause
from analysis.run.formatter import counted
from analysis.stats.intervals import (
    LEVEL,
    Interval,
    MedianEstimate,
    interval_median,
    median_estimate,
    most_unseen,
)
from analysis.study.results import RunResult

SUPPORTED = "supported"
NOT_SUPPORTED = "not supported"
CANNOT_TELL = "cannot tell"
# More of the pings lost after the resume than this must have gone to the source, and they must be more of all
# lost pings than that: one ping that was on its way when the guest moved is no outage by a switch.
_MOST, _NOTEWORTHY = 0.5, 0.1
_NOTHING = Interval(0.0, 0.0)


@dataclass(frozen=True)
class CauseLine:
    """One cause over several runs: pings lost to it, and the median time it took in a run (finer ping)."""

    cause: Cause
    coarse: int
    fine: int | None
    seconds: Interval
    runs: tuple[RunResult, ...]


@dataclass(frozen=True)
class Suspicion:
    """The article's suspicion held against runs of one kind of network.

    Pings of both periods, sent once the guest ran on the destination: `lost`, of them `stale` sent to the
    source, `unwired` while the guest's port was not wired yet, `unknown` without a verdict; `lost_before`:
    sent earlier. `announced` and `stale_seconds` since the resume, seconds. `left_out`: runs that do not
    count (their guest did not arrive intact, ...).
    """

    network: str
    runs: tuple[RunResult, ...]
    lost: int
    stale: int
    unwired: int
    unknown: int
    lost_before: int
    left_out: int
    announced: MedianEstimate | None
    stale_seconds: MedianEstimate | None
    verdict: str
    reason: str


def attributed(runs: Sequence[RunResult]) -> list[tuple[RunResult, Attribution]]:
    """The runs whose lost pings were judged, with the verdicts."""
    return [
        (run, run.findings.attribution)
        for run in runs
        if run.findings is not None and run.findings.attribution is not None
    ]


def cause_lines(runs: Sequence[RunResult]) -> tuple[CauseLine, ...]:
    """Every cause that took a ping in these runs, in the order of the way."""
    judged = attributed(runs)
    lines = []
    for cause in Cause:
        hit = [run for run, found in judged if any(cause in stream.tallies for stream in found.streams)]
        if not hit:
            continue
        seconds = interval_median([_seconds(found.finest, cause) for _, found in judged])
        fine = [found.fine for _, found in judged if found.fine is not None]
        lines.append(
            CauseLine(
                cause=cause,
                coarse=sum(_count(found.coarse, cause) for _, found in judged),
                fine=sum(_count(stream, cause) for stream in fine) if fine else None,
                seconds=seconds or _NOTHING,
                runs=tuple(hit),
            )
        )
    return tuple(lines)


def suspicion(network: str, runs: Sequence[RunResult]) -> Suspicion | None:
    """The verdict for runs with post-copy on one kind of network; None if none was judged."""
    moved = [
        (run, found)
        for run, found in attributed(runs)
        if run.record.spec.network == network and run.record.has_postcopy and run.metrics
    ]
    judged = [(run, found) for run, found in moved if run.excluded_because is None]
    if not moved:
        return None
    after: Counter[Cause] = Counter()
    for _, found in judged:
        for stream in found.streams:
            after.update(stream.after_resume)
    lost, stale = sum(after.values()), sum(after[cause] for cause in STALE_CAUSES)
    unwired, unknown = after[Cause.UNWIRED], after[Cause.UNKNOWN]
    all_lost = sum(entry.count for _, found in judged for entry in _tallies(found))
    if judged:
        verdict, reason = judge_suspicion(lost, stale, unknown, all_lost)
        if not stale and not unknown:
            reason += (
                f" in {counted(len(judged), 'run')}, so it comes in at most {most_unseen(len(judged))} "
                f"of such runs ({LEVEL:.0%} confidence)"
            )
    else:
        verdict, reason = CANNOT_TELL, "no run counts"
    if unwired:
        reason += f"; {unwired} were lost while the guest's port on the destination was not wired yet"
    left_out = [found for run, found in moved if run.excluded_because is not None]
    switchover = sum(_count(stream, Cause.SWITCHOVER) for _, found in judged for stream in found.streams)
    others = all_lost - lost - switchover
    reason += f"; {switchover} were lost in the switchover" + (f", {others} before it" if others > 0 else "")
    if left_out:
        pings = sum(entry.count for found in left_out for entry in _tallies(found))
        runs_said = "1 run that does" if len(left_out) == 1 else f"{len(left_out)} runs that do"
        reason += (
            f"; {pings} lost pings of {runs_said} not count (guest damaged, or run invalid) are left out"
        )
    return Suspicion(
        network=network,
        runs=tuple(run for run, _ in judged),
        lost=lost,
        stale=stale,
        unwired=unwired,
        unknown=unknown,
        lost_before=all_lost - lost,
        left_out=len(left_out),
        announced=_estimate([run for run, _ in judged], "announced_seconds"),
        stale_seconds=_estimate([run for run, _ in judged], "network_stale_seconds"),
        verdict=verdict,
        reason=reason,
    )


def judge_suspicion(lost: int, stale: int, unknown: int, all_lost: int) -> tuple[str, str]:
    """(verdict, reason) from the counts of a Suspicion; `all_lost` pings, whenever they were sent."""
    if lost == 0:
        return NOT_SUPPORTED, "no ping was lost once the guest ran on the destination"
    said = f"{stale} of {lost} pings lost once the guest ran on the destination had been sent to the source"
    if unknown:
        said += f"; of {unknown} nobody can tell"
    if stale > _MOST * lost and stale > _NOTEWORTHY * all_lost:
        return SUPPORTED, said
    if stale + unknown > _MOST * lost and stale + unknown > _NOTEWORTHY * all_lost:
        return CANNOT_TELL, said
    return NOT_SUPPORTED, said


def _tallies(found: Attribution) -> list[Tally]:
    return [entry for stream in found.streams for entry in stream.tallies.values()]


def _count(stream: StreamAttribution, cause: Cause) -> int:
    return stream.tallies[cause].count if cause in stream.tallies else 0


def _seconds(stream: StreamAttribution, cause: Cause) -> Interval:
    return stream.tallies[cause].seconds if cause in stream.tallies else _NOTHING


def _estimate(runs: Sequence[RunResult], metric: str) -> MedianEstimate | None:
    values = [getattr(run.metrics, metric) for run in runs if run.metrics is not None]
    return median_estimate([value for value in values if value is not None])
