"""The documents of a results directory: study.json, lab.json, and one run.json for each run.

Readers ignore keys that are not here. A field with a default may be missing, as it is in older results
directories.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from contract.choices import Backend, Network, Probes, SwitchoverBy
from contract.downtimes import MaxDowntime, usual_max_downtime_ms
from contract.evidence import LAB_FILE
from contract.fields import EpochSeconds, Name, Number, PositiveNumber
from contract.modes import Mode
from contract.older import SCHEMA
from contract.outcomes import EndedIn, RunOutcome

# Ethernet's (RFC 894), and what every IPv4 host must take (RFC 791).
USUAL_MTU_BYTES, LEAST_MTU_BYTES = 1500, 576


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What one case asks for. Sizes in bytes, rate in bits per second.

    max_downtime_ms: how long the guest may be stopped for at the end of pre-copy; native is what the
    hypervisor, or nova, allows by itself. None, as in older runs, becomes what was usual.
    postcopy_recovery_seconds: for how long a post-copy that lost its connection is waited for; 0 is never.
    Older runs name no network and no probes: they had the plain network and every probe of their time. Those
    of nova do not say who was asked to switch over.
    scale: how many times smaller memory and rate are than those of the study's reference.
    """

    mode: Mode
    flavor: str
    vcpus: int
    ram_bytes: int
    stressor: str | None = None
    stress_threads: int
    stress_thread_bytes: int = 0
    stressed_bytes: int
    pattern_bytes: int = 0
    link_rate: str
    link_rate_bits_per_second: PositiveNumber
    limit_seconds: PositiveNumber
    max_downtime_ms: MaxDowntime | None = None
    postcopy_recovery_seconds: Number = 0
    backend: str
    table: str | None = None
    network: Network = Network.PLAIN
    probes: Probes = Probes.ALL
    switchover_by: SwitchoverBy | None = None
    scale: PositiveNumber = 1

    def __post_init__(self) -> None:
        if self.max_downtime_ms is None:
            object.__setattr__(self, "max_downtime_ms", usual_max_downtime_ms(self.mode, self.backend))
        if self.switchover_by is None and self.backend == Backend.LIBVIRT:
            object.__setattr__(self, "switchover_by", SwitchoverBy.LIBVIRT)

    @property
    def usual_downtime(self) -> bool:
        """Whether the allowed downtime is that of a study that says nothing of it."""
        return self.max_downtime_ms == usual_max_downtime_ms(self.mode, self.backend)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Names of the nodes in their roles."""

    source: str | None = None
    destination: str | None = None
    prober: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """When libvirt gave up a post-copy that lost its connection, and when the guest had arrived for all that.

    Epoch seconds of the source's clock.
    """

    failed_at: EpochSeconds
    recovered_at: EpochSeconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """What the migration's driver saw; epoch seconds of the source's clock.

    max_downtime_ms: what QEMU allowed when the migration was asked for; None where libvirt does not tell.
    """

    requested_at: EpochSeconds
    first_pass_at: EpochSeconds | None = None
    switchover_requested_at: EpochSeconds | None = None
    finished_at: EpochSeconds | None = None
    max_downtime_ms: Number | None = None
    recovery: Recovery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """The guest of a run, before its migration."""

    name: str | None = None
    address: str | None = None
    boot_seconds: Number | None = None
    fill_seconds: Number | None = None
    resident_bytes_before_migration: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Pages of the guest's memory pattern after the migration; None where the guest's answer had no count."""

    pages: int
    bad_pages: int | None = None
    stale_pages: int | None = None
    torn_pages: int | None = None
    generation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """What was looked at after the migration to show the guest intact."""

    checked: bool
    kernel_log_errors: tuple[str, ...] = ()
    stressor_alive: bool | None = None
    stressor_progressing: bool | None = None
    pattern: Pattern | None = None
    alive_on: str | None = None
    absent_on: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchoverCheck:
    """Bytes sent before the switchover against the guest's resident memory: was it one whole pass?

    Of a migration that ended in pre-copy they are all its bytes, and the iteration is its last one.
    """

    bytes_before_switchover: Number
    resident_bytes: Number | None = None
    ratio: Number | None = None
    pass_ratio: Number | None = None
    iteration: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NovaMigration:
    """nova's own record of the migration: made and last changed, in whole seconds."""

    created_at: str | None = None
    updated_at: str | None = None

    @property
    def seconds(self) -> float | None:
        """Between the two; None where one is missing. Raises ValueError for what is no time."""
        if self.created_at is None or self.updated_at is None:
            return None
        try:
            created, updated = (datetime.fromisoformat(time) for time in (self.created_at, self.updated_at))
            return (updated - created).total_seconds()
        except (ValueError, TypeError):
            words = f"{self.created_at!r}, {self.updated_at!r}"
            raise ValueError(f"times that are none: {words}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nova:
    """What nova says of a run of its backend."""

    server_id: str | None = None
    migration: NovaMigration | None = None
    ended_at: EpochSeconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run.json. `session`: of the lab's description; None where sessions were not counted yet.

    `ended_in`: the phase in which the guest moved; None where it did not, and in older runs. `driver` is None
    where the run ended before its migration was asked for.
    """

    schema: Literal[2] = SCHEMA
    study: str | None = None
    lab: str | None = None
    session: int | None = None
    case: str
    repetition: int
    spec: Spec
    outcome: RunOutcome
    cause: str | None = None
    cause_detail: str | None = None
    valid: bool
    invalid_reason: str | None = None
    ended_in: EndedIn | None = None
    nodes: Nodes = field(default_factory=Nodes)
    started_at: EpochSeconds
    finished_at: EpochSeconds
    driver: Driver | None = None
    guest: Guest = field(default_factory=Guest)
    switchover_check: SwitchoverCheck | None = None
    integrity: Integrity | None = None
    steps_seconds: Mapping[str, Number] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    accelerator: str | None = None
    qemu_version: str | None = None
    libvirt_version: str | None = None
    nova: Nova = field(default_factory=Nova)

    @property
    def has_postcopy(self) -> bool:
        """Whether it changed to post-copy, as its mode says; a hybrid migration may have ended before."""
        return self.spec.mode.has_postcopy and not self.ended_early

    @property
    def ended_early(self) -> bool:
        """Whether its mode changes to post-copy, and pre-copy was over before it did."""
        return self.spec.mode.has_postcopy and self.ended_in == EndedIn.PRECOPY

    @property
    def source(self) -> str | None:
        return self.nodes.source

    @property
    def destination(self) -> str | None:
        return self.nodes.destination

    @property
    def prober(self) -> str | None:
        return self.nodes.prober

    @property
    def checked_at(self) -> float | None:
        """When the guest had been looked at, after the quiet seconds: epoch seconds of the prober's clock.

        From then on it may be removed. None where nobody looked.
        """
        finished_at = self.driver.finished_at if self.driver else None
        quiet, check = self.steps_seconds.get("quiet"), self.steps_seconds.get("check")
        if finished_at is None or quiet is None or check is None:
            return None
        return finished_at + quiet + check

    @property
    def nova_record_seconds(self) -> float | None:
        """The migration's time by nova's own record; None where nova has none."""
        return self.nova.migration.seconds if self.nova.migration is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One cell of a study's matrix."""

    case: Name
    spec: Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDescription:
    """The study of a results directory, as far as readers need it. A title of None is the name."""

    name: str
    title: str | None = None
    reference: str | None = None
    repetitions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """study.json: the resolved study and the runs that it plans, in order: (case, repetition)."""

    schema: Literal[2] = SCHEMA
    study: StudyDescription
    cases: tuple[Case, ...] = ()
    order: tuple[tuple[str, int], ...]
    order_seed: int | None = None

    @property
    def name(self) -> str:
        return self.study.name

    @property
    def title(self) -> str:
        return self.study.title or self.study.name

    @property
    def reference(self) -> str | None:
        return self.study.reference

    @property
    def repetitions(self) -> int:
        return self.study.repetitions

    @property
    def specs(self) -> Mapping[str, Spec]:
        """Each case's specification."""
        return {case.case: case.spec for case in self.cases}


@dataclass(frozen=True, slots=True)
class LinkRate:
    """One measured direction of the migration link, in bits per second."""

    source: str
    destination: str
    configured_bits_per_second: PositiveNumber
    measured_bits_per_second: PositiveNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """link.json, as lab.json holds it."""

    measured: tuple[LinkRate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOffset:
    """Node's clock minus the reference node's, in seconds; None where nobody measured it."""

    offset_seconds: Number | None = None
    uncertainty_seconds: Number | None = None
    method: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """Where the lab differs from the article, and what that does to the figures."""

    what: str
    article: str = ""
    pinned: str = ""
    here: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabRecord:
    """lab.json, or the description of an earlier session (lab-NUMBER.json): what really ran.

    Without `session` it is the first one. Without `log_patterns` nova's logs are read by the patterns that
    have the release's name.
    """

    schema: Literal[2] = SCHEMA
    session: int = 1
    lab: str
    release: str
    backend: str
    log_patterns: str = ""
    kit_commit: str | None = None
    nodes: Mapping[str, Mapping[str, Any]]
    link: Link = field(default_factory=Link)
    clock_offsets_seconds: Mapping[str, ClockOffset] = field(default_factory=dict)
    deviations: tuple[Deviation, ...] = ()
    # Earlier labs could not migrate with an encrypted stream.
    migration_stream_tls: bool = False
    written_at: EpochSeconds | None = None
    # Where it was read.
    file: str = LAB_FILE

    @property
    def guest_network(self) -> str | None:
        """Who connects the guests, in words; None where nobody recorded it."""
        told = sorted({node["guest_network"] for node in self.nodes.values() if node.get("guest_network")})
        return " and ".join(told) or None

    @property
    def links(self) -> tuple[LinkRate, ...]:
        return self.link.measured

    def clock_of(self, node: str | None) -> tuple[float, float] | None:
        """(offset, uncertainty) of a node's clock, seconds; None where either was not measured."""
        clock = self.clock_offsets_seconds.get(node or "")
        if clock is None or clock.offset_seconds is None or clock.uncertainty_seconds is None:
            return None
        return clock.offset_seconds, clock.uncertainty_seconds

    def mtu_bytes(self, node: str | None, interface: str) -> int:
        """The largest IP packet of a node's interface; Ethernet's 1500 where lab.json does not have it."""
        mtus = self.nodes.get(node or "", {}).get("mtu_bytes")
        found = mtus.get(interface) if isinstance(mtus, Mapping) else None
        return found if isinstance(found, int) and LEAST_MTU_BYTES <= found <= 65535 else USUAL_MTU_BYTES

    def measured_rate(
        self, source: str | None, destination: str | None, configured_bits_per_second: float
    ) -> float | None:
        """The measured rate (bits per second) of one direction shaped to this rate, None if not measured."""
        for link in self.links:
            if (link.source, link.destination, link.configured_bits_per_second) == (
                source,
                destination,
                configured_bits_per_second,
            ):
                return link.measured_bits_per_second
        return None
