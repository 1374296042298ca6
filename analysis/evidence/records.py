"""run.json, study.json and lab.json: what was asked, what came out, and what it ran on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from analysis.evidence.errors import EvidenceError
from analysis.evidence.fields import Fields, read_document
from contract.choices import Network, Probes
from contract.modes import Mode
from contract.outcomes import GOOD_OUTCOMES, RunOutcome

# Ethernet's (RFC 894), and what every IPv4 host must take (RFC 791).
USUAL_MTU_BYTES, LEAST_MTU_BYTES = 1500, 576


@dataclass(frozen=True, slots=True)
class Spec:
    """What one case asks for. Sizes in bytes, rate in bits per second."""

    mode: Mode
    flavor: str
    vcpus: int
    ram_bytes: int
    stressor: str | None
    stress_threads: int
    stress_thread_bytes: int
    stressed_bytes: int
    pattern_bytes: int
    link_rate: str
    link_rate_bits_per_second: float
    limit_seconds: float
    backend: str
    table: str | None
    network: str
    probes: str


@dataclass(frozen=True, slots=True)
class Driver:
    """What the migration's driver saw; epoch seconds of the source's clock."""

    requested_at: float
    first_pass_at: float | None
    switch_requested_at: float | None
    finished_at: float | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """Pages of the guest's memory pattern after the migration; None where the guest's answer had no count."""

    pages: int
    bad_pages: int | None
    stale_pages: int | None
    torn_pages: int | None


@dataclass(frozen=True, slots=True)
class Integrity:
    """What was looked at after the migration to show the guest intact."""

    checked: bool
    kernel_log_errors: tuple[str, ...]
    stressor_alive: bool | None
    stressor_progressing: bool | None
    pattern: Pattern | None
    alive_on: str | None
    absent_on: str | None


@dataclass(frozen=True, slots=True)
class SwitchCheck:
    """Bytes sent before the switch against the guest's resident memory: was it one whole pass?"""

    bytes_before_switch: float
    resident_bytes: float | None
    ratio: float | None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run.json. `session`: of the lab's description; None where sessions were not counted yet."""

    session: int | None
    case: str
    repetition: int
    spec: Spec
    outcome: str
    cause: str | None
    cause_detail: str | None
    valid: bool
    invalid_reason: str | None
    source: str | None
    destination: str | None
    prober: str | None
    started_at: float
    finished_at: float
    driver: Driver | None
    resident_bytes: float | None
    boot_seconds: float | None
    fill_seconds: float | None
    switch_check: SwitchCheck | None
    integrity: Integrity | None
    steps_seconds: Mapping[str, float]
    warnings: tuple[str, ...]
    accelerator: str | None
    qemu_version: str | None
    libvirt_version: str | None
    nova_server_id: str | None
    nova_ended_at: float | None
    nova_record_seconds: float | None


@dataclass(frozen=True)
class StudyRecord:
    """study.json: the resolved study and the runs that it plans, in order."""

    name: str
    title: str
    reference: str | None
    repetitions: int
    order: tuple[tuple[str, int], ...]
    specs: Mapping[str, Mapping[str, Any]]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class LinkRate:
    """One measured direction of the migration link, in bits per second."""

    source: str
    destination: str
    configured_bits_per_second: float
    measured_bits_per_second: float


@dataclass(frozen=True)
class ClockOffset:
    """Node's clock minus the reference node's, in seconds; None where nobody measured it."""

    offset_seconds: float | None
    uncertainty_seconds: float | None
    method: str


@dataclass(frozen=True)
class Deviation:
    """Where the lab differs from the article, and what that does to the figures."""

    what: str
    article: str
    pinned: str
    here: str
    effect: str


@dataclass(frozen=True)
class LabRecord:
    """lab.json, or the description of an earlier session (lab-NUMBER.json): what really ran."""

    file: str
    session: int
    lab: str
    release: str
    backend: str
    log_patterns: str
    kit_commit: str | None
    nodes: Mapping[str, Mapping[str, Any]]
    links: tuple[LinkRate, ...]
    clock_offsets: Mapping[str, ClockOffset]
    deviations: tuple[Deviation, ...]

    def clock_of(self, node: str | None) -> tuple[float, float] | None:
        """(offset, uncertainty) of a node's clock, seconds; None where either was not measured."""
        clock = self.clock_offsets.get(node or "")
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


