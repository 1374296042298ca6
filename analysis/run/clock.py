"""Nodes' clocks against the prober's: each moment of a run on the prober's clock, with its uncertainty.

Offsets come from the run's own exchanges (prober/clock.jsonl) where it has them, from lab.json otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from analysis.evidence.clock import Exchanges
from contract.evidence import CLOCK, LAB_FILE
from contract.records import LabRecord, RunRecord

CLOCK_FILE = CLOCK.path
# Linux lets a clock run faster or slower by 500 ppm at most (MAXFREQ, include/linux/timex.h).
_FASTEST_DRIFT = 500e-6
# Clocks that run apart by more than a sample of the counters within a migration make its times worthless.
LARGEST_JUMP_SECONDS = 0.05
SPANS = ("before", "during", "after")


@dataclass(frozen=True)
class Anchor:
    """The best exchange of one span of a run: the one whose packets waited least.

    `time` is on the prober's clock, `offset_seconds` the node's clock minus the prober's, known to
    +- `uncertainty_seconds`; `line` is the exchange's in clock.jsonl.
    """

    span: str
    time: float
    offset_seconds: float
    uncertainty_seconds: float
    line: int | None


@dataclass(frozen=True)
class Jump:
    """A node's clock that was set during a run: from one exchange to the next, by more than any drift.

    `during`: while it migrated, as far as the exchanges tell.
    """

    node: str
    line: int
    seconds: float
    during: bool

    @property
    def large(self) -> bool:
        """By more than a sample of the counters."""
        return abs(self.seconds) > LARGEST_JUMP_SECONDS


@dataclass(frozen=True)
class NodeClock:
    """One node's clock over a run: a line through its anchors."""

    node: str
    anchors: tuple[Anchor, ...]
    exchanges: int
    jumps: tuple[Jump, ...]

    @property
    def drift_ppm(self) -> float | None:
        """Change of the offset from the first to the last anchor, parts per million."""
        first, last = self.anchors[0], self.anchors[-1]
        if last.time <= first.time:
            return None
        return (last.offset_seconds - first.offset_seconds) / (last.time - first.time) * 1e6

    @property
    def set_during_migration(self) -> bool:
        """Whether it was set while it migrated, by so much that its times are worth nothing."""
        return any(jump.during and jump.large for jump in self.jumps)

    @property
    def uncertainty_seconds(self) -> float:
        """The most by which a moment of the migration may be off. A jump makes all of its size uncertain."""
        jumped = sum(abs(jump.seconds) for jump in self.jumps if jump.during or not jump.large)
        return max(anchor.uncertainty_seconds for anchor in self.anchors) + jumped


