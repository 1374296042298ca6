"""Small hand-made results directories, for what recorded runs cannot show (damage, clocks, many repetitions).

The logs follow a simple model: one pass of pre-copy and one of post-copy at the link's rate. Nothing here
pretends to be a measurement; tests on what real logs look like use the recorded runs in tests/data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

MIB = 1 << 20
RATE = 940e6
EPOCH = 1_795_000_000.0


@dataclass(frozen=True)
class Model:
    """One imagined migration. Times in seconds after the request."""

    mode: str = "hybrid"
    flavor: str = "s"
    threads: int = 2
    thread_mib: int = 256
    table: str | None = "table3"
    outcome: str = "completed"
    cause: str | None = None
    requested_at: float = EPOCH
    setup: float = 0.1
    switchover: float = 0.08
    base_bytes: float = 120e6
    lost_after_switchover: int = 3
    lost_in_precopy: int = 0
    destination_clock_ahead: float = 0.0
    prober_clock_ahead: float = 0.0
    valid: bool = True
    limit: float = 30.0
    quiet: float = 2.0
    native_downtime: bool = False
    ended_early: bool = False
    # Who was asked, in a run of nova's.
    switchover_by: str | None = None

    @property
    def case(self) -> str:
        load = f"stress-{self.threads}x{self.thread_mib}mib" if self.threads else "unloaded"
        downtime = "-native-downtime" if self.native_downtime else ""
        asked = "-nova-switchover" if self.switchover_by == "nova" else ""
        return f"{self.mode}-{self.flavor}-{load}-1gbit{downtime}{asked}"

    @property
    def has_postcopy(self) -> bool:
        return self.mode != "precopy" and not self.ended_early

    @property
    def stressed(self) -> int:
        return self.threads * self.thread_mib * MIB

    @property
    def spec(self) -> dict[str, Any]:
        gib = {"s": 2, "m": 4, "l": 8, "xl": 16}[self.flavor]
        return {
            "mode": self.mode,
            "flavor": self.flavor,
            "vcpus": gib // 2,
            "ram_bytes": gib << 30,
            "stressor": "stress" if self.threads else None,
            "stress_threads": self.threads,
            "stress_thread_bytes": self.thread_mib * MIB if self.threads else 0,
            "stressed_bytes": self.stressed,
            "pattern_bytes": 32 * MIB,
            "link_rate": "1gbit",
            "link_rate_bits_per_second": 10**9,
            "limit_seconds": self.limit,
            "backend": "libvirt",
            "table": self.table,
            **({"max_downtime_ms": "native"} if self.native_downtime else {}),
            **({"switchover_by": self.switchover_by} if self.switchover_by else {}),
        }

    @property
    def stopped(self) -> float:
        """When the source stops, seconds after the request."""
        if self.outcome == "not_converged":
            return self.limit
        return self.setup + (self.base_bytes + self.stressed) * 8 / RATE

    @property
    def completed(self) -> float:
        if self.outcome == "not_converged" or not self.has_postcopy:
            return self.stopped + (self.switchover if self.outcome == "completed" else 0)
        return self.stopped + self.switchover + self.stressed * 8 / RATE

    def sent(self, after: float) -> float:
        """Bytes sent up to a moment."""
        first = min(max(after - self.setup, 0), self.stopped - self.setup)
        second = min(
            max(after - self.stopped - self.switchover, 0),
            max(self.completed - self.stopped - self.switchover, 0),
        )
        return (first + second) * RATE / 8

    def requested_pages(self, after: float) -> float:
        """Bytes of page requests up to a moment, beyond acknowledgements."""
        if not self.has_postcopy:
            return 0.0
        return max(min(after, self.completed) - self.stopped - self.switchover, 0) * 20_000


def _json_lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def nic_rows(model: Model, source: bool) -> list[dict[str, Any]]:
    """Counters at 20 Hz from one second before the request until the quiet time is over."""
    ahead = 0.0 if source else model.destination_clock_ahead
    rows = []
    for index in range(int((model.completed + model.quiet + 1.0) * 20) + 1):
        after = index / 20 - 1.0
        forward, packets = model.sent(after), int(model.sent(after) / 1514)
        backward = 66 * packets + model.requested_pages(after)
        sent, received = (forward, backward) if source else (backward, forward)
        rows.append(
            {
                "t": model.requested_at + after + ahead,
                "interface": "migration0",
                "tx_bytes": round(1e6 + sent),
                "rx_bytes": round(2e6 + received),
                "tx_packets": round(100 + packets),
                "rx_packets": round(100 + packets),
            }
        )
    return rows


def with_summary(lines: list[str]) -> list[str]:
    """The lines of a ping's requests with the summary that ping would have printed."""
    sent = [line for line in lines if "icmp_seq=" in line]
    answered = sum("bytes from" in line for line in sent)
    summary = f"{len(sent)} packets transmitted, {answered} received, 0% packet loss, time 1000ms"
    return [*lines, "", "--- 10.91.2.100 ping statistics ---", summary]


