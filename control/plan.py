"""Which runs of a study are pending in a lab, and everything that their tasks need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from contract.choices import Backend, Network, Probes, SwitchoverBy
from contract.downtimes import NATIVE
from contract.libvirt_versions import KEEPS_BROKEN_POSTCOPY_SINCE, tells
from contract.nodes import MEASURING, Role
from contract.records import Case, Spec
from control import study as rules
from control import study_files
from control.study import Compute, Run, Study, StudyError

NODE_RUNS_DIRECTORY = "/var/lib/postcopy-lab/runs"
BOOT_PATIENCE_SECONDS = 180
SLOWEST_FILL_BYTES_PER_SECOND = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of a plan: the options of the module study_plan, which explains them."""

    study_file: Path
    results_directory: Path
    lab: str
    release: str
    computes: Sequence[str]
    backend: str = Backend.LIBVIRT
    repetitions: int | None = None
    only: str = ""
    most_runs: int | None = None
    scale: float | None = None
    pair: int = 0
    pairs: int = 1
    guest_network: str = "10.91.2"
    # What node_facts says of each compute.
    nodes: Mapping[str, Mapping[str, Any]] | None = None
    fingerprint: str = ""
    switch: bool = False
    modes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A study in a lab.

    `order`: the chosen runs, finished ones too. `whole_order`: all of the study's. `pending`: the first of
    those that are missing, no more than the request's most_runs.
    """

    study: Study
    cases: Sequence[Case]
    directory: Path
    whole_order: Sequence[Run]
    order: Sequence[Run]
    pending: Sequence[Run]

    @property
    def specs(self) -> Mapping[str, Spec]:
        return {case.case: case.spec for case in self.cases}

    def document(self) -> dict[str, Any]:
        """What study.json holds."""
        return rules.plan_document(self.study, self.cases, self.whole_order)


class NotProvisioned(StudyError):
    """The nodes were provisioned from other files than the project's."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"{', '.join(names)}: not provisioned since its start, or from other files than this project's "
            "roles, release and inventory are now; run playbooks/provision.yml (postcopy-lab provision) first"
        )
        self.names = names


def pair_of(request: Request) -> tuple[str, str]:
    """(source, destination) of the pair that runs here."""
    if not 0 <= request.pair < request.pairs:
        raise StudyError(f"pair: {request.pair} is not allowed (allowed: 0 to {request.pairs - 1})")
    needed, found = 2 * request.pairs, len(request.computes)
    if needed > found:
        raise StudyError(
            f"inventory: group compute: {found} computes, {needed} are needed (allowed: two for each pair)"
        )
    return request.computes[2 * request.pair], request.computes[2 * request.pair + 1]


def ready_patience_seconds(spec: Spec) -> int:
    """How long a guest may take to boot, and again to fill its memory: far longer than it should."""
    return BOOT_PATIENCE_SECONDS + spec.stressed_bytes // SLOWEST_FILL_BYTES_PER_SECOND


def stuck_seconds(spec: Spec) -> float:
    """How long a migration may take: pre-copy's limit, post-copy at a tenth of the link, its recovery."""
    sent_before = not spec.mode.has_postcopy or spec.mode.whole_passes
    memory_bits = 8 * (2 * spec.stressed_bytes if sent_before else spec.ram_bytes)
    postcopy = 60 + 10 * memory_bits // spec.link_rate_bits_per_second
    return spec.limit_seconds + postcopy + spec.postcopy_recovery_seconds


def deadline_seconds(spec: Spec) -> float:
    """After this a run's measuring processes end by themselves, should nobody have stopped them."""
    return 2 * ready_patience_seconds(spec) + stuck_seconds(spec) + 300


def load_requests(spec: Spec) -> list[str]:
    """What the guest's agent is asked before the migration."""
    requests = []
    if spec.pattern_bytes:
        requests.append(f"pattern start {spec.pattern_bytes}")
    if spec.stress_threads:
        # The memory in use without the stressor, by which the guest's agent tells what all of it needs.
        requests.append("status")
        requests.append(f"stressor start {spec.stressor} {spec.stress_threads} {spec.stress_thread_bytes}")
    return requests


def check_requests(spec: Spec) -> list[str]:
    """What the guest's agent is asked after the migration, the last of it at the end of the quiet seconds."""
    verify = ["pattern verify"] if spec.pattern_bytes else []
    return ["status", *verify, "kernel-log", "progress", "status"]