@dataclass(frozen=True)
class ClockModel:
    """All clocks of one run. `exchanged`: whether they were measured during it (lab.json's otherwise).
    `silent`: nodes that answered no exchange, so that lab.json's offset is taken; `unknown`: nodes of which
    neither says how far their clock is from the prober's, or whose clock was set during the migration.

    Each node's uncertainty is its own, so that the prober's counts where it is one of the two compared.
    """

    prober: str | None
    nodes: Mapping[str, NodeClock]
    exchanged: bool
    silent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @overload
    def on_prober(self, node: str | None, time: float) -> float: ...
    @overload
    def on_prober(self, node: str | None, time: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def on_prober(self, node: str | None, time: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
        """A node's time (epoch seconds of its own clock) as the prober's clock had it at that moment.

        Of a node whose clock is unknown, the node's own time.
        """
        clock = self.nodes.get(node or "")
        if clock is None:
            return time
        offsets = [anchor.offset_seconds for anchor in clock.anchors]
        if len(offsets) == 1:
            return time - offsets[0]
        own = [anchor.time + anchor.offset_seconds for anchor in clock.anchors]
        # Between anchors on the line through them, outside by the drift of the whole run.
        outside = np.minimum(time - own[0], 0) + np.maximum(time - own[-1], 0)
        shifted = time - np.interp(time, own, offsets) - outside * (clock.drift_ppm or 0.0) * 1e-6
        return float(shifted) if isinstance(time, float) else shifted

    def uncertainty_seconds(self, *nodes: str | None) -> float:
        """How far a difference between moments of two nodes may be off; none within one node.

        Infinite where the clock of one of them is unknown.
        """
        if len(set(nodes)) < 2:
            return 0.0
        if not set(nodes).isdisjoint(self.unknown):
            return math.inf
        clocks = (self.nodes.get(node or "") for node in nodes)
        return sum(clock.uncertainty_seconds for clock in clocks if clock)

    def known(self, *nodes: str | None) -> bool:
        """Whether moments of these nodes can be held against each other at all."""
        return math.isfinite(self.uncertainty_seconds(*nodes))

    @property
    def jumps(self) -> tuple[Jump, ...]:
        return tuple(jump for clock in self.nodes.values() for jump in clock.jumps)


def clock_model(run: RunRecord, lab: LabRecord, exchanges: Mapping[str, Exchanges] | None) -> ClockModel:
    """The clocks of a run's nodes, from its own exchanges where a node has them.

    A clock that was set before or after the migration is taken as it was during it. That of a destination
    which was set meanwhile is unknown; a source's own times tell nothing then (consistency.py).
    """
    computes = [node for node in (run.source, run.destination) if node is not None and node != run.prober]
    nodes = computes if exchanges is not None or run.prober is None else [*computes, run.prober]
    window = _migration(run, lab, exchanges)
    found = {
        node: _node_clock(node, exchanges[node], window)
        if exchanges is not None and node in exchanges
        else _from_lab(node, run, lab)
        for node in nodes
    }
    return ClockModel(
        run.prober,
        {node: clock for node, clock in found.items() if clock is not None},
        exchanged=exchanges is not None,
        silent=tuple(node for node in computes if exchanges is not None and node not in exchanges),
        unknown=tuple(
            node
            for node in computes
            if (clock := found[node]) is None or (node != run.source and clock.set_during_migration)
        ),
    )


def _migration(
    run: RunRecord, lab: LabRecord, exchanges: Mapping[str, Exchanges] | None
) -> tuple[float, float]:
    """From when to when it was migrated, on the prober's clock; the driver's times are the source's."""
    if run.driver is None:
        return -math.inf, math.inf
    times = (run.driver.requested_at, run.driver.finished_at or run.finished_at)
    asked = (exchanges or {}).get(run.source or "")
    if asked is not None:
        nearest = [int(np.argmin(np.abs(asked.time + asked.offset_seconds - time))) for time in times]
        return times[0] - float(asked.offset_seconds[nearest[0]]), times[1] - float(
            asked.offset_seconds[nearest[1]]
        )
    own, prober = lab.clock_of(run.source), lab.clock_of(run.prober)
    offset = own[0] - prober[0] if own and prober else 0.0
    return times[0] - offset, times[1] - offset


def _from_lab(node: str, run: RunRecord, lab: LabRecord) -> NodeClock | None:
    """lab.json has clocks against its reference node's; a lab measured once has neither drift nor jumps.

    None where it has not both this node's and the prober's.
    """
    own, prober = lab.clock_of(node), lab.clock_of(run.prober)
    if own is None or prober is None:
        return None
    return NodeClock(node, (Anchor(LAB_FILE, 0.0, own[0] - prober[0], own[1], None),), 0, ())


def _node_clock(node: str, exchanges: Exchanges, window: tuple[float, float]) -> NodeClock:
    """`window`: the migration, on the prober's clock."""
    start, end = window
    jumps = tuple(_jumps(node, exchanges, window))
    steps = np.flatnonzero(np.isin(exchanges.line, [jump.line for jump in jumps if jump.large]))
    time = exchanges.time
    # From the last time that the clock was set before the migration to the first time after it.
    first = max((step for step in steps if time[step] <= start), default=0)
    last = min((step for step in steps if time[step - 1] >= end), default=len(time))
    kept = np.arange(first, last)
    span = np.searchsorted(np.array(window), time)
    anchors = []
    for number, name in enumerate(SPANS):
        inside = kept[span[kept] == number]
        if len(inside):
            anchors.append(_anchor(name, exchanges, int(inside[np.argmin(exchanges.error_seconds[inside])])))
    return NodeClock(node, tuple(anchors), len(time), jumps)


def _anchor(span: str, exchanges: Exchanges, index: int) -> Anchor:
    return Anchor(
        span=span,
        time=float(exchanges.time[index]),
        offset_seconds=float(exchanges.offset_seconds[index]),
        uncertainty_seconds=float(exchanges.error_seconds[index]),
        line=int(exchanges.line[index]),
    )


def _jumps(node: str, exchanges: Exchanges, window: tuple[float, float]) -> Iterator[Jump]:
    """Neighbouring exchanges that no clock without a jump can both have given."""
    change = np.diff(exchanges.offset_seconds)
    error, time = exchanges.error_seconds, exchanges.time
    allowed = error[1:] + error[:-1] + _FASTEST_DRIFT * np.diff(time)
    for index in np.flatnonzero(np.abs(change) > allowed).tolist():
        during = bool(time[index + 1] > window[0] and time[index] < window[1])
        yield Jump(node, int(exchanges.line[index + 1]), float(change[index]), during)
