"""A study: whether a study file can be used, the cases and the order of runs that follow from it.

Pure functions over the parsed file; reading files is study_files.py's business. Whatever is wrong raises
StudyError, whose text is one line naming the file, the key and what is allowed. Sizes are bytes unless a name
says mib, times are seconds, rates are bits per second.
"""

from __future__ import annotations

import fnmatch
import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeVar

import msgspec

from contract.choices import Backend, Network, Probes, Stressor, SwitchoverBy
from contract.downtimes import NATIVE, MaxDowntime
from contract.faults import Fault, fault_of
from contract.modes import Mode
from contract.older import READ_SCHEMAS, SCHEMA, in_todays_words
from contract.records import Case, Spec
from contract.study_file import (
    LARGEST_SCALE,
    RATE_FORM,
    RATE_PATTERN,
    Block,
    Defaults,
    DerivedStudyFile,
    Flavor,
    ScaleByProbe,
    StudyFile,
)

V = TypeVar("V")

MIB = 1024 * 1024
# A year of runs of 5 minutes.
MOST_RUNS = 100000
RATE_UNITS = {"kbit": 10**3, "mbit": 10**6, "gbit": 10**9}
# What a guest needs beside its stressed memory, measured with QEMU 10.0 under TCG: QEMU itself with its
# translation buffer, and the guest's kernel, whose page structures take 64 bytes for each page of 4096.
GUEST_BASE_BYTES = 384 * MIB
PAGE_BYTES = 4096
PAGE_STRUCTURES_SHARE = 64.0 / PAGE_BYTES
# Below this a guest has no room for its kernel and its init.
GUEST_SYSTEM_MIB = 160
# What a guest sends beside its stressed memory, measured with 4 GiB of RAM and 64 to 512 MiB stressed.
GUEST_OWN_BYTES = 250 * MIB
# With so many times its stressed memory beside it a guest sends 2/7 more for the next row of a table. The
# article's own sent 655 MB unloaded: 2.4 times the 256 MiB of its smallest step.
MOST_OWN_MEMORY = 5
PROBE = "probe"

# One run: (case, repetition), repetitions counted from 1.
Run = tuple[str, int]


class StudyError(ValueError):
    """Something in a study (file, selection or results directory) cannot be used; one line of text."""


@dataclass(frozen=True, slots=True)
class Choices:
    """One block of the matrix with its lists made explicit and the study's defaults filled in.

    Without any `max_downtime_ms` each case has the usual one.
    """

    mode: tuple[Mode, ...]
    flavor: tuple[str, ...]
    stressor: tuple[Stressor, ...]
    stress_threads: tuple[int, ...]
    stress_thread_mib: tuple[int, ...]
    link_rate: tuple[str, ...]
    max_downtime_ms: tuple[MaxDowntime, ...]
    network: tuple[Network, ...]
    probes: tuple[Probes, ...]
    switchover_by: tuple[SwitchoverBy, ...]
    table: str | None
    limit_seconds: float
    pattern_mib: int
    postcopy_recovery_seconds: float


@dataclass(frozen=True, slots=True)
class Study:
    """A checked study with every default filled in.

    `only`: a selection of its cases; empty is all. `scale`: "probe" until a probe of the lab has told it.
    """

    schema: int
    name: str
    title: str
    reference: str | None
    repetitions: int
    order_seed: int
    flavors: Mapping[str, Flavor]
    defaults: Defaults
    matrix: tuple[Choices, ...]
    only: str = ""
    scale: float | ScaleByProbe = 1


@dataclass(frozen=True, slots=True)
class Compute:
    """One end of a pair. `machine`: the same text means the same memory."""

    name: str
    machine: str
    available_bytes: int


def _fail(source: str, key: str, problem: str, allowed: str) -> NoReturn:
    raise StudyError(f"{source}: {key}: {problem} (allowed: {allowed})")


def shown(value: object) -> str:
    """A value as a message shows it: 60 characters at most."""
    known = value is None or isinstance(value, (bool, int, float, list, tuple, dict, str))
    text = repr(value) if known else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def rate_bits_per_second(rate: object, source: str = "link rate", key: str = "link_rate") -> int:
    """Bits per second of a rate in tc's form ("1gbit"); StudyError for 0, a word or another unit."""
    found = re.match(RATE_PATTERN, rate) if isinstance(rate, str) else None
    bits = 0
    if found is not None and isinstance(rate, str):
        unit = found.group(2)
        bits = int(float(rate.removesuffix(unit)) * RATE_UNITS[unit] + 0.5)
    if bits <= 0:
        _fail(source, key, f"{shown(rate)} is not allowed", RATE_FORM)
    return bits


