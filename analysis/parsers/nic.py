"""nic.jsonl: byte and packet counters of a node's interfaces, 20 times a second."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import EvidenceError
from analysis.parsers.lines import json_samples

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
    rows: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
    for number, time, sample in json_samples(lines, file):
        name = sample.get("interface")
        if type(name) is not str:
            raise EvidenceError(file, number, 'garbled: "interface" is not a name')
        values: tuple[Any, ...] = tuple(map(sample.get, _COUNTERS))
        if {*map(type, values)} != {int}:
            raise _no_counter(values, file, number)
        rows[name].extend((number, time, *values))
    tables = {name: np.array(values).reshape(-1, 2 + len(_COUNTERS)) for name, values in rows.items()}
    if not tables or any(len(table) < 2 for table in tables.values()):
        raise EvidenceError(file, None, "fewer than two samples")
    for name, table in tables.items():
        _check_growth(name, table, file)
    return tuple(NicLog(name, *np.ascontiguousarray(table.T[1:])) for name, table in tables.items())


def _no_counter(values: Sequence[object], file: str, number: int) -> EvidenceError:
    counter = next(name for name, value in zip(_COUNTERS, values, strict=True) if type(value) is not int)
    return EvidenceError(file, number, f'garbled: "{counter}" is not a counter')


def _check_growth(name: str, table: NDArray[np.float64], file: str) -> None:
    """Columns: line number, time, counters."""
    counters = table[:, 2:]
    if counters.min() < 0:
        row, column = np.argwhere(counters < 0)[0]
        raise EvidenceError(file, int(table[row, 0]), f'garbled: "{_COUNTERS[column]}" is not a counter')
    shrunk = np.argwhere(np.diff(counters, axis=0) < 0)
    if len(shrunk):
        row, column = shrunk[0]
        raise EvidenceError(
            file,
            int(table[row + 1, 0]),
            f'"{_COUNTERS[column]}" of {name} went back: the interface was reset',
        )


def busiest(logs: Sequence[NicLog]) -> NicLog:
    """The interface that carried most bytes: in a run that is the one of the migration."""
    return max(logs, key=lambda log: _carried(log.rx_bytes) + _carried(log.tx_bytes))


def _carried(counter: NDArray[np.float64]) -> float:
    return float(counter[-1] - counter[0])
