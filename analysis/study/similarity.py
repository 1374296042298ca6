"""Cases of a scaled study at the size of what they stand for.

Time is data over rate. A link k times slower and memory k times smaller keep each time, and with it what a
guest dirties while it is sent. So bytes and rates times k are those of the published size, and times are as
measured. What does not scale with the memory (the guest's own kernel, a cloud's work) is k times too large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import median

from analysis.evidence.errors import InputError
from analysis.evidence.units import MIB
from analysis.run.formatter import BITS_PER_SECOND, BYTES, BYTES_PER_SECOND
from analysis.run.metrics import METRICS, RunMetrics
from analysis.study.cases import CaseSummary
from analysis.study.results import Results, RunResult
from contract.records import LinkRate, Spec

_SCALED = (BYTES, BYTES_PER_SECOND, BITS_PER_SECOND)
# Where so much of the stressed memory is sent again, a slower link would send no more.
_ALL_AGAIN = 0.95
# A guest that has the time to write its memory so many times will have written all of it.
_TIMES_OVER = 3


@dataclass(frozen=True)
class ScaleProbe:
    """What a probe of a lab showed.

    `sent_again`: share of the stressed memory that was sent a second time, since the guest had written it
    again while it was sent once. `scale`: how many times slower the link must be for all of it to be.
    """

    sent_again: float
    scale: int

    @property
    def words(self) -> str:
        """What was measured and what follows, one sentence each."""
        measured = f"Of the stressed memory {self.sent_again:.2f} was written again while it was sent once."
        if self.scale == 1:
            return f"{measured} The lab needs no scale."
        return f"{measured} Scale {self.scale}: the guest then has the time to write it {_TIMES_OVER} times."


def read_probe(results: Results) -> ScaleProbe:
    """The scale that the runs of a probe ask for: guests of one flavor with stressed memory and without.

    Raises:
        InputError: one of the two is missing, or sent nothing again.
    """
    sent: dict[int, list[float]] = {}
    for run in results.runs:
        if run.counted and run.metrics is not None and run.metrics.forward_bytes is not None:
            sent.setdefault(run.record.spec.stressed_bytes, []).append(run.metrics.forward_bytes)
    stressed_bytes = max(sent, default=0)
    if not stressed_bytes or 0 not in sent:
        raise InputError(
            f"{results.directory}: no good run with stressed memory and without, which tell a scale"
        )
    again = (median(sent[stressed_bytes]) - median(sent[0])) / stressed_bytes - 1
    if again <= 0:
        raise InputError(f"{results.directory}: sent no stressed memory again, which tells no scale")
    return ScaleProbe(again, 1 if again >= _ALL_AGAIN else math.ceil(_TIMES_OVER / again))


def at_published_size(case: CaseSummary) -> CaseSummary:
    """The case with its bytes and rates times its scale; the case itself where that is 1."""
    if case.spec.scale == 1:
        return case
    return replace(
        case,
        spec=_spec(case.spec),
        runs=tuple(_run(run) for run in case.runs),
        counted=tuple(_run(run) for run in case.counted),
        not_converged=tuple(_run(run) for run in case.not_converged),
    )


def link_at_published_size(link: LinkRate, scale: float) -> LinkRate:
    """A measured link with its rates times the scale."""
    return replace(
        link,
        configured_bits_per_second=link.configured_bits_per_second * scale,
        measured_bits_per_second=link.measured_bits_per_second * scale,
    )


def _run(run: RunResult) -> RunResult:
    scale = run.record.spec.scale
    metrics = run.metrics
    if metrics is not None:
        values = metrics.by_name().items()
        metrics = RunMetrics(
            tuple(
                value * scale if value is not None and METRICS[name].unit in _SCALED else value
                for name, value in values
            )
        )
    return replace(run, record=replace(run.record, spec=_spec(run.record.spec)), metrics=metrics)


def _spec(spec: Spec) -> Spec:
    scale = spec.scale
    rate = spec.link_rate_bits_per_second * scale
    return replace(
        spec,
        ram_bytes=round(spec.ram_bytes * scale),
        stress_thread_bytes=_whole_mib(spec.stress_thread_bytes * scale),
        stressed_bytes=spec.stress_threads * _whole_mib(spec.stress_thread_bytes * scale),
        link_rate=f"{rate / 1e9:g}gbit",
        link_rate_bits_per_second=rate,
        scale=1,
    )


def _whole_mib(size_bytes: float) -> int:
    """A study says whole MiB; scaled down they were cut to whole pages."""
    return round(size_bytes / MIB) * MIB