def validate(document: object, source: str, name: str | None = None) -> Study:
    """Check a parsed study file and fill in every default.

    `source`: the file's name, for messages. `name`: what the study must be called (the file's name without
    its ending), None for anything.
    """
    document = in_todays_words(document)
    _refuse_faults(document, StudyFile, source)
    study = msgspec.convert(document, StudyFile)
    if name is not None and study.name != name:
        _fail(source, "name", f"{shown(study.name)} differs from the file's name", name)
    defaults = study.defaults or Defaults()
    rate_bits_per_second(defaults.link_rate, source, "defaults.link_rate")
    return Study(
        schema=study.schema,
        name=study.name,
        title=study.title,
        reference=study.reference,
        repetitions=study.repetitions,
        order_seed=study.order_seed,
        scale=study.scale,
        flavors=study.flavors,
        defaults=defaults,
        matrix=tuple(
            _choices(block, f"matrix[{index}]", study.flavors, defaults, source)
            for index, block in enumerate(study.matrix)
        ),
    )


def is_derived(document: object) -> bool:
    """Whether a parsed study file is based on another one."""
    return isinstance(document, dict) and "based_on" in document


def base_of(document: object, source: str) -> str:
    """The name of the study that a derived study file is based on; StudyError where the file is wrong."""
    _refuse_faults(document, DerivedStudyFile, source)
    return msgspec.convert(document, DerivedStudyFile).based_on


def derive(
    document: Mapping[str, Any], base: Mapping[str, Any], source: str, name: str | None = None
) -> Study:
    """The study of a derived study file and of the file that it is based on, both parsed and without a fault.

    The file's own keys count before the base's, and each of its defaults before the base's.
    """
    own = {key: value for key, value in document.items() if key not in ("based_on", "only")}
    defaults = {**(base.get("defaults") or {}), **(document.get("defaults") or {})}
    study = validate({**base, **own, "defaults": defaults}, source, name)
    return replace(study, only=document.get("only", ""))


def _refuse_faults(document: object, record: type, source: str) -> None:
    fault = fault_of(document, record, known_keys_only=True)
    if fault is not None:
        raise StudyError(f"{source}: {_fault_words(fault)}")


def _fault_words(fault: Fault) -> str:
    # Of a list of choices the one that is wrong is shown, not its place.
    key = re.sub(r"^(matrix\[\d+\]\.\w+)\[\d+\]$", r"\1", fault.key)
    if not key:
        return f"must be a mapping with the keys {fault.allowed}"
    if fault.kind == "missing":
        problem = "is missing"
    elif fault.kind == "unknown":
        problem = "unknown key"
    elif fault.kind == "record":
        problem = f"must be a mapping, not {shown(fault.value)}" if fault.value != {} else "is empty"
    elif fault.kind == "list":
        return f"{key}: must be a list of at least one block, not {shown(fault.value)}"
    elif fault.value == []:
        problem = "is an empty list"
    else:
        problem = f"{shown(fault.value)} is not allowed"
    return f"{key}: {problem} (allowed: {fault.allowed})"


def _choices(
    block: Block, prefix: str, flavors: Mapping[str, Flavor], defaults: Defaults, source: str
) -> Choices:
    choices = Choices(
        mode=_listed(block.mode, ()),
        flavor=_listed(block.flavor, ()),
        stressor=_listed(block.stressor, defaults.stressor),
        stress_threads=_listed(block.stress_threads, ()),
        stress_thread_mib=_listed(block.stress_thread_mib, ()),
        link_rate=_listed(block.link_rate, defaults.link_rate),
        max_downtime_ms=_listed(
            block.max_downtime_ms,
            () if isinstance(defaults.max_downtime_ms, msgspec.UnsetType) else defaults.max_downtime_ms,
        ),
        network=_listed(block.network, defaults.network),
        probes=_listed(block.probes, defaults.probes),
        switchover_by=_listed(block.switchover_by, defaults.switchover_by),
        table=block.table,
        limit_seconds=_or(block.limit_seconds, defaults.limit_seconds),
        pattern_mib=_or(block.pattern_mib, defaults.pattern_mib),
        postcopy_recovery_seconds=_or(block.postcopy_recovery_seconds, defaults.postcopy_recovery_seconds),
    )
    for flavor in choices.flavor:
        if flavor not in flavors:
            _fail(source, f"{prefix}.flavor", f"{shown(flavor)} is not allowed", ", ".join(sorted(flavors)))
    for rate in choices.link_rate:
        rate_bits_per_second(rate, source, f"{prefix}.link_rate")
    if any(choices.stress_threads) and not choices.stress_thread_mib:
        problem = "is missing: stress_threads asks for threads"
        _fail(source, f"{prefix}.stress_thread_mib", problem, "MiB for each thread")
    return choices


