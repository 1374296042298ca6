"""Walks one results directory: every run analysed, or excluded with its cause and the rest analysed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from analysis.evidence.errors import EvidenceError, InputError
from analysis.evidence.files import stored_at
from analysis.evidence.logs import read_evidence
from analysis.evidence.nova_log import patterns_of
from analysis.evidence.pool import Workers, map_in_order
from analysis.evidence.records import lab_of, read_labs, read_run, read_study
from analysis.run.findings import Findings, doubts, findings_of
from analysis.run.measure import Measured, measure_run
from analysis.run.metrics import RunMetrics
from analysis.run.pinger import log_doubts, pinger_doubts
from analysis.study.provenance import provenance_doubts
from contract.choices import Backend
from contract.evidence import DESTINATION_NIC, LAB_FILE, PING, PING_FINE, RUN_FILE, SOURCE_NIC, STUDY_FILE
from contract.outcomes import GOOD_OUTCOMES, NOT_INTACT_CAUSES, RunOutcome
from contract.records import LabRecord, RunRecord, StudyRecord

T = TypeVar("T")
EXCLUDED = "run excluded from the figures"
NOTED = "noted"
# What is on the wire is more than what QEMU counts, by all headers; counters are a sample late at most.
_LEAST_OF_QEMUS = 0.95
# A migration of this size or more should fill the link; below this share its time is not the link's.
ENOUGH_BYTES = 500e6
FULL_LINK = 0.9


@dataclass(frozen=True, slots=True)
class Notice:
    """One warning; `file` is relative to the results directory."""

    file: str
    line: int | None
    message: str
    effect: str


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run: its record, and its metrics unless they are excluded."""

    path: str
    record: RunRecord
    metrics: RunMetrics | None
    excluded_because: str | None
    findings: Findings | None = None

    @property
    def counted(self) -> bool:
        """Whether the metrics enter medians and fits: a completed, valid run with whole evidence."""
        return self.record.outcome == RunOutcome.COMPLETED and self.excluded_because is None

    @property
    def boot_seconds(self) -> float | None:
        """How long the guest took to boot; None where it is not known.

        libvirt's guest is started by the source's clock and answers by the prober's, run.json has both.
        """
        record, findings = self.record, self.findings
        if record.guest.boot_seconds is None or findings is None or record.spec.backend != Backend.LIBVIRT:
            return record.guest.boot_seconds
        if not findings.clocks.known(record.source, record.prober):
            return None
        answered = record.started_at + record.guest.boot_seconds
        return answered - findings.clocks.on_prober(record.source, record.started_at)

    @property
    def not_intact(self) -> bool:
        """The migration ended, but its guest was not shown intact afterwards."""
        return self.record.outcome == RunOutcome.FAILED and self.record.cause in NOT_INTACT_CAUSES

    @property
    def ended(self) -> bool:
        """Whether the migration completed or was aborted at its limit, whatever the guest's fate."""
        return self.record.outcome in GOOD_OUTCOMES or self.not_intact


@dataclass(frozen=True)
class Results:
    """One study on one lab. `labs`: a description for each session, `lab`, the newest, among them.

    `mixed`: those of the notices that name runs made with something else than their fellows.
    """

    directory: Path
    study: StudyRecord
    labs: tuple[LabRecord, ...]
    runs: tuple[RunResult, ...]
    notices: tuple[Notice, ...]
    mixed: tuple[Notice, ...]

    @property
    def scale(self) -> float:
        """How many times smaller the study's memory and rates are than those of its reference."""
        return max((spec.scale for spec in self.study.specs.values()), default=1)

    @property
    def lab(self) -> LabRecord:
        return self.labs[-1]


class Harvest(Protocol[T]):
    """Takes what it wants of every run that is measured."""

    def take(self, path: str, measured: Measured) -> T:
        """Of the run at this path; called where the run is read, which may be another process."""

    def keep(self, taken: T) -> None:
        """Called in this process, run by run in their order."""


def load_results(
    directory: Path,
    *,
    workers: Workers | int | None = None,
    progress: Callable[[int, int], None] | None = None,
    harvest: Harvest[Any] | None = None,
) -> Results:
    """Analyse results/<study>/<lab>. InputError if it is not such a directory; bad runs become notices.

    `workers`: processes to use, or how many; the result is the same. `progress` is told how many runs are
    done, and of how many. `harvest` takes what else it wants of each run while that is read: evidence is
    read once.
    """
    if not (directory / STUDY_FILE).is_file():
        raise InputError(
            f"{directory}: no study.json here; give a directory results/<study>/<lab>{_hint(directory)}"
        )
    try:
        study = read_study(directory / STUDY_FILE)
        labs = read_labs(directory)
    except EvidenceError as error:
        raise InputError(f"{directory}/{error}") from error
    runs: list[RunResult] = []
    notices: list[Notice] = []
    paths = [path.relative_to(directory).as_posix() for path in sorted((directory / "runs").glob("*/*/"))]
    take = harvest.take if harvest is not None else None
    load = partial(_load_run, directory, study.name, frozenset(study.specs), labs, take)
    loaded = workers.map(load, paths) if isinstance(workers, Workers) else map_in_order(load, paths, workers)
    for number, (result, found, taken) in enumerate(loaded, start=1):
        if result is not None:
            runs.append(result)
        if harvest is not None and taken is not None:
            harvest.keep(taken)
        notices.extend(found)
        if progress is not None:
            progress(number, len(paths))
    notices.extend(_lab_notices(labs[-1]))
    mixed = tuple(Notice(file, None, text, NOTED) for file, text in provenance_doubts(runs, labs))
    return Results(directory, study, labs, tuple(runs), (*notices, *mixed), mixed)