def ping_lines(model: Model, period: float = 0.1) -> Iterator[str]:
    """The requests that ping -D -O tells of, with pings lost in pre-copy and from the switchover on."""
    yield "PING 10.91.2.100 (10.91.2.100) 56(84) bytes of data."
    first_lost = model.stopped
    lost_until = first_lost + model.lost_after_switchover * period
    precopy = model.setup + 0.5
    for index in range(int((model.completed + model.quiet + 1.0) / period)):
        after = index * period - 1.0 + 0.013
        stamp = model.requested_at + after + model.prober_clock_ahead
        in_precopy = precopy <= after < precopy + model.lost_in_precopy * period
        if in_precopy or (model.outcome != "not_converged" and first_lost <= after < lost_until):
            yield f"[{stamp + period:.6f}] no answer yet for icmp_seq={(index + 1) % 65536}"
        else:
            sequence = (index + 1) % 65536
            yield f"[{stamp + 0.0012:.6f}] 64 bytes from 10.91.2.100: icmp_seq={sequence} ttl=64 time=1.20 ms"


def _ping_log(model: Model, period: float) -> bytes:
    return "".join(line + "\n" for line in with_summary(list(ping_lines(model, period)))).encode()


def _events(model: Model) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    def at(after: float) -> float:
        return model.requested_at + after

    job = {
        "time_elapsed": round(model.completed * 1000),
        "downtime": 12,
        "memory_processed": round(model.sent(model.completed) * 0.96),
        "memory_iteration": 2,
        "memory_bps": 118_000_000,
        "memory_postcopy_requests": 170 if model.has_postcopy else 0,
    }
    source: list[dict[str, Any]] = [
        {"t": at(0), "event": "driver", "name": "requested"},
        {"t": at(model.setup), "event": "migration-iteration", "iteration": 1},
    ]
    destination: list[dict[str, Any]] = []
    if model.outcome == "not_converged":
        source += [
            {"t": at(2.0 + number * 5), "event": "migration-iteration", "iteration": number + 2}
            for number in range(5)
        ]
        return source, destination
    detail = "POSTCOPY" if model.has_postcopy else "MIGRATED"
    if model.mode == "hybrid":
        source.append({"t": at(model.stopped - 0.05), "event": "migration-iteration", "iteration": 2})
    source += [
        {"t": at(model.stopped), "event": "lifecycle", "name": "SUSPENDED", "detail": detail},
        {"t": at(model.completed), "event": "job-completed", "job": job},
        {"t": at(model.completed + 0.02), "event": "lifecycle", "name": "STOPPED", "detail": "MIGRATED"},
    ]
    ahead = model.destination_clock_ahead
    destination = [
        {"t": at(0.05) + ahead, "event": "lifecycle", "name": "STARTED", "detail": "MIGRATED"},
        {
            "t": at(model.stopped + model.switchover) + ahead,
            "event": "lifecycle",
            "name": "RESUMED",
            "detail": detail,
        },
    ]
    return source, destination


def run_record(model: Model, repetition: int) -> dict[str, Any]:
    """What run.json holds."""
    damaged = model.cause == "guest_corrupted"
    finished = model.requested_at + model.completed + 0.1
    return {
        "schema": 2,
        "study": "made",
        "lab": "local",
        "case": model.case,
        "repetition": repetition,
        "spec": model.spec,
        "outcome": model.outcome,
        "cause": model.cause,
        "cause_detail": "BUG: Bad page map in process stress" if damaged else None,
        "valid": model.valid,
        "ended_in": "precopy" if model.ended_early else None,
        "invalid_reason": None if model.valid else "switched before one whole pass",
        "nodes": {"source": "compute1", "destination": "compute2", "prober": "controller"},
        "started_at": model.requested_at - 6,
        "finished_at": finished + 5,
        "driver": {
            "requested_at": model.requested_at,
            "first_pass_at": None,
            "switchover_requested_at": None,
            "finished_at": finished,
            "max_downtime_ms": 300 if model.native_downtime else None,
        },
        "guest": {
            "name": "postcopy-lab-s",
            "address": "10.91.2.100",
            "boot_seconds": 3.5,
            "fill_seconds": 2.0,
            "resident_bytes_before_migration": model.base_bytes + model.stressed,
        },
        "switchover_check": {
            "bytes_before_switchover": model.sent(model.stopped),
            "resident_bytes": model.base_bytes + model.stressed,
            "ratio": model.sent(model.stopped) / (model.base_bytes + model.stressed),
        }
        if model.mode == "hybrid"
        else None,
        "integrity": {
            "checked": model.outcome != "failed" or damaged,
            "kernel_log_errors": ["BUG: Bad page map in process stress"] if damaged else [],
            "stressor_alive": None if not model.threads else not damaged,
            "stressor_progressing": None if not model.threads else not damaged,
            "pattern": {
                "pages": 8192,
                "bad_pages": 3 if damaged else 0,
                "stale_pages": 0,
                "torn_pages": 0,
                "generation": 90,
            },
            "alive_on": "compute1" if model.outcome == "not_converged" else "compute2",
            "absent_on": "compute2" if model.outcome == "not_converged" else "compute1",
        },
        "steps_seconds": {"boot": 3.5, "fill": 2.0, "migrate": model.completed + 0.1},
        "warnings": [],
        "accelerator": "tcg",
        "qemu_version": "10.0.6",
        "libvirt_version": "11.3.0",
    }