def read_run(path: Path, file: str = "run.json") -> RunRecord:
    """Read run.json; EvidenceError names what is wrong."""
    run = read_document(path, file)
    outcome = run.text("outcome", tuple(RunOutcome))
    nodes = run.child_or_none("nodes")
    guest = run.child_or_none("guest")
    driver = _driver(run.child_or_none("driver"))
    nova = run.child_or_none("nova")
    if driver is None and outcome in GOOD_OUTCOMES:
        raise EvidenceError(file, None, f'"driver.requested_at" missing although the run is {outcome}')
    return RunRecord(
        session=run.integer_or_none("session"),
        case=run.text("case"),
        repetition=run.integer("repetition"),
        spec=_spec(run.child("spec")),
        outcome=outcome,
        cause=run.text_or_none("cause"),
        cause_detail=run.text_or_none("cause_detail"),
        valid=run.flag("valid"),
        invalid_reason=run.text_or_none("invalid_reason"),
        source=nodes.text_or_none("source") if nodes else None,
        destination=nodes.text_or_none("destination") if nodes else None,
        prober=nodes.text_or_none("prober") if nodes else None,
        started_at=run.epoch_seconds("started_at"),
        finished_at=run.epoch_seconds("finished_at"),
        driver=driver,
        resident_bytes=guest.number_or_none("resident_bytes_before_migration") if guest else None,
        boot_seconds=guest.number_or_none("boot_seconds") if guest else None,
        fill_seconds=guest.number_or_none("fill_seconds") if guest else None,
        switch_check=_switch_check(run.child_or_none("switch_check")),
        integrity=_integrity(run.child_or_none("integrity")),
        steps_seconds=_numbers(run.child_or_none("steps_seconds")),
        warnings=run.texts("warnings"),
        accelerator=run.text_or_none("accelerator"),
        qemu_version=run.text_or_none("qemu_version"),
        libvirt_version=run.text_or_none("libvirt_version"),
        nova_server_id=nova.text_or_none("server_id") if nova else None,
        nova_ended_at=nova.epoch_seconds_or_none("ended_at") if nova else None,
        nova_record_seconds=_nova_record_seconds(nova.child_or_none("migration") if nova else None),
    )


def _nova_record_seconds(migration: Fields | None) -> float | None:
    """nova's own record: made and last changed, in whole seconds."""
    times = [migration.text_or_none(key) for key in ("created_at", "updated_at")] if migration else [None]
    if None in times:
        return None
    try:
        created, updated = (datetime.fromisoformat(str(time)) for time in times)
        return (updated - created).total_seconds()
    except (ValueError, TypeError) as error:
        what = f'"nova.migration" has times that are none: {times[0]!r}, {times[1]!r}'
        raise EvidenceError("run.json", None, what[:200]) from error


def read_study(path: Path, file: str = "study.json") -> StudyRecord:
    """Read study.json; EvidenceError names what is wrong."""
    document = read_document(path, file)
    study = document.child("study")
    order = document.values.get("order")
    if not isinstance(order, list):
        raise EvidenceError(file, None, '"order" missing, expected a list of [case, repetition]')
    planned = []
    for item in order:
        if not (
            isinstance(item, list)
            and len(item) == 2
            and isinstance(item[0], str)
            and isinstance(item[1], int)
        ):
            raise EvidenceError(file, None, f'"order" has {str(item)[:80]}, expected [case, repetition]')
        planned.append((item[0], item[1]))
    return StudyRecord(
        name=study.text("name"),
        title=study.text_or_none("title") or study.text("name"),
        reference=study.text_or_none("reference"),
        repetitions=study.integer("repetitions"),
        order=tuple(planned),
        specs={case.name("case"): case.child("spec").values for case in document.children("cases")},
        values=study.values,
    )


def read_lab(path: Path, file: str = "lab.json") -> LabRecord:
    """Read lab.json; EvidenceError names what is wrong."""
    lab = read_document(path, file)
    nodes = lab.child("nodes")
    link = lab.child_or_none("link")
    offsets = lab.child_or_none("clock_offsets_seconds")
    return LabRecord(
        file=file,
        # Labs of before sessions were counted are of the first.
        session=lab.integer_or_none("session") or 1,
        lab=lab.text("lab"),
        release=lab.text("release"),
        backend=lab.text("backend"),
        # Labs of before this key was written are read by their release's name.
        log_patterns=lab.text_or_none("log_patterns") or lab.text("release"),
        kit_commit=lab.text_or_none("kit_commit"),
        nodes={name: nodes.child(name).values for name in nodes.values},
        links=tuple(
            LinkRate(
                source=item.text("source"),
                destination=item.text("destination"),
                configured_bits_per_second=item.positive("configured_bits_per_second"),
                measured_bits_per_second=item.positive("measured_bits_per_second"),
            )
            for item in (link.children("measured") if link else ())
        ),
        clock_offsets={name: _clock(offsets.child(name)) for name in offsets.values} if offsets else {},
        deviations=tuple(
            Deviation(
                what=item.text("what"),
                article=item.text_or_none("article") or "",
                pinned=item.text_or_none("pinned") or "",
                here=item.text_or_none("here") or "",
                effect=item.text_or_none("effect") or "",
            )
            for item in lab.children("deviations")
        ),
    )


