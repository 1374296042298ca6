"""progress.jsonl: how fast the guest itself got on, one sample per 0.1 s of the guest's time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from analysis.evidence.errors import EvidenceError
from analysis.evidence.lines import is_number, json_rows


class _Sample(msgspec.Struct, gc=False):
    guest_epoch_seconds: float
    guest_monotonic_seconds: float
    pattern_bytes_written: float
    stressor_cpu_seconds: float


_decoder = msgspec.json.Decoder(_Sample)


@dataclass(frozen=True)
class ProgressLog:
    """Samples on the guest's clocks: nothing ties them to the nodes' clocks exactly."""

    guest_epoch_seconds: NDArray[np.float64]
    guest_monotonic_seconds: NDArray[np.float64]
    pattern_bytes_written: NDArray[np.float64]
    stressor_cpu_seconds: NDArray[np.float64]


def parse_progress(lines: Iterable[bytes], file: str) -> ProgressLog:
    """Parse the samples; the guest's monotonic clock may not go back. An empty file gives empty arrays."""
    samples = [sample for _, _, block in json_rows(lines, file, _decoder, _check) for sample in block]
    monotonic = np.array([sample.guest_monotonic_seconds for sample in samples])
    back = np.flatnonzero(np.diff(monotonic) < 0)
    if len(back):
        raise EvidenceError(file, int(back[0]) + 2, "the guest's monotonic clock went back")
    return ProgressLog(
        guest_epoch_seconds=np.array([sample.guest_epoch_seconds for sample in samples]),
        guest_monotonic_seconds=monotonic,
        pattern_bytes_written=np.array([sample.pattern_bytes_written for sample in samples]),
        stressor_cpu_seconds=np.array([sample.stressor_cpu_seconds for sample in samples]),
    )


def _check(sample: Mapping[str, Any], file: str, number: int) -> None:
    for key in _Sample.__struct_fields__:
        if not is_number(sample.get(key)):
            raise EvidenceError(file, number, f'garbled: "{key}" is not a number')