def probes_of(spec: Spec) -> dict[str, list[str]]:
    """What is measured on which node. Every run has ping and byte counters."""
    probes = {Role.SOURCE: ["nic"], Role.DESTINATION: ["nic", "events"], Role.PROBER: ["ping"]}
    if spec.probes == Probes.ALL:
        for role in MEASURING:
            probes[role] += ["icmp", "clock"]
        probes[Role.PROBER].append("ping_fine")
        probes[Role.DESTINATION].append("links")
        if spec.backend == Backend.LIBVIRT:
            probes[Role.DESTINATION].append("blocktime")
    return {role.value: names for role, names in probes.items()}


def qemu_arguments_of(spec: Spec) -> list[str]:
    """Arguments for QEMU beside libvirt's own. The destination's QEMU gets those of the source's."""
    if spec.network == Network.DELAYED_ANNOUNCEMENT:
        # As many announcements after a migration as this, by itself: the playbook makes one later.
        return ["-global", "migration.announce-rounds=0"]
    return []


def check_networks(cases: Sequence[Case], request: Request) -> None:
    """A fault of the network needs the switch of a lab on one machine, and the kit's own guests."""
    for case in cases:
        if case.spec.network != Network.PLAIN and not (request.switch and request.backend == Backend.LIBVIRT):
            raise StudyError(
                f"{request.study_file}: network: {case.spec.network} in case {case.case} needs a lab on this "
                "machine and the backend libvirt (allowed: plain)"
            )


def check_recovery(cases: Sequence[Case], request: Request) -> None:
    """A post-copy recovers if libvirt keeps both its ends; nova gives it up."""
    if not any(case.spec.postcopy_recovery_seconds for case in cases):
        return
    key = f"{request.study_file}: postcopy_recovery_seconds"
    if request.backend == Backend.NOVA:
        raise StudyError(f"{key}: nova gives up a post-copy that lost its connection (allowed: 0)")
    needed = ".".join(str(part) for part in KEEPS_BROKEN_POSTCOPY_SINCE)
    for name in pair_of(request):
        version = (request.nodes or {}).get(name, {}).get("libvirt_version")
        if tells(version, KEEPS_BROKEN_POSTCOPY_SINCE) is False:
            raise StudyError(
                f"{key}: libvirt {version} on {name} gives up a post-copy that lost its connection "
                f"(allowed: 0, or libvirt {needed} or newer)"
            )


def check_downtimes(cases: Sequence[Case], request: Request) -> None:
    """nova sets the allowed downtime itself, anew while it migrates."""
    if request.backend != Backend.NOVA:
        return
    for case in cases:
        if case.spec.max_downtime_ms != NATIVE:
            raise StudyError(
                f"{request.study_file}: max_downtime_ms: {case.spec.max_downtime_ms} in case {case.case}, "
                "but nova sets the allowed downtime itself, by nova_live_migration_downtime_milliseconds of "
                "its lab (allowed: native)"
            )


def check_switchovers(cases: Sequence[Case], request: Request) -> None:
    """Only a nova that takes requests to complete can be asked to switch over."""
    asked = next((case for case in cases if case.spec.switchover_by == SwitchoverBy.NOVA), None)
    if asked is None or (request.backend == Backend.NOVA and not request.modes):
        return
    why = "its nova takes no such request" if request.backend == Backend.NOVA else "it has no nova"
    raise StudyError(
        f"{request.study_file}: switchover_by: {asked.spec.switchover_by} in case {asked.case}, but the "
        f"lab's backend is {request.backend}, its release {request.release}: {why} "
        f"(allowed: {SwitchoverBy.LIBVIRT})"
    )


def check_modes(cases: Sequence[Case], request: Request) -> None:
    """A nova that switches over by its own settings migrates in one way."""
    for case in cases:
        if request.modes and case.spec.mode not in request.modes:
            raise StudyError(
                f"{request.study_file}: mode: {case.spec.mode} in case {case.case}, but the lab's nova "
                "switches over by its own settings, nova_live_migration_settings of "
                f"releases/{request.release}.yml (allowed: {', '.join(request.modes)})"
            )


def check_provisioned(request: Request) -> None:
    """Raise NotProvisioned if nodes were provisioned from other files."""
    if request.fingerprint:
        nodes = sorted((request.nodes or {}).items())
        names = [name for name, node in nodes if node.get("provisioned") != request.fingerprint]
        if names:
            raise NotProvisioned(names)


