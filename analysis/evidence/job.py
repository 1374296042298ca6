"""job.jsonl: libvirt's job statistics as they are, 20 times a second."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from analysis.evidence.errors import EvidenceError
from analysis.evidence.lines import check_order, checked_time, is_number, json_object, json_rows
from contract.fields import EpochSeconds


class _Statistics(msgspec.Struct, gc=False):
    """libvirt's VIR_DOMAIN_JOB_* names, NaN where missing. Sizes in bytes, dirty rate in pages per second."""

    data_processed: float = math.nan
    memory_processed: float = math.nan
    memory_remaining: float = math.nan
    memory_iteration: float = math.nan
    memory_dirty_rate: float = math.nan


class _Sample(msgspec.Struct):
    t: EpochSeconds
    job: _Statistics


_decoder = msgspec.json.Decoder(_Sample)


@dataclass(frozen=True)
class JobLog:
    """Statistics over time (epoch seconds of the node's clock); NaN where libvirt did not give a value."""

    time: NDArray[np.float64]
    memory_processed_bytes: NDArray[np.float64]
    iteration: NDArray[np.float64]
    dirty_rate_pages_per_second: NDArray[np.float64]
    last: Mapping[str, Any]


def parse_job(lines: Iterable[bytes], file: str) -> JobLog:
    """Parse the samples; an empty file is a source that never had a job and gives empty arrays."""
    times: list[float] = []
    jobs: list[_Statistics] = []
    last: Mapping[str, Any] = {}
    for first, block, samples in json_rows(lines, file, _decoder, _check):
        times += [sample.t for sample in samples]
        jobs += [sample.job for sample in samples]
        known = [index for index, sample in enumerate(samples) if not math.isnan(sample.job.memory_processed)]
        if known:
            line = block.split(b"\n")[known[-1]]
            last = json_object(line, file, first + known[-1])["job"]
    check_order(np.array(times), file)
    return JobLog(
        time=np.array(times),
        memory_processed_bytes=np.array([job.memory_processed for job in jobs]),
        iteration=np.array([job.memory_iteration for job in jobs]),
        dirty_rate_pages_per_second=np.array([job.memory_dirty_rate for job in jobs]),
        last=last,
    )


def _check(sample: Mapping[str, Any], file: str, number: int) -> None:
    checked_time(sample, file, number)
    job = sample.get("job")
    if type(job) is not dict:
        raise EvidenceError(file, number, 'garbled: "job" is not an object')
    for key in _Statistics.__struct_fields__:
        if key in job and not is_number(job[key]):
            raise EvidenceError(file, number, f'garbled: "{key}" is not a number')
