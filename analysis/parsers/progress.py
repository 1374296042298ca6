"""progress.jsonl: how fast the guest itself got on, one sample per 0.1 s of the guest's time."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.errors import EvidenceError
from analysis.parsers.lines import is_number, json_object, whole_lines

_KEYS = ("guest_epoch_seconds", "guest_monotonic_seconds", "pattern_bytes_written", "stressor_cpu_seconds")


@dataclass(frozen=True)
class ProgressLog:
    """Samples on the guest's clocks: nothing ties them to the nodes' clocks exactly."""

    guest_epoch_seconds: NDArray[np.float64]
    guest_monotonic_seconds: NDArray[np.float64]
    pattern_bytes_written: NDArray[np.float64]
    stressor_cpu_seconds: NDArray[np.float64]


def parse_progress(lines: Iterable[bytes], file: str) -> ProgressLog:
    """Parse the samples; the guest's monotonic clock may not go back. An empty file gives empty arrays."""
    columns = {key: array("d") for key in _KEYS}
    for number, raw in whole_lines(lines, file):
        sample = json_object(raw, file, number)
        for key, values in columns.items():
            value = sample.get(key)
            if not is_number(value):
                raise EvidenceError(file, number, f'garbled: "{key}" is not a number')
            if key == "guest_monotonic_seconds" and values and value < values[-1]:
                raise EvidenceError(file, number, "the guest's monotonic clock went back")
            values.append(value)
    return ProgressLog(*(np.array(columns[key]) for key in _KEYS))
