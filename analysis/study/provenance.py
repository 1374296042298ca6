"""Which runs of a study were made with something else than their fellows: versions, kernels, kit, link."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from analysis.evidence.records import lab_of
from analysis.run.formatter import counted
from contract.records import LabRecord, RunRecord

# Two measurements of one link differ by less than this share of its rate.
_SAME_LINK = 0.02


class HasRecord(Protocol):
    """A run: where it lies, and its run.json."""

    @property
    def path(self) -> str: ...
    @property
    def record(self) -> RunRecord: ...


def made_with(run: RunRecord, lab: LabRecord) -> Mapping[str, str]:
    """What a run was made with, in words by what it is; what nobody recorded is left out."""
    nodes = [lab.nodes.get(name or "", {}) for name in (run.source, run.destination)]
    found: dict[str, str | None] = {
        "QEMU": run.qemu_version,
        "libvirt": run.libvirt_version,
        "accelerator": run.accelerator,
        "kit commit": lab.kit_commit,
        "release": lab.release,
        "migration stream": "TLS" if lab.migration_stream_tls else "plain",
        "guest network": _both(node.get("guest_network") for node in nodes),
        "kernel": _both(node.get("kernel") for node in nodes),
        "nova": _both((node.get("packages") or {}).get("nova-compute") for node in nodes),
        "builds": _both(_builds(node) for node in nodes),
    }
    return {name: value for name, value in found.items() if value}


def provenance_doubts(runs: Sequence[HasRecord], labs: Sequence[LabRecord]) -> Iterator[tuple[str, str]]:
    """(file, what is wrong): runs that differ from most others, or from their lab's own description."""
    described = [(run, lab_of(run.record, labs)) for run in runs]
    things = [(run, lab, made_with(run.record, lab)) for run, lab in described]
    for name in dict.fromkeys(name for _, _, made in things for name in made):
        yield from _others(name, [(run, lab, made[name]) for run, lab, made in things if name in made])
    yield from _links(described)
    wrong: dict[tuple[str, str], list[HasRecord]] = {}
    for run, lab in described:
        for text in _wrongly_described(run.record, lab, labs):
            wrong.setdefault((lab.file, text), []).append(run)
    for (file, text), found in wrong.items():
        yield file, f"{text}: {_names(found)}"


def _wrongly_described(run: RunRecord, lab: LabRecord, labs: Sequence[LabRecord]) -> Iterator[str]:
    if run.session is not None and run.session not in {lab.session for lab in labs}:
        yield f"stands in for the description of session {run.session}, which is not there, in"
        return
    node = lab.nodes.get(run.source or "", {})
    for name, ran, told in (
        ("QEMU", run.qemu_version, node.get("qemu_version")),
        ("libvirt", run.libvirt_version, node.get("libvirt_version")),
        ("accelerator", run.accelerator, node.get("accelerator")),
    ):
        if ran and told and ran != told:
            yield f"says {name} {told} of {run.source}, which had {ran} in"


def _others(name: str, found: Sequence[tuple[HasRecord, LabRecord, str]]) -> Iterator[tuple[str, str]]:
    """One line for each value that is not the usual one; of two as usual the newest runs' counts."""
    newest_first = sorted(found, key=lambda item: -item[0].record.started_at)
    counts = Counter(value for _, _, value in newest_first)
    usual = counts.most_common(1)[0][0]
    for value in counts:
        if value != usual:
            theirs = [(run, lab) for run, lab, other in found if other == value]
            yield (
                f"{theirs[0][0].path}/run.json",
                f"{len(theirs)} of {len(found)} runs were made with {name} {value}, most with {usual}: "
                f"{_names(run for run, _ in theirs)}",
            )


def _links(described: Sequence[tuple[HasRecord, LabRecord]]) -> Iterator[tuple[str, str]]:
    """Runs over a link that was another one, by its measured rate, for most runs of the same direction."""
    rates: dict[tuple[str | None, str | None, float], list[tuple[HasRecord, LabRecord, float]]] = {}
    for run, lab in described:
        record = run.record
        way = (record.source, record.destination, record.spec.link_rate_bits_per_second)
        rate = lab.measured_rate(*way)
        if rate is not None:
            rates.setdefault(way, []).append((run, lab, rate))
    for (source, destination, _), found in rates.items():
        usual = Counter(rate for _, _, rate in found).most_common(1)[0][0]
        other = [(run, lab, rate) for run, lab, rate in found if abs(rate - usual) > _SAME_LINK * usual]
        for rate in dict.fromkeys(rate for _, _, rate in other):
            theirs = [run for run, _, theirs in other if theirs == rate]
            yield (
                next(lab.file for _, lab, theirs_rate in other if theirs_rate == rate),
                f"the link {source} to {destination} gave {rate / 1e6:,.0f} Mbit/s to {len(theirs)} of "
                f"{counted(len(found), 'run')}, {usual / 1e6:,.0f} Mbit/s to most: {_names(theirs)}",
            )


def _names(runs: Iterator[HasRecord] | Sequence[HasRecord]) -> str:
    """The runs, each case named once."""
    numbers: dict[str, list[str]] = {}
    for run in runs:
        case, number = run.path.split("/")[-2:]
        numbers.setdefault(case, []).append(number)
    return "; ".join(f"{case}/{', '.join(found)}" for case, found in numbers.items())


def _both(values: Iterator[str | None]) -> str | None:
    return " and ".join(sorted({str(value) for value in values if value})) or None


def _builds(node: Mapping[str, object]) -> str | None:
    builds = node.get("builds")
    if not isinstance(builds, dict):
        return None
    return ", ".join(f"{name} {build.get('origin')}" for name, build in sorted(builds.items())) or None