def make_plan(request: Request) -> Plan:
    """Check the study against lab and results directory. Raises StudyError."""
    study = study_files.read_study(request.study_file)
    source = str(request.study_file)
    if request.repetitions is not None:
        if not 1 <= request.repetitions <= 999:
            raise StudyError(f"repetitions: {request.repetitions} is not allowed (allowed: 1 to 999)")
        study = replace(study, repetitions=request.repetitions)
    study = rules.at_scale(study, request.scale, source)
    if request.most_runs is not None and request.most_runs < 1:
        raise StudyError(f"most_runs: {request.most_runs} is not allowed (allowed: 1 or more)")
    cases = rules.resolve_cases(study, source, request.backend)
    names = [case.case for case in cases]
    directory = request.results_directory / study.name / request.lab
    study_files.check_results_directory(directory, study, cases, request.lab, request.release)
    dealt = rules.deal_cases(names, request.pairs)
    selected = [name for name in rules.select_cases(names, request.only) if dealt[name] == request.pair]
    whole_order = rules.run_order(names, study.repetitions, study.order_seed)
    order = rules.pending_runs(whole_order, set(), selected)
    pending = rules.pending_runs(order, study_files.finished_runs(directory, order))
    awaited = {name for name, _ in pending}
    wanted = [case for case in cases if case.case in awaited]
    check_networks(wanted, request)
    check_recovery(wanted, request)
    check_downtimes(wanted, request)
    check_switchovers(wanted, request)
    check_modes(wanted, request)
    _check_memory(wanted, request)
    return Plan(study, cases, directory, whole_order, order, pending[: request.most_runs])


def _check_memory(cases: Sequence[Case], request: Request) -> None:
    """The study must fit before anything starts."""
    nodes = request.nodes or {}
    computes = [
        Compute(name, nodes[name]["boot_id"], nodes[name]["memory_available_bytes"])
        for name in pair_of(request)
        if name in nodes
    ]
    if cases and computes:
        rules.check_memory(cases, computes, str(request.study_file))


def address_in_mac(address: str) -> str:
    """The hardware address of a guest that takes its IPv4 address from the last four bytes of it."""
    return "52:54:" + ":".join(f"{int(number):02x}" for number in address.split("."))


def run_items(plan: Plan, request: Request) -> list[dict[str, Any]]:
    """The pending runs as the playbook needs them, plain data."""
    source, destination = pair_of(request)
    items: list[dict[str, Any]] = []
    numbers = {run: number for number, run in enumerate(plan.order, start=1)}
    specs, total = plan.specs, len(plan.order)
    for place, run in enumerate(plan.pending):
        case, repetition = run
        spec, number = specs[case], numbers[run]
        items.append(
            {
                "study": plan.study.name,
                "lab": request.lab,
                "case": case,
                "repetition": repetition,
                "spec": msgspec.to_builtins(spec),
                "number": number,
                "total": total,
                "label": f"Run {number}/{total} {case} {repetition:02d}",
                "directory": str(study_files.run_directory(plan.directory, case, repetition)),
                "node_directory": f"{NODE_RUNS_DIRECTORY}/{case}/{repetition:02d}",
                "source": source,
                "destination": destination,
                "probes": probes_of(spec),
                "requests": load_requests(spec),
                "check_requests": check_requests(spec),
                "switchover_iteration": spec.mode.switchover_iteration,
                "ready_patience_seconds": ready_patience_seconds(spec),
                "stuck_seconds": stuck_seconds(spec),
                "deadline_seconds": deadline_seconds(spec),
                "guest": _guest(run, spec, request, place),
            }
        )
    for place, item in enumerate(items):
        item["next_guest"] = items[place + 1]["guest"] if place + 1 < len(items) else None
    return items


def _guest(run: Run, spec: Spec, request: Request, place: int) -> dict[str, Any]:
    # The next guest boots while this one is removed: two addresses, by turns.
    number = 2 * request.pair + place % 2
    address = f"{request.guest_network}.{100 + number}"
    of_nova = request.backend == Backend.NOVA
    return {
        "name": f"postcopy-lab-{run[0]}-{run[1]:02d}",
        "address": address,
        "mac": address_in_mac(address) if of_nova else f"52:54:00:91:02:{number:02x}",
        "vcpus": spec.vcpus,
        "memory_bytes": spec.ram_bytes,
        "qemu_arguments": qemu_arguments_of(spec),
    }
