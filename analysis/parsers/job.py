"""job.jsonl: libvirt's job statistics as they are, 20 times a second."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import EvidenceError
from analysis.parsers.lines import is_number, json_samples

# libvirt's VIR_DOMAIN_JOB_* names. Times in ms, sizes in bytes, memory_bps in bytes per second,
# memory_dirty_rate in pages per second.
_KEYS = ("data_processed", "memory_processed", "memory_remaining", "memory_iteration", "memory_dirty_rate")


@dataclass(frozen=True)
class JobLog:
    """Statistics over time (epoch seconds of the node's clock); NaN where libvirt did not give a value."""

    time: NDArray[np.float64]
    data_processed_bytes: NDArray[np.float64]
    memory_processed_bytes: NDArray[np.float64]
    memory_remaining_bytes: NDArray[np.float64]
    iteration: NDArray[np.float64]
    dirty_rate_pages_per_second: NDArray[np.float64]
    last: Mapping[str, Any]


def parse_job(lines: Iterable[bytes], file: str) -> JobLog:
    """Parse the samples; an empty file is a source that never had a job and gives empty arrays."""
    times = array("d")
    columns = {key: array("d") for key in _KEYS}
    last: Mapping[str, Any] = {}
    for number, time, sample in json_samples(lines, file):
        job = sample.get("job")
        if not isinstance(job, dict):
            raise EvidenceError(file, number, 'garbled: "job" is not an object')
        times.append(time)
        for key, values in columns.items():
            value = job.get(key)
            values.append(value if is_number(value) else np.nan)
        if "memory_processed" in job:
            last = job
    return JobLog(
        time=np.array(times),
        data_processed_bytes=np.array(columns["data_processed"]),
        memory_processed_bytes=np.array(columns["memory_processed"]),
        memory_remaining_bytes=np.array(columns["memory_remaining"]),
        iteration=np.array(columns["memory_iteration"]),
        dirty_rate_pages_per_second=np.array(columns["memory_dirty_rate"]),
        last=last,
    )
