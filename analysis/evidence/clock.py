"""clock.jsonl: exchanges between the prober and the compute nodes: how far apart their clocks are."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.evidence.errors import EvidenceError
from analysis.evidence.lines import is_number, json_samples
from contract.clocks import offset_seconds

_MOMENTS = ("sent_at", "received_at", "answered_at", "returned_at")


@dataclass(frozen=True)
class Exchanges:
    """One node's exchanges, as NTP has them (RFC 5905, section 8).

    `time`: middle of the exchange, epoch seconds of the prober's clock. `offset_seconds`: the node's clock
    minus the prober's. `error_seconds`: the most by which the offset can be off (half the round trip less the
    node's own time), whatever share of it each way took. `line`: where it stands in the file.
    """

    time: NDArray[np.float64]
    offset_seconds: NDArray[np.float64]
    error_seconds: NDArray[np.float64]
    line: NDArray[np.int64]


def parse_clock(lines: Iterable[bytes], file: str) -> Mapping[str, Exchanges]:
    """Parse the exchanges by node, ordered by time. An empty file gives an empty mapping.

    Raises EvidenceError where an answer would have been there before its request on either clock.
    """
    columns: dict[str, dict[str, array[float]]] = {}
    for number, _, sample in json_samples(lines, file, disorder_seconds=1.0):
        node = sample.get("node")
        if not isinstance(node, str):
            raise EvidenceError(file, number, 'garbled: "node" is not a name')
        values = columns.setdefault(node, {name: array("d") for name in (*_MOMENTS, "line")})
        for name in _MOMENTS:
            value = sample.get(name)
            if not is_number(value):
                raise EvidenceError(file, number, f'garbled: "{name}" is not a time in epoch seconds')
            values[name].append(value)
        values["line"].append(number)
        if values["returned_at"][-1] < values["sent_at"][-1]:
            raise EvidenceError(file, number, "the prober's clock went back during an exchange")
        if values["answered_at"][-1] < values["received_at"][-1]:
            raise EvidenceError(file, number, f"{node}'s clock went back during an exchange")
    return {node: _exchanges(values) for node, values in columns.items()}


def _exchanges(values: Mapping[str, array[float]]) -> Exchanges:
    sent, received, answered, returned = (np.array(values[name]) for name in _MOMENTS)
    round_trip = (returned - sent) - (answered - received)
    order = np.argsort(sent, kind="stable")
    return Exchanges(
        time=((sent + returned) / 2)[order],
        offset_seconds=offset_seconds(sent, received, answered, returned)[order],
        # Two clocks that run a little differently can make a very short round trip negative.
        error_seconds=(np.abs(round_trip) / 2)[order],
        line=np.array(values["line"]).astype(np.int64)[order],
    )
