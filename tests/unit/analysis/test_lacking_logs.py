"""Logs that are there and tell too little: what rests on them is unknown or bounded, and said to be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.run.metrics import RunMetrics
from analysis.study.results import NOTED, load_results
from tests.unit.analysis.builder import Model, write_study, write_sums

MODEL = Model(threads=1)


def changed(
    directory: Path, file: str, change: Callable[[bytes], bytes], model: Model = MODEL
) -> tuple[RunMetrics, dict[str, str]]:
    """The metrics of a run of which one file was changed, and its warnings by file."""
    write_study(directory, [(model, 1)])
    run_dir = directory / "runs" / model.case / "01"
    path = run_dir / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(change(path.read_bytes() if path.exists() else b""))
    write_sums(run_dir)
    results = load_results(directory, workers=1)
    assert {notice.effect for notice in results.notices} <= {NOTED}
    (run,) = results.runs
    assert run.metrics is not None
    prefix = f"runs/{model.case}/01/"
    return run.metrics, {notice.file.removeprefix(prefix): notice.message for notice in results.notices}


def without(key: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        record: dict[str, Any] = json.loads(content)
        return json.dumps({**record, "driver": {**record["driver"], key: None}}).encode()

    return change


def test_a_driver_that_never_said_when_it_was_done(tmp_path: Path) -> None:
    """The run's own end, after quiet seconds and checks, is no end of a migration."""
    metrics, warnings = changed(tmp_path, "run.json", without("finished_at"))
    assert metrics.migration_seconds == pytest.approx(metrics.migration_seconds_libvirt, abs=0.01)
    assert warnings["run.json"].startswith('"driver.finished_at" is missing')


def test_job_statistics_without_a_sample(tmp_path: Path) -> None:
    metrics, warnings = changed(tmp_path, "source/job.jsonl", lambda _content: b"")
    assert metrics.dirty_rate_bytes_per_second is None
    assert warnings == {"source/job.jsonl": "empty: the dirty rate is not known"}


def test_job_statistics_of_an_endless_migration_that_end_early(tmp_path: Path) -> None:
    def first_part(content: bytes) -> bytes:
        return b"".join(content.splitlines(keepends=True)[:40])

    endless = Model(mode="precopy", outcome="not_converged", cause="limit")
    metrics, warnings = changed(tmp_path, "source/job.jsonl", first_part, endless)
    assert metrics.forward_bytes_libvirt is not None
    assert metrics.forward_bytes_libvirt < metrics.forward_bytes / 2
    words = "s before the migration was aborted: more was transferred than it says"
    assert words in warnings["source/job.jsonl"]


def test_a_migration_over_an_interface_that_nobody_watched(tmp_path: Path) -> None:
    """As where nova has no migration address: the memory goes over another network."""

    def a_part(content: bytes) -> bytes:
        rows = [json.loads(line) for line in content.splitlines()]
        for row in rows:
            row["tx_bytes"] = round(1e6 + (row["tx_bytes"] - 1e6) * 0.6)
        return "".join(json.dumps(row) + "\n" for row in rows).encode()

    _, warnings = changed(tmp_path, "source/nic.jsonl", a_part)
    assert (
        "that QEMU sent: the rest went over an interface that is not watched" in warnings["source/nic.jsonl"]
    )


def test_a_guest_that_wrote_no_pattern_is_said_to_tell_nothing(tmp_path: Path) -> None:
    sample = {
        "guest_epoch_seconds": MODEL.requested_at,
        "guest_monotonic_seconds": 10.0,
        "pattern_bytes_written": 4096,
        "stressor_cpu_seconds": 0.5,
    }
    lines = [json.dumps({**sample, "guest_monotonic_seconds": 10.0 + step / 10}) for step in range(90)]
    metrics, warnings = changed(
        tmp_path, "guest/progress.jsonl", lambda _content: ("\n".join(lines) + "\n").encode()
    )
    assert metrics.guest_speed_postcopy is None
    what = "shows no pattern being written: how fast the guest was is not known"
    assert warnings == {"guest/progress.jsonl": what}


@pytest.mark.parametrize(
    ("seconds", "when"),
    [(range(-1, 4), "after"), (range(4, 14), "before"), (range(2, 4), "before and after")],
)
def test_exchanges_that_do_not_reach_over_the_migration(tmp_path: Path, seconds: range, when: str) -> None:
    rows = [
        {
            "t": MODEL.requested_at + second,
            "node": node,
            "sent_at": MODEL.requested_at + second,
            "received_at": MODEL.requested_at + second + 0.0002,
            "answered_at": MODEL.requested_at + second + 0.0003,
            "returned_at": MODEL.requested_at + second + 0.0005,
        }
        for second in seconds
        for node in ("compute1", "compute2")
    ]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    _, warnings = changed(tmp_path, "prober/clock.jsonl", lambda _content: content)
    what = f"no exchange with compute2 {when} the migration: its clock is carried on from the rest"
    assert warnings == {"prober/clock.jsonl": what}
