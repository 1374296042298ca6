"""nic.jsonl: byte and packet counters of a node's interfaces, 20 times a second."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.errors import EvidenceError
from analysis.parsers.lines import is_number, json_samples

_COUNTERS = ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets")


@dataclass(frozen=True)
class NicLog:
    """Counters as they stood at `time` (epoch seconds of the node's clock)."""

    interface: str
    time: NDArray[np.float64]
    rx_bytes: NDArray[np.float64]
    tx_bytes: NDArray[np.float64]
    rx_packets: NDArray[np.float64]
    tx_packets: NDArray[np.float64]


def parse_nic(lines: Iterable[bytes], file: str) -> tuple[NicLog, ...]:
    """Parse the counters of every interface in the file; they may only grow. At least two samples of each."""
    columns: dict[str, dict[str, array[float]]] = {}
    for number, time, sample in json_samples(lines, file):
        name = sample.get("interface")
        if not isinstance(name, str):
            raise EvidenceError(file, number, 'garbled: "interface" is not a name')
        values = columns.setdefault(name, {column: array("d") for column in ("t", *_COUNTERS)})
        values["t"].append(time)
        for counter in _COUNTERS:
            value = sample.get(counter)
            if not is_number(value) or value < 0:
                raise EvidenceError(file, number, f'garbled: "{counter}" is not a counter')
            if values[counter] and value < values[counter][-1]:
                raise EvidenceError(file, number, f'"{counter}" of {name} went back: the interface was reset')
            values[counter].append(value)
    if not columns or any(len(values["t"]) < 2 for values in columns.values()):
        raise EvidenceError(file, None, "fewer than two samples")
    return tuple(
        NicLog(name, *(np.array(values[column]) for column in ("t", *_COUNTERS)))
        for name, values in columns.items()
    )


def busiest(logs: Sequence[NicLog]) -> NicLog:
    """The interface that carried most bytes: in a run that is the one of the migration."""
    return max(logs, key=lambda log: _carried(log.rx_bytes) + _carried(log.tx_bytes))


def _carried(counter: NDArray[np.float64]) -> float:
    return float(counter[-1] - counter[0])