def _or(value: V | msgspec.UnsetType, default: V) -> V:
    return default if isinstance(value, msgspec.UnsetType) else value


def _listed(value: V | tuple[V, ...] | msgspec.UnsetType, default: V | tuple[V, ...]) -> tuple[V, ...]:
    chosen = default if isinstance(value, msgspec.UnsetType) else value
    return chosen if isinstance(chosen, tuple) else (chosen,)


def case_name(spec: Spec) -> str:
    """The id of a case: hybrid-s-stress-2x256mib-1gbit, or hybrid-s-unloaded-1gbit-stale-fdb."""
    load = "unloaded"
    if spec.stress_threads:
        load = f"{spec.stressor}-{spec.stress_threads}x{spec.stress_thread_bytes / MIB:.4g}mib"
    words = [spec.mode, spec.flavor, load, spec.link_rate]
    # What is as usual is not said.
    if not spec.usual_downtime:
        native = spec.max_downtime_ms == NATIVE
        words.append("native-downtime" if native else f"{spec.max_downtime_ms}ms-downtime")
    if spec.network != Network.PLAIN:
        words.append(spec.network.replace("_", "-"))
    if spec.probes != Probes.ALL:
        words.append(f"{spec.probes}-probes")
    if spec.switchover_by == SwitchoverBy.NOVA:
        words.append("nova-switchover")
    return "-".join(words)


def resolve_cases(study: Study, source: str, backend: str = Backend.LIBVIRT) -> list[Case]:
    """All cases of a study, in the file's order.

    StudyError for a case that appears twice, that asks for more memory than its flavor has, or for more runs
    than anyone waits for.
    """
    if backend not in tuple(Backend):
        _fail("lab_backend", "lab_backend", f"{shown(backend)} is not allowed", ", ".join(Backend))
    scale = _known_scale(study, source)
    cases: list[Case] = []
    seen: dict[str, str] = {}
    for index, block in enumerate(study.matrix):
        prefix = f"matrix[{index}]"
        for spec in _specs(study, block, backend, scale):
            name = case_name(spec)
            if name in seen:
                if not spec.stress_threads and seen[name] == prefix:
                    continue  # a list of stressors does not multiply the unloaded case
                _fail(source, prefix, f"case {name} is already in {seen[name]}", "each case once")
            _check_fits(source, prefix, name, spec)
            seen[name] = prefix
            cases.append(Case(case=name, spec=spec))
            if len(cases) * study.repetitions > MOST_RUNS:
                problem = f"the study has more than {MOST_RUNS} runs"
                _fail(source, prefix, problem, "fewer cases or repetitions")
    selected = set(select_cases([case.case for case in cases], study.only, f"{source}: only"))
    chosen = [case for case in cases if case.case in selected]
    for case in chosen:
        _check_similarity(source, case.case, case.spec)
    return chosen


def at_scale(study: Study, scale: float | None, source: str) -> Study:
    """The study with the scale that a probe asks for, None for none. StudyError if it has one of its own."""
    if scale is None:
        return study
    if study.scale != PROBE:
        _fail(source, "scale", f"{scale:g} is given, but the study has its own, {study.scale}", "no other")
    if not 1 <= scale <= LARGEST_SCALE:
        _fail(source, "scale", f"{scale:g} is not allowed", f"a number from 1 to {LARGEST_SCALE}")
    return replace(study, scale=scale)


def _known_scale(study: Study, source: str) -> float:
    if isinstance(study.scale, str):
        allowed = "postcopy-lab study, which probes it, or -e scale=NUMBER of playbooks/study.yml"
        _fail(source, "scale", "no probe of the lab has told it yet", allowed)
    return study.scale


