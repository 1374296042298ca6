"""Cases with chosen metrics: a recorded real run with some of its metrics replaced, for rules on many runs.

What a rule says of real runs is tested on the recorded ones; here it is asked about numbers checked by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from analysis.evidence.logs import read_evidence
from analysis.evidence.records import lab_of, read_run
from analysis.reference.claims import Measurements
from analysis.reference.published import load_published
from analysis.run.measure import Measured, measure_run
from analysis.run.metrics import RunMetrics
from analysis.study.cases import CaseSummary, measured_series
from analysis.study.results import RunResult, load_results
from contract.evidence import RUN_FILE
from contract.modes import Mode
from contract.records import LabRecord, LinkRate

RECORDED = Path(__file__).parents[2] / "data" / "results"
PUBLISHED = load_published("icclab-2014")
GIB_OF = {"s": 2, "m": 4, "l": 8, "xl": 16}
MIB = 1 << 20
EPOCH = 1_795_000_000.0


@cache
def recorded_run() -> RunResult:
    """A completed hybrid run that filled its link."""
    runs = load_results(RECORDED / "quick" / "local").runs
    return next(run for run in runs if run.path == "runs/hybrid-s-stress-2x256mib-1gbit/02")


def made_case(
    metrics: Sequence[dict[str, Any]],
    *,
    mode: str = "hybrid",
    flavor: str = "xl",
    stressed_mib: int = 0,
    table: str | None = None,
    rate: float = 1e9,
    outcome: str = "completed",
    network: str = "plain",
) -> CaseSummary:
    """A case with one run per element of `metrics`, which replaces fields of the recorded run's metrics."""
    run = recorded_run()
    assert run.metrics is not None
    spec = replace(
        run.record.spec,
        mode=Mode.named(mode),
        max_downtime_ms=None,
        flavor=flavor,
        ram_bytes=GIB_OF[flavor] << 30,
        stressor="stress" if stressed_mib else None,
        stressed_bytes=stressed_mib * MIB,
        link_rate=f"{rate / 1e9:g}gbit",
        link_rate_bits_per_second=rate,
        table=table,
        network=network,
    )
    name = f"{mode}-{flavor}-{stressed_mib}mib-{rate / 1e9:g}gbit"
    usual = {
        **run.metrics.by_name(),
        "link_rate_bits_per_second": rate,
        "bound_bytes": 2.0 * spec.ram_bytes,
        "bound_seconds": 16.0 * spec.ram_bytes / rate,
    }
    runs = tuple(
        RunResult(
            path=f"runs/{name}/{number:02d}",
            record=replace(
                run.record,
                case=name,
                repetition=number,
                spec=spec,
                outcome=outcome,
                started_at=EPOCH + 3600 * number,
            ),
            metrics=RunMetrics(tuple({**usual, **changed}.values())),
            excluded_because=None,
        )
        for number, changed in enumerate(metrics, start=1)
    )
    return CaseSummary(
        case=name,
        spec=spec,
        planned=len(runs),
        runs=runs,
        counted=tuple(run for run in runs if run.counted),
        not_converged=tuple(run for run in runs if outcome == "not_converged"),
    )


def moved(seconds: float, megabytes: float, rounds: int = 3, **more: Any) -> list[dict[str, Any]]:
    """Figures of several rounds, half a percent apart."""
    factors = [1 + 0.005 * (number - rounds // 2) for number in range(rounds)]
    return [
        {"migration_seconds": seconds * factor, "forward_bytes": megabytes * MIB * factor, **more}
        for factor in factors
    ]


def the_articles_own(
    rounds: int = 3,
    pace: float = 1.0,
    own_seconds: float = 0.0,
    own_megabytes: float = 0.0,
    rate: float = 1e9,
) -> list[CaseSummary]:
    """The article's tables as if they had been measured: each time by `pace`, each case with so much more."""
    cases = [
        made_case(
            moved(row.migration_seconds * pace + own_seconds, row.transferred_mb + own_megabytes, rounds),
            flavor=row.flavor,
            table="table2",
            rate=rate,
        )
        for row in PUBLISHED.unloaded
    ]
    for table, rows in PUBLISHED.stressed.items():
        cases += [
            made_case(
                moved(row.migration_seconds * pace + own_seconds, row.transferred_mb + own_megabytes, rounds),
                stressed_mib=round(row.stressed_mb),
                table=table,
                rate=rate,
            )
            for row in rows
        ]
    return cases


def measurements(cases: Sequence[CaseSummary], *links: LinkRate) -> Measurements:
    """What the rules look at."""
    return Measurements(cases, measured_series(cases), links, PUBLISHED)


def load_measured(directory: Path, path: str, labs: Sequence[LabRecord]) -> Measured:
    """Everything of one run (the walk keeps only its metrics); `path` as in RunResult."""
    record = read_run(directory / path / RUN_FILE)
    lab = lab_of(record, labs)
    return measure_run(record, read_evidence(directory / path, lab.log_patterns, record.nova.server_id), lab)
