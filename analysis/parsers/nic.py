"""nic.jsonl: byte and packet counters of a node's interfaces, 20 times a second."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from analysis.errors import EvidenceError
from analysis.parsers.lines import EpochSeconds, check_order, checked_time, json_rows

_COUNTERS = ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets")
_LARGEST_COUNTER = 1 << 62
Counter = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST_COUNTER)]


class _Sample(msgspec.Struct, gc=False):
    t: EpochSeconds
    interface: str
    rx_bytes: Counter
    tx_bytes: Counter
    rx_packets: Counter
    tx_packets: Counter


_decoder = msgspec.json.Decoder(_Sample)


@dataclass(frozen=True)
class NicLog:
    """Counters as they stood at `time` (epoch seconds of the node's clock)."""

    interface: str
    time: NDArray[np.float64]
    rx_bytes: NDArray[np.float64]
    tx_bytes: NDArray[np.float64]
    rx_packets: NDArray[np.float64]
    tx_packets: NDArray[np.float64]


@dataclass
class _Columns:
    number: list[int]
    time: list[float]
    counters: tuple[list[int], list[int], list[int], list[int]]


def parse_nic(lines: Iterable[bytes], file: str) -> tuple[NicLog, ...]:
    """Parse the counters of every interface in the file; they may only grow. At least two samples of each."""
    interfaces: defaultdict[str, _Columns] = defaultdict(lambda: _Columns([], [], ([], [], [], [])))
    times: list[float] = []
    for first, _, samples in json_rows(lines, file, _decoder, _check):
        times += [sample.t for sample in samples]
        names = [sample.interface for sample in samples]
        for name in dict.fromkeys(names):
            columns = interfaces[name]
            columns.number += [number for number, other in enumerate(names, first) if other == name]
            chosen = [sample for sample, other in zip(samples, names, strict=True) if other == name]
            columns.time += [sample.t for sample in chosen]
            rx_bytes, tx_bytes, rx_packets, tx_packets = columns.counters
            rx_bytes += [sample.rx_bytes for sample in chosen]
            tx_bytes += [sample.tx_bytes for sample in chosen]
            rx_packets += [sample.rx_packets for sample in chosen]
            tx_packets += [sample.tx_packets for sample in chosen]
    check_order(np.array(times), file)
    if not interfaces or any(len(columns.time) < 2 for columns in interfaces.values()):
        raise EvidenceError(file, None, "fewer than two samples")
    return tuple(_nic_log(name, columns, file) for name, columns in interfaces.items())


def _check(sample: Mapping[str, Any], file: str, number: int) -> None:
    checked_time(sample, file, number)
    if type(sample.get("interface")) is not str:
        raise EvidenceError(file, number, 'garbled: "interface" is not a name')
    for counter in _COUNTERS:
        value = sample.get(counter)
        if type(value) is not int or not 0 <= value <= _LARGEST_COUNTER:
            raise EvidenceError(file, number, f'garbled: "{counter}" is not a counter')


def _nic_log(name: str, columns: _Columns, file: str) -> NicLog:
    counters = np.array(columns.counters, dtype=float)
    shrunk = np.argwhere(np.diff(counters).T < 0)
    if len(shrunk):
        row, column = shrunk[0].tolist()
        raise EvidenceError(
            file,
            columns.number[row + 1],
            f'"{_COUNTERS[column]}" of {name} went back: the interface was reset',
        )
    return NicLog(name, np.array(columns.time), *counters)


def busiest(logs: Sequence[NicLog]) -> NicLog:
    """The interface that carried most bytes: in a run that is the one of the migration."""
    return max(logs, key=lambda log: _carried(log.rx_bytes) + _carried(log.tx_bytes))


def _carried(counter: NDArray[np.float64]) -> float:
    return float(counter[-1] - counter[0])
