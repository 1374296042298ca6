"""One migration of a fresh guest on bare QEMU, and the verdict on its memory."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from integrity_guest import AgentError, ask, damage_in, reachable
from integrity_qemu import Machine, Qemu, QemuError, free_port, wait_until

BOOT_SECONDS = 60.0
FILL_SECONDS = 60.0
MIGRATION_SECONDS = 120.0
POLL_SECONDS = 0.02
# Damage shows within seconds: the kernel stumbles over it as it goes on working.
WATCH_SECONDS = 4.0
# Passes of a pre-copy before it is forced to finish.
PRECOPY_PASSES = 4
FORCED_DOWNTIME_MILLISECONDS = 60_000


# The stressor that never sleeps: few pages, so that all of them stay in the emulated TLB.
REWRITTEN_PAGES = 64
REWRITE_SECONDS = 3.0


@dataclass(frozen=True)
class Cell:
    """One combination of the table."""

    suite: str
    accelerator: str
    mode: str
    load: str
    variant: str = "default"


@dataclass(frozen=True)
class Workload:
    workers: int = 1
    stressed_mib: int = 256  # by each worker
    pattern_mib: int = 32
    bandwidth_bytes_per_second: int = 125_000_000


@dataclass
class Outcome:
    """What became of the guest. `verdict` is intact, corrupted or not_judged."""

    verdict: str = "not_judged"
    reasons: list[str] = field(default_factory=list)
    console_damage: list[str] = field(default_factory=list)
    pattern: dict[str, Any] | None = None
    lost_writes: int = 0
    migration: dict[str, Any] = field(default_factory=dict)
    boot_seconds: float | None = None
    total_seconds: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@contextlib.contextmanager
def _pair(machine: Machine, directory: Path) -> Iterator[tuple[Qemu, Qemu]]:
    source = Qemu(machine, directory, "source", free_port())
    destination = Qemu(machine, directory, "destination", free_port())
    try:
        source.start()
        destination.start("-incoming", "defer")
        yield source, destination
    finally:
        source.stop()
        destination.stop()


def _load(port: int, load: str, workload: Workload) -> None:
    if workload.pattern_mib:
        ask(port, f"pattern start {workload.pattern_mib << 20}", 30.0)
    if load == "idle":
        return
    if load == "rewrite":
        ask(port, f"stressor start rewrite 1 {REWRITTEN_PAGES * 4096}")
        time.sleep(REWRITE_SECONDS)
        return
    each = workload.stressed_mib << 20
    ask(port, f"stressor start stress {workload.workers} {each}")

    def filled() -> bool:
        # stress frees its memory and takes it again, each worker at its own time: what each once held counts.
        return int(ask(port, "status")["stressor"]["peak_resident_bytes"]) >= each * workload.workers

    if not wait_until(filled, FILL_SECONDS, 0.02):
        raise AgentError("the stressor never filled its memory")
    time.sleep(0.5)


def _begin(source: Qemu, destination: Qemu, workload: Workload) -> None:
    capabilities = [{"capability": "postcopy-ram", "state": True}]
    for end in (destination, source):
        end.command("migrate-set-capabilities", capabilities=capabilities)
    uri = f"tcp:127.0.0.1:{free_port()}"
    destination.command("migrate-incoming", uri=uri)
    source.command(
        "migrate-set-parameters",
        **{
            "max-bandwidth": workload.bandwidth_bytes_per_second,
            "max-postcopy-bandwidth": workload.bandwidth_bytes_per_second,
            # Never a converged pre-copy by luck: each mode ends as it says.
            "downtime-limit": 1,
        },
    )
    source.command("migrate", uri=uri)


def migrate(source: Qemu, destination: Qemu, mode: str, workload: Workload) -> dict[str, Any]:
    """Migrates and returns query-migrate's last answer with the wall time."""
    begun = time.monotonic()
    _begin(source, destination, workload)
    ended_as_said = False
    # When each synchronisation of the dirty bitmap was first seen:
    # [seconds, dirty-sync-count, transferred bytes].
    syncs: list[list[float]] = []
    while True:
        state: dict[str, Any] = source.command("query-migrate")
        passes = int(state.get("ram", {}).get("dirty-sync-count", 0))
        if "ram" in state and (not syncs or passes != syncs[-1][1]):
            seconds = round(time.monotonic() - begun, 3)
            syncs.append([seconds, passes, int(state["ram"]["transferred"])])
        if state.get("status") in ("completed", "failed", "cancelled"):
            break
        if time.monotonic() - begun > MIGRATION_SECONDS:
            raise QemuError(
                f"the migration did not end: {state.get('status')}, synchronisations {syncs},"
                f" {state.get('ram', {}).get('transferred')} bytes,"
                f" told to end: {ended_as_said}, destination {destination.last_words()!r}"
            )
        if state.get("status") == "active" and not ended_as_said:
            if mode == "precopy" and passes >= PRECOPY_PASSES:
                limit = {"downtime-limit": FORCED_DOWNTIME_MILLISECONDS}
                source.command("migrate-set-parameters", **limit)
                ended_as_said = True
            elif mode == "postcopy" or (mode == "hybrid" and passes >= 2):
                source.command("migrate-start-postcopy")
                ended_as_said = True
        time.sleep(POLL_SECONDS)
    ram = state.get("ram", {})
    return {
        "status": state.get("status"),
        "error": state.get("error-desc"),
        "wall_seconds": round(time.monotonic() - begun, 3),
        "passes": passes,
        "syncs": syncs,
        "transferred_bytes": ram.get("transferred"),
        "precopy_bytes": ram.get("precopy-bytes"),
        "postcopy_bytes": ram.get("postcopy-bytes"),
        "postcopy_requests": ram.get("postcopy-requests"),
        "ended_as_said": ended_as_said,
    }


