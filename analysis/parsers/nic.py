"""nic.jsonl: byte and packet counters of a node's interfaces, 20 times a second."""

from __future__ import annotations

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


def parse_nic(lines: Iterable[bytes], file: str) -> tuple[NicLog, ...]:
    """Parse the counters of every interface in the file; they may only grow. At least two samples of each."""
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
    if not chosen or any(len(rows) < 2 for rows in chosen.values()):
        raise EvidenceError(file, None, "fewer than two samples")
    for name, rows in chosen.items():
        _check_growth(name, counters[:, rows], rows + 1, file)
    return tuple(NicLog(name, time[rows], *counters[:, rows]) for name, rows in chosen.items())


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


def busiest(logs: Sequence[NicLog]) -> NicLog:
    """The interface that carried most bytes: in a run that is the one of the migration."""
    return max(logs, key=lambda log: _carried(log.rx_bytes) + _carried(log.tx_bytes))


def _carried(counter: NDArray[np.float64]) -> float:
    return float(counter[-1] - counter[0])