def write_run(results: Path, model: Model, repetition: int = 1) -> Path:
    """Write one run directory with its checksums."""
    run_dir = results / "runs" / model.case / f"{repetition:02d}"
    source, destination = _events(model)
    passes = 3 if model.outcome == "not_converged" else 1
    job = [
        {"t": row["t"], "job": {"memory_processed": row["tx_bytes"] - 10**6, "memory_iteration": passes}}
        for row in nic_rows(model, source=True)[20::4]
    ]
    files = {
        "source/job.jsonl": _json_lines(job),
        "source/events.jsonl": _json_lines(source),
        "source/nic.jsonl": _json_lines(nic_rows(model, source=True)),
        "destination/events.jsonl": _json_lines(destination),
        "destination/nic.jsonl": _json_lines(nic_rows(model, source=False)),
        "prober/ping.log": _ping_log(model, 0.1),
        "prober/ping_fine.log": _ping_log(model, 0.01),
    }
    for name, content in files.items():
        (run_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (run_dir / name).write_bytes(content)
    write_sums(run_dir)
    (run_dir / "run.json").write_text(json.dumps(run_record(model, repetition)))
    return run_dir


def write_sums(run_dir: Path) -> None:
    """Renew SHA256SUMS, for a test that damages a log's content but not its checksum."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(run_dir).as_posix()}\n"
        for path in sorted(run_dir.rglob("*"))
        if path.is_file() and path.name not in ("SHA256SUMS", "run.json")
    ]
    (run_dir / "SHA256SUMS").write_text("".join(lines))


def write_lab(results: Path, offsets: Mapping[str, float] | None = None, uncertainty: float = 0.0) -> None:
    """Write lab.json."""
    offsets = offsets or {"controller": 0.0, "compute1": 0.0, "compute2": 0.0}
    links = [
        {
            "source": source,
            "destination": destination,
            "configured_bits_per_second": 1e9,
            "measured_bits_per_second": RATE,
            "measured_at": EPOCH,
        }
        for source, destination in (("compute1", "compute2"), ("compute2", "compute1"))
    ]
    node = {
        "groups": ["lab", "compute"],
        "kernel": "6.12",
        "os": "Debian 13",
        "cpus": 2,
        "memory_bytes": 24 << 30,
        "qemu_version": "10.0.6",
        "libvirt_version": "11.3.0",
        "accelerator": "tcg",
        "packages": {},
    }
    lab = {
        "schema": 2,
        "lab": "local",
        "release": "epoxy",
        "backend": "libvirt",
        "kit_commit": "0123456789abcdef",
        "nodes": dict.fromkeys(("controller", "compute1", "compute2"), node),
        "link": {"schema": 1, "measured": links},
        "clock_offsets_seconds": {
            name: {"offset_seconds": offset, "uncertainty_seconds": uncertainty, "method": "same kernel"}
            for name, offset in offsets.items()
        },
        "deviations": [
            {
                "what": "QEMU",
                "article": "2.1.5 wp3",
                "here": "10.0.6",
                "effect": "other defaults of the migration",
            }
        ],
    }
    results.mkdir(parents=True, exist_ok=True)
    (results / "lab.json").write_text(json.dumps(lab))


def write_study(results: Path, runs: list[tuple[Model, int]], reference: str | None = "icclab-2014") -> Path:
    """Write a whole results directory: each model with its number of repetitions."""
    write_lab(results)
    for model, repetitions in runs:
        for number in range(1, repetitions + 1):
            # Repetitions that differ a little, like real ones.
            write_run(results, replace(model, base_bytes=model.base_bytes * (1 + 0.01 * number)), number)
    study = {
        "schema": 2,
        "study": {
            "name": "made",
            "title": "Hand-made results",
            "reference": reference,
            "repetitions": max(count for _, count in runs),
        },
        "cases": [{"case": model.case, "spec": model.spec} for model, _ in runs],
        "order": [[model.case, number] for model, count in runs for number in range(1, count + 1)],
        "order_seed": 2014,
    }
    (results / "study.json").write_text(json.dumps(study))
    return results
