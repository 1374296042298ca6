"""What a run shows beyond its metrics, small enough to be kept of every run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from analysis.run.attribution import Attribution
from analysis.run.clock import CLOCK_FILE, SPANS, ClockModel
from analysis.run.measure import Measured
from analysis.run.slowdown import Slowdown
from analysis.run.timeline import Moment


@dataclass(frozen=True)
class Findings:
    """One run's attribution without its single pings, slowdown without its seconds, clocks and moments."""

    attribution: Attribution | None
    slowdown: Slowdown | None
    clocks: ClockModel
    moments: tuple[Moment, ...]
    border_disagreement_seconds: float | None
    borders_agree: bool | None


def findings_of(measured: Measured) -> Findings:
    """The part of a measured run that is kept."""
    timeline = measured.timeline
    return Findings(
        attribution=measured.attribution.without_pings() if measured.attribution else None,
        slowdown=replace(measured.slowdown, seconds=()) if measured.slowdown else None,
        clocks=measured.clocks,
        moments=timeline.moments,
        border_disagreement_seconds=timeline.border_disagreement_seconds,
        borders_agree=timeline.borders_agree,
    )


def doubts(findings: Findings) -> Iterator[tuple[str, str]]:
    """(file, what is wrong with it): clocks that jumped or never answered, captures that lack packets."""
    clocks = findings.clocks
    for jump in clocks.jumps:
        if jump.large and not jump.during:
            effect = "not during the migration, so its moments stay"
        elif jump.large:
            effect = "what two clocks would have to say together is left out"
        else:
            effect = "moments of two nodes are ordered only as far as that leaves them sure"
        what = f"{jump.node}'s clock jumped by {jump.seconds:+.3f} s against the prober's: {effect}"
        yield f"{CLOCK_FILE}:{jump.line}", what
    for node in clocks.silent:
        if node not in clocks.unknown:
            yield CLOCK_FILE, f"{node} answered no exchange: its clock is taken from lab.json"
    nowhere = [node for node in clocks.unknown if node not in clocks.nodes]
    if nowhere:
        names = " and ".join(nowhere)
        yield (
            CLOCK_FILE,
            f"neither this file nor lab.json says how far the clock of {names} is from the prober's: what "
            "two clocks would have to say together is left out",
        )
    for clock in findings.clocks.nodes.values():
        lacking = set(SPANS) - {anchor.span for anchor in clock.anchors}
        if clock.exchanges and lacking & {"before", "after"} and clock.node not in clocks.unknown:
            when = " and ".join(span for span in SPANS if span in lacking)
            what = (
                f"no exchange with {clock.node} {when} the migration: its clock is carried on from the rest"
            )
            yield CLOCK_FILE, what
    if findings.attribution is not None:
        yield from findings.attribution.doubts