def _check_similarity(source: str, name: str, spec: Spec) -> None:
    """Refuse a scale at which the guest's own memory, which does not scale, outweighs what is stressed."""
    if spec.scale > 1 and spec.stressed_bytes and MOST_OWN_MEMORY * spec.stressed_bytes < GUEST_OWN_BYTES:
        problem = (
            f"at {spec.scale:g} a guest's own memory, which does not scale ({GUEST_OWN_BYTES // MIB} MiB), "
            f"is more than {MOST_OWN_MEMORY} times the {spec.stressed_bytes / MIB:.4g} MiB that case {name} "
            "stresses"
        )
        _fail(source, "scale", problem, "a smaller scale, or cases that stress more")


def _scaled_bytes(mib: int, scale: float) -> int:
    """Whole pages."""
    return int(mib * MIB / scale) // PAGE_BYTES * PAGE_BYTES


def _scaled_rate(rate: str, scale: float) -> str:
    return rate if scale == 1 else f"{rate_bits_per_second(rate) / scale / RATE_UNITS['mbit']:.6g}mbit"


def _specs(study: Study, block: Choices, backend: str, scale: float) -> Iterable[Spec]:
    """Every combination of a block's choices."""
    for mode, flavor, stressor, threads, rate, downtime, network, probes in itertools.product(
        block.mode,
        block.flavor,
        block.stressor,
        block.stress_threads,
        block.link_rate,
        block.max_downtime_ms or (None,),
        block.network,
        block.probes,
    ):
        thread_mibs = block.stress_thread_mib if threads else (0,)
        # Nobody is asked in pre-copy.
        asked = block.switchover_by if mode.has_postcopy else (SwitchoverBy.LIBVIRT,)
        for thread_mib, switchover_by in itertools.product(thread_mibs, asked):
            yield Spec(
                mode=mode,
                flavor=flavor,
                vcpus=study.flavors[flavor].vcpus,
                ram_bytes=_scaled_bytes(study.flavors[flavor].ram_mib, scale) // MIB * MIB,
                stressor=stressor if threads else None,
                stress_threads=threads,
                stress_thread_bytes=_scaled_bytes(thread_mib, scale),
                stressed_bytes=threads * _scaled_bytes(thread_mib, scale),
                pattern_bytes=_scaled_bytes(block.pattern_mib, scale),
                link_rate=_scaled_rate(rate, scale),
                link_rate_bits_per_second=rate_bits_per_second(_scaled_rate(rate, scale)),
                limit_seconds=block.limit_seconds,
                max_downtime_ms=downtime,
                postcopy_recovery_seconds=block.postcopy_recovery_seconds,
                backend=backend,
                table=block.table,
                network=network,
                probes=probes,
                switchover_by=switchover_by,
                scale=scale,
            )


def _check_fits(source: str, prefix: str, name: str, spec: Spec) -> None:
    room = spec.ram_bytes - GUEST_SYSTEM_MIB * MIB - int(spec.ram_bytes * PAGE_STRUCTURES_SHARE)
    wanted = spec.stressed_bytes + spec.pattern_bytes
    if wanted > room:
        problem = (
            f"case {name} wants {wanted // MIB} MiB of stressed memory and pattern in a guest of "
            f"{spec.ram_bytes // MIB} MiB"
        )
        _fail(source, prefix, problem, f"up to {room // MIB} MiB")


def run_order(case_names: Iterable[str], repetitions: int, order_seed: int) -> list[Run]:
    """The order of all runs.

    Round by round, each round holds every case once in its own shuffled order, so that slow drifts of the
    lab spread over all cases. Sorting by a hash of seed, round and case gives the same order on every Python,
    and asking for more repetitions only appends rounds.
    """
    names = list(case_names)

    def place(run: Run) -> tuple[int, str]:
        name, repetition = run
        return repetition, hashlib.sha256(f"{order_seed}:{repetition}:{name}".encode("ascii")).hexdigest()

    return sorted(((name, number) for number in range(1, repetitions + 1) for name in names), key=place)


