"""Hands the files of one run to their parsers: the only reader of raw logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from analysis.evidence.agent_log import AgentLog, parse_agent_log
from analysis.evidence.clock import Exchanges, parse_clock
from analysis.evidence.errors import EvidenceError
from analysis.evidence.events import Event, parse_events
from analysis.evidence.files import RunFiles, verified_files
from analysis.evidence.job import JobLog, parse_job
from analysis.evidence.links import Links, parse_links
from analysis.evidence.nic import NicLog, parse_nic
from analysis.evidence.nova_log import NovaLog, parse_nova_log, patterns_of
from analysis.evidence.pcap import Capture, CutCaptureError, parse_pcap
from analysis.evidence.ping import PingLog, parse_ping
from analysis.evidence.progress import ProgressLog, parse_progress
from analysis.evidence.qemu_migrate import BlockTime, parse_qemu_migrate
from contract.evidence import (
    CAPTURES,
    CLOCK,
    DESTINATION_AGENT_LOG,
    DESTINATION_BLOCK_TIME,
    DESTINATION_EVENTS,
    DESTINATION_LINKS,
    DESTINATION_NIC,
    DESTINATION_NOVA_LOG,
    GUEST_PROGRESS,
    PING,
    PING_FINE,
    SOURCE_EVENTS,
    SOURCE_JOB,
    SOURCE_NIC,
    SOURCE_NOVA_LOG,
)

T = TypeVar("T")

# Where packets to and from the guest were captured, in the order in which a request passes.
CAPTURE_FILES: Mapping[str, str] = {point: file.path for point, file in CAPTURES.items()}


@dataclass(frozen=True)
class Evidence:
    """Parsed logs of one run, counters of its migration interface; what it may lack is None or not there.

    `doubts`: (file, what is wrong with it), of captures that are left out or end too early.
    """

    source_job: JobLog
    source_events: tuple[Event, ...]
    source_nic: NicLog
    destination_events: tuple[Event, ...]
    destination_nic: NicLog
    ping: PingLog
    ping_fine: PingLog | None
    progress: ProgressLog | None
    source_nova: NovaLog | None = None
    destination_nova: NovaLog | None = None
    exchanges: Mapping[str, Exchanges] | None = None
    captures: Mapping[str, Capture] = field(default_factory=dict)
    block_time: BlockTime | None = None
    destination_links: Links | None = None
    destination_agent: AgentLog | None = None
    doubts: tuple[tuple[str, str], ...] = ()


def read_evidence(run_dir: Path, log_patterns: str | None = None, instance: str | None = None) -> Evidence:
    """Verify and parse the logs of a run that migrated; EvidenceError names the first bad file and line.

    nova's logs are read by the patterns of that name; where there are none they are left out.
    """
    files = verified_files(run_dir)
    captures, doubts = _captures(files)
    return Evidence(
        source_job=_parse(files, SOURCE_JOB.path, parse_job),
        source_events=_parse(files, SOURCE_EVENTS.path, parse_events),
        source_nic=_parse(files, SOURCE_NIC.path, parse_nic),
        destination_events=_parse(files, DESTINATION_EVENTS.path, parse_events),
        destination_nic=_parse(files, DESTINATION_NIC.path, parse_nic),
        ping=_parse(files, PING.path, parse_ping),
        ping_fine=_parse_if_there(files, PING_FINE.path, parse_ping),
        progress=_parse_if_there(files, GUEST_PROGRESS.path, parse_progress),
        source_nova=_nova_log(files, SOURCE_NOVA_LOG.path, log_patterns, instance),
        destination_nova=_nova_log(files, DESTINATION_NOVA_LOG.path, log_patterns, instance),
        exchanges=_parse_if_there(files, CLOCK.path, parse_clock),
        captures=captures,
        doubts=doubts,
        block_time=_parse_if_there(files, DESTINATION_BLOCK_TIME.path, parse_qemu_migrate),
        destination_links=_parse_if_there(files, DESTINATION_LINKS.path, parse_links),
        destination_agent=_parse_if_there(files, DESTINATION_AGENT_LOG.path, parse_agent_log),
    )


def _captures(files: RunFiles) -> tuple[Mapping[str, Capture], tuple[tuple[str, str], ...]]:
    """The captures that can be read, and what is wrong with the others: no other figure rests on them."""
    captures: dict[str, Capture] = {}
    doubts: list[tuple[str, str]] = []
    for point, file in CAPTURE_FILES.items():
        if file not in files:
            continue
        try:
            captures[point] = _parse(files, file, parse_pcap)
        except CutCaptureError as error:
            captures[point] = error.whole
            doubts.append((file, f"{error.message}: only those before it are read"))
        except EvidenceError as error:
            doubts.append((file, f"{error.message}: no ping is looked for there"))
    return captures, tuple(doubts)


def _nova_log(files: RunFiles, file: str, log_patterns: str | None, instance: str | None) -> NovaLog | None:
    if log_patterns is None or patterns_of(log_patterns) is None:
        return None
    return _parse_if_there(files, file, lambda lines, _file: parse_nova_log(lines, log_patterns, instance))


def _parse(files: RunFiles, file: str, parser: Callable[[Iterable[bytes], str], T]) -> T:
    with files.open(file) as content:
        return parser(content, file)


def _parse_if_there(files: RunFiles, file: str, parser: Callable[[Iterable[bytes], str], T]) -> T | None:
    return _parse(files, file, parser) if file in files else None
