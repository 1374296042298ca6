"""nic.jsonl: byte and packet counters of the migration interface, 20 times a second."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
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


def parse_nic(lines: Iterable[bytes], file: str) -> NicLog:
    """Parse the counters of one interface; they may only grow. At least two samples are needed."""
    interface: str | None = None
    times = array("d")
    counters = {name: array("d") for name in _COUNTERS}
    for number, time, sample in json_samples(lines, file):
        name = sample.get("interface")
        if not isinstance(name, str) or (interface is not None and name != interface):
            raise EvidenceError(
                file, number, f"garbled: interface {name!r}, expected {interface or 'a name'!r}"
            )
        interface = name
        for counter, values in counters.items():
            value = sample.get(counter)
            if not is_number(value) or value < 0:
                raise EvidenceError(file, number, f'garbled: "{counter}" is not a counter')
            if values and value < values[-1]:
                raise EvidenceError(file, number, f'"{counter}" went back: the interface was reset')
            values.append(value)
        times.append(time)
    if interface is None or len(times) < 2:
        raise EvidenceError(file, None, "fewer than two samples")
    return NicLog(interface, np.array(times), *(np.array(counters[name]) for name in _COUNTERS))