def select_cases(case_names: Sequence[str], only: str | None, source: str = "only") -> list[str]:
    """The cases that a selection names: comma-separated ids or patterns (* and ?); all for an empty one."""
    patterns = [part.strip() for part in (only or "").split(",") if part.strip()]
    if not patterns:
        return list(case_names)
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in case_names):
            _fail(source, shown(pattern), "matches no case", ", ".join(case_names))
    return [name for name in case_names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def pending_runs(
    order: Iterable[Run], finished: set[Run], selected: Iterable[str] | None = None
) -> list[Run]:
    """The runs of an order that are neither finished nor left out. `selected`: cases to run, None for all."""
    wanted = None if selected is None else set(selected)
    return [run for run in order if run not in finished and (wanted is None or run[0] in wanted)]


def deal_cases(case_names: Iterable[str], pair_count: int) -> dict[str, int]:
    """Which pair of computes runs which case: {case: pair index}; all runs of a case stay on one pair."""
    return {name: index % pair_count for index, name in enumerate(case_names)}


def needed_memory_bytes(spec: Spec) -> int:
    """Memory that one end of a migration takes on its host, with QEMU's own.

    Only memory that the guest has touched counts: page structures, kernel and stressed memory, not its RAM.
    """
    structures = spec.ram_bytes * PAGE_STRUCTURES_SHARE
    return int(GUEST_BASE_BYTES + structures + spec.stressed_bytes + spec.pattern_bytes)


def check_memory(cases: Sequence[Case], computes: Sequence[Compute], source: str) -> None:
    """Refuse a study that does not fit: StudyError names its largest case, its need and what there is."""
    largest = max(cases, key=lambda case: needed_memory_bytes(case.spec))
    needed = needed_memory_bytes(largest.spec)
    for machine in sorted({compute.machine for compute in computes}):
        on_it = [compute for compute in computes if compute.machine == machine]
        available = min(compute.available_bytes for compute in on_it)
        if needed * len(on_it) > available:
            names = " and ".join(sorted(compute.name for compute in on_it))
            raise StudyError(
                f"{source}: case {largest.case} needs {needed * len(on_it) // MIB} MiB of memory on the "
                f"machine of {names}, {available // MIB} MiB are available (choose smaller cases with only=, "
                "or free memory)"
            )


def plan_document(study: Study, cases: Sequence[Case], order: Sequence[Run]) -> dict[str, Any]:
    """What study.json holds."""
    document: dict[str, Any] = msgspec.to_builtins(
        {"schema": SCHEMA, "study": study, "cases": cases, "order": order, "order_seed": study.order_seed}
    )
    return document


def check_same_study(existing: object, study: Study, cases: Sequence[Case], source: str) -> None:
    """Refuse a results directory that holds another study; more or fewer repetitions are the same study.

    `existing`: parsed study.json of the results directory. `source`: its path, for messages.
    """
    elsewhere = "(choose another results directory)"
    if not isinstance(existing, dict) or existing.get("schema") not in READ_SCHEMAS:
        known = " or ".join(map(str, READ_SCHEMAS))
        raise StudyError(f"{source}: is not a study.json of schema {known} {elsewhere}")
    document = in_todays_words(existing)
    theirs = document.get("study") or {}
    for key, wanted in (("name", study.name), ("order_seed", study.order_seed)):
        if theirs.get(key) != wanted:
            held = f"{shown(theirs.get(key))} instead of {shown(wanted)}"
            raise StudyError(f"{source}: {key}: holds another study, {held} {elsewhere}")
    held_cases = {case["case"]: _spec_of(case["spec"]) for case in document.get("cases") or []}
    wanted_cases = {case.case: case.spec for case in cases}
    for name in sorted(set(held_cases) | set(wanted_cases)):
        if held_cases.get(name) != wanted_cases.get(name):
            raise StudyError(f"{source}: cases: case {name} differs from the study's {elsewhere}")


def _spec_of(document: object) -> Spec | None:
    """A recorded specification; None for what is none."""
    try:
        return msgspec.convert(document, Spec)
    except msgspec.ValidationError:
        return None


def check_same_lab(existing: object, lab: str, release: str, source: str) -> None:
    """Refuse a results directory of another lab or release: their figures must not be mixed.

    `existing`: parsed lab.json of the results directory. `source`: its path, for messages.
    """
    for key, wanted in (("lab", lab), ("release", release)):
        held = existing.get(key) if isinstance(existing, dict) else None
        if held != wanted:
            raise StudyError(
                f"{source}: {key}: holds results of {shown(held)}, not of {shown(wanted)} "
                "(choose another results directory or lab_name)"
            )
