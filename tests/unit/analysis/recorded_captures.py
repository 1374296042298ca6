"""Run directories around the captures in tests/data/pcap: pings are real, the migration is made."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from analysis.evidence.logs import CAPTURE_FILES
from tests.unit.analysis.builder import MIB, RATE, Model, write_lab, write_run, write_sums


def recorded_run(
    project: Path,
    results: Path,
    case: str,
    offsets: Mapping[str, float] | None = None,
    uncertainty: float = 0.0,
) -> Path:
    """Write a results directory with one run whose events are where the recorded case has them."""
    recorded = project / "tests" / "data" / "pcap" / case
    at = json.loads((recorded / "moments.json").read_text())
    threads_mib = max(1, round((at["completed"] - at["resumed"]) * RATE / 8 / MIB))
    model = Model(
        requested_at=at["requested"],
        threads=1,
        thread_mib=threads_mib,
        switchover=at["resumed"] - at["stopped"],
        base_bytes=(at["stopped"] - at["requested"] - 0.1) * RATE / 8 - threads_mib * MIB,
        destination_clock_ahead=(offsets or {}).get("compute2", 0.0),
    )
    write_lab(results, offsets, uncertainty)
    run_dir = write_run(results, model)
    for file in (*CAPTURE_FILES.values(), "prober/ping.log", "prober/ping_fine.log"):
        shutil.copy(recorded / file, run_dir / file)
    write_sums(run_dir)
    return run_dir
