"""nic.jsonl: byte and packet counters of a node's interfaces, 20 times a second."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from analysis.evidence.errors import EvidenceError
from analysis.evidence.lines import check_order, checked_time, json_rows
from contract.fields import EpochSeconds

_COUNTERS = ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets")
_LARGEST_COUNTER = 1 << 62
_TURN = float(1 << 32)
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


def parse_nic(lines: Iterable[bytes], file: str) -> NicLog:
    """Parse the counters of the interface that carried most: in a run that is the migration's.

    At least two samples of it; its counters may only grow, or begin anew after 32 bits.
    """
    numbers: dict[str, int] = {}
    which: list[int] = []
    times: list[float] = []
    columns: tuple[list[int], ...] = ([], [], [], [])
    for _, _, samples in json_rows(lines, file, _decoder, _check):
        which += [numbers.setdefault(sample.interface, len(numbers)) for sample in samples]
        times += [sample.t for sample in samples]
        columns[0].extend([sample.rx_bytes for sample in samples])
        columns[1].extend([sample.tx_bytes for sample in samples])
        columns[2].extend([sample.rx_packets for sample in samples])
        columns[3].extend([sample.tx_packets for sample in samples])
    time, interface, counters = np.array(times), np.array(which), np.array(columns, dtype=float)
    check_order(time, file)
    chosen = {name: np.flatnonzero(interface == number) for name, number in numbers.items()}
    logs = {name: _unwrapped(counters[:, rows]) for name, rows in chosen.items() if len(rows) > 1}
    if not logs:
        raise EvidenceError(file, None, "fewer than two samples")
    name = max(logs, key=lambda name: float(np.maximum(np.diff(logs[name][:2]), 0).sum()))
    _check_growth(name, logs[name], chosen[name] + 1, file)
    return NicLog(name, time[chosen[name]], *logs[name])


def _unwrapped(counters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Some drivers count in 32 bits: what falls by more than half of that and never has more turned over."""
    turned = (np.diff(counters) < -_TURN / 2) & (counters.max(axis=1, keepdims=True) < _TURN)
    unwrapped: NDArray[np.float64] = counters.copy()
    unwrapped[:, 1:] += _TURN * np.cumsum(turned, axis=1)
    return unwrapped


def _check(sample: Mapping[str, Any], file: str, number: int) -> None:
    checked_time(sample, file, number)
    if type(sample.get("interface")) is not str:
        raise EvidenceError(file, number, 'garbled: "interface" is not a name')
    for counter in _COUNTERS:
        value = sample.get(counter)
        if type(value) is not int or not 0 <= value <= _LARGEST_COUNTER:
            raise EvidenceError(file, number, f'garbled: "{counter}" is not a counter')


def _check_growth(name: str, counters: NDArray[np.float64], lines: NDArray[np.int64], file: str) -> None:
    shrunk = np.argwhere(np.diff(counters).T < 0)
    if len(shrunk):
        row, column = shrunk[0].tolist()
        what = f'"{_COUNTERS[column]}" of {name} went back: the interface was reset'
        raise EvidenceError(file, int(lines[row + 1]), what)