def _read_record(run_dir: Path, study: str, cases: frozenset[str]) -> RunRecord:
    if stored_at(run_dir, RUN_FILE) is None:
        raise EvidenceError(RUN_FILE, None, "missing: the run did not finish")
    record = read_run(run_dir / RUN_FILE)
    if (record.case, f"{record.repetition:02d}") != (run_dir.parent.name, run_dir.name):
        raise EvidenceError(RUN_FILE, None, f"is of {record.case}/{record.repetition:02d}, mixed up")
    if record.case not in cases:
        raise EvidenceError(RUN_FILE, None, f"case {record.case} is not in study {study}")
    return record


def _load_run(
    directory: Path,
    study: str,
    cases: frozenset[str],
    labs: Sequence[LabRecord],
    take: Callable[[str, Measured], T] | None,
    path: str,
) -> tuple[RunResult | None, list[Notice], T | None]:
    """One run, analysed, with what was taken of it; None where not even its record can be read."""
    try:
        record = _read_record(directory / path, study, cases)
    except EvidenceError as error:
        return None, [_notice(path, error)], None
    return _analyse_run(directory / path, path, record, lab_of(record, labs), take)


def _analyse_run(
    run_dir: Path,
    path: str,
    record: RunRecord,
    lab: LabRecord,
    take: Callable[[str, Measured], T] | None,
) -> tuple[RunResult, list[Notice], T | None]:
    notices = [Notice(f"{path}/{RUN_FILE}", None, warning, NOTED) for warning in record.warnings]
    failure = _failure(record) if record.outcome not in GOOD_OUTCOMES else None
    if failure is not None and not RunResult(path, record, None, failure).not_intact:
        return RunResult(path, record, None, failure), notices, None
    try:
        measured = measure_run(record, read_evidence(run_dir, lab.log_patterns, record.nova.server_id), lab)
    except EvidenceError as error:
        return RunResult(path, record, None, failure or str(error)), [*notices, _notice(path, error)], None
    excluded = failure
    if not record.valid:
        excluded = record.invalid_reason or "marked invalid"
        notices.append(Notice(f"{path}/{RUN_FILE}", None, f"invalid: {excluded}", EXCLUDED))
    findings = findings_of(measured)
    for file, text in (*_doubts(measured), *doubts(findings)):
        name, _, line = file.partition(":")
        notices.append(Notice(f"{path}/{name}", int(line) if line else None, text, NOTED))
    result = RunResult(path, record, measured.metrics, excluded, findings)
    return result, notices, take(path, measured) if take is not None else None


def _failure(record: RunRecord) -> str:
    detail = f": {record.cause_detail}" if record.cause_detail else ""
    return f"{record.outcome}, {record.cause or 'cause unknown'}{detail}"


def _doubts(measured: Measured) -> Iterator[tuple[str, str]]:
    yield from measured.doubts
    metrics = measured.metrics
    if metrics.ping_lost_before:
        yield PING.path, f"{metrics.ping_lost_before} pings lost before the migration was asked for"
    for file, ping in ((PING.path, measured.ping), (PING_FINE.path, measured.ping_fine)):
        if ping is not None:
            for text in log_doubts(ping):
                yield file, text
            if measured.timeline.clocks_known:
                for text in pinger_doubts(ping, measured.timeline):
                    yield file, text
    sent, received = metrics.forward_bytes, metrics.forward_bytes_received
    if sent > 0 and abs(received - sent) > 0.03 * sent:
        yield DESTINATION_NIC.path, f"received {received / sent - 1:+.1%} of what the source sent"
    told = metrics.forward_bytes_libvirt
    if metrics.converged and told is not None and sent < _LEAST_OF_QEMUS * told and told > ENOUGH_BYTES / 10:
        yield (
            SOURCE_NIC.path,
            f"shows {sent / 1e6:,.0f} MB of the {told / 1e6:,.0f} MB that QEMU sent: the rest went over an "
            "interface that is not watched",
        )
    if measured.longest_sample_gap_seconds > 0.5:
        yield (
            SOURCE_NIC.path,
            f"counters stood still for {measured.longest_sample_gap_seconds:.1f} s: a noisy machine",
        )
    if metrics.link_use is not None and metrics.link_use < FULL_LINK and sent > ENOUGH_BYTES:
        yield (
            SOURCE_NIC.path,
            f"used only {metrics.link_use:.0%} of the link while sending: something else was slower",
        )
    if metrics.borders_agree is False and measured.timeline.border_disagreement_seconds is not None:
        yield (
            DESTINATION_NIC.path,
            f"post-copy by reverse traffic starts {measured.timeline.border_disagreement_seconds:+.2f} s "
            "from where the events have it",
        )


def _lab_notices(lab: LabRecord) -> Iterator[Notice]:
    if not lab.links:
        yield Notice(LAB_FILE, None, "no measured link rate: the configured one is used", NOTED)
    if lab.backend == Backend.NOVA and patterns_of(lab.log_patterns) is None:
        what = f'there are no patterns "{lab.log_patterns}" for nova\'s logs: they are not read'
        yield Notice(LAB_FILE, None, what, NOTED)


def _notice(path: str, error: EvidenceError) -> Notice:
    return Notice(f"{path}/{error.file}", error.line, error.message, EXCLUDED)


def _hint(directory: Path) -> str:
    found = sorted(path.parent.as_posix() for path in directory.glob("*/study.json"))
    found += sorted(path.parent.as_posix() for path in directory.glob("*/*/study.json"))
    return f", for example {found[0]}" if found else ""