def _judge(destination: Qemu, load: str, workload: Workload, outcome: Outcome) -> None:
    port = destination.agent_port
    reasons = outcome.reasons
    try:
        before = ask(port, "status")
        time.sleep(WATCH_SECONDS)
        after = ask(port, "status")
        if load != "idle":
            stressor = after["stressor"]
            if not stressor["running"] or stressor["workers_alive"] != stressor["workers_started"]:
                reasons.append("stressor_dead")
            elif stressor["cpu_seconds"] <= before["stressor"]["cpu_seconds"]:
                reasons.append("stressor_stalled")
        if after["kernel_log_errors"]:
            reasons.append("kernel_log")
        if workload.pattern_mib:
            if after["pattern"]["bytes_written"] <= before["pattern"]["bytes_written"]:
                reasons.append("pattern_writer_stalled")
            outcome.pattern = ask(port, "pattern verify", 60.0)
            if outcome.pattern["intact_pages"] != outcome.pattern["pages"]:
                reasons.append("pattern")
    except AgentError as error:
        reasons.append("agent_unreachable")
        outcome.console_damage.append(f"(agent) {error}")
        time.sleep(WATCH_SECONDS)
    console = destination.console.read_text(errors="replace")
    outcome.lost_writes = console.count("guest-agent: corrupted page")
    damage = damage_in(console)
    if damage:
        reasons.append("console")
    outcome.console_damage += damage[:12]
    outcome.verdict = "corrupted" if reasons else "intact"


def run_once(machine: Machine, cell: Cell, workload: Workload, keep_consoles: Path | None = None) -> Outcome:
    """Boots, loads, migrates, judges. Never raises for what a guest or QEMU does."""
    outcome = Outcome()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="integrity-") as name:
        directory = Path(name)
        try:
            with _pair(machine, directory) as (source, destination):
                if not wait_until(lambda: reachable(source.agent_port), BOOT_SECONDS):
                    raise AgentError("the guest did not boot")
                outcome.boot_seconds = round(time.monotonic() - begun, 2)
                _load(source.agent_port, cell.load, workload)
                outcome.migration = migrate(source, destination, cell.mode, workload)
                if outcome.migration["status"] != "completed":
                    raise QemuError(f"migration {outcome.migration['status']}: {destination.last_words()}")
                damaged_before = damage_in(source.console.read_text(errors="replace"))
                if damaged_before:
                    raise AgentError(f"damaged before the switch: {damaged_before[0]}")
                _judge(destination, cell.load, workload, outcome)
        except (AgentError, QemuError) as error:
            outcome.reasons.append(f"not judged: {error}")
        if keep_consoles is not None:
            keep_consoles.mkdir(parents=True, exist_ok=True)
            for end in ("source", "destination"):
                console = directory / f"{end}.console"
                if console.exists():
                    (keep_consoles / f"{end}.log").write_bytes(console.read_bytes())
    outcome.total_seconds = round(time.monotonic() - begun, 1)
    return outcome