def read_labs(directory: Path) -> tuple[LabRecord, ...]:
    """Every description of a results directory by session, the newest (lab.json) last."""
    newest = read_lab(directory / "lab.json")
    files = (path for path in directory.glob("lab-*.json") if path.stem.removeprefix("lab-").isdecimal())
    earlier = [read_lab(path, path.name) for path in files]
    return (
        *sorted((lab for lab in earlier if lab.session != newest.session), key=lambda lab: lab.session),
        newest,
    )


def lab_of(run: RunRecord, labs: Sequence[LabRecord]) -> LabRecord:
    """The description that a run was made with; the first for one of before sessions were counted.

    The newest stands in for one that is gone.
    """
    return next((lab for lab in labs if lab.session == (run.session or 1)), labs[-1])


def _spec(spec: Fields) -> Spec:
    return Spec(
        mode=Mode.named(spec.text("mode", tuple(Mode))),
        flavor=spec.text("flavor"),
        vcpus=spec.integer("vcpus"),
        ram_bytes=spec.integer("ram_bytes"),
        stressor=spec.text_or_none("stressor"),
        stress_threads=spec.integer("stress_threads"),
        stress_thread_bytes=spec.integer_or_none("stress_thread_bytes") or 0,
        stressed_bytes=spec.integer("stressed_bytes"),
        pattern_bytes=spec.integer_or_none("pattern_bytes") or 0,
        link_rate=spec.text("link_rate"),
        link_rate_bits_per_second=spec.positive("link_rate_bits_per_second"),
        limit_seconds=spec.positive("limit_seconds"),
        backend=spec.text("backend"),
        table=spec.text_or_none("table"),
        # Runs of before these were asked for had the plain network and every probe of their time.
        network=spec.text("network", tuple(Network)) if "network" in spec.values else Network.PLAIN,
        probes=spec.text("probes", tuple(Probes)) if "probes" in spec.values else Probes.ALL,
    )


def _driver(driver: Fields | None) -> Driver | None:
    if driver is None or driver.values.get("requested_at") is None:
        return None
    return Driver(
        requested_at=driver.epoch_seconds("requested_at"),
        first_pass_at=driver.epoch_seconds_or_none("first_pass_at"),
        switch_requested_at=driver.epoch_seconds_or_none("switch_requested_at"),
        finished_at=driver.epoch_seconds_or_none("finished_at"),
    )


def _switch_check(check: Fields | None) -> SwitchCheck | None:
    if check is None:
        return None
    return SwitchCheck(
        bytes_before_switch=check.number("bytes_before_switch"),
        resident_bytes=check.number_or_none("resident_bytes"),
        ratio=check.number_or_none("ratio"),
    )


def _integrity(integrity: Fields | None) -> Integrity | None:
    if integrity is None:
        return None
    pattern = integrity.child_or_none("pattern")
    return Integrity(
        checked=integrity.flag("checked"),
        kernel_log_errors=integrity.texts("kernel_log_errors"),
        stressor_alive=integrity.flag_or_none("stressor_alive"),
        stressor_progressing=integrity.flag_or_none("stressor_progressing"),
        pattern=Pattern(
            pages=pattern.integer("pages"),
            bad_pages=pattern.integer_or_none("bad_pages"),
            stale_pages=pattern.integer_or_none("stale_pages"),
            torn_pages=pattern.integer_or_none("torn_pages"),
        )
        # A guest that could not verify its pattern answers without a count.
        if pattern and pattern.values.get("pages") is not None
        else None,
        alive_on=integrity.text_or_none("alive_on"),
        absent_on=integrity.text_or_none("absent_on"),
    )


def _clock(offset: Fields) -> ClockOffset:
    return ClockOffset(
        offset_seconds=offset.number_or_none("offset_seconds"),
        uncertainty_seconds=offset.number_or_none("uncertainty_seconds"),
        method=offset.text_or_none("method") or "",
    )


def _numbers(fields: Fields | None) -> Mapping[str, float]:
    if fields is None:
        return {}
    return {name: fields.number(name) for name in fields.values if fields.values[name] is not None}
