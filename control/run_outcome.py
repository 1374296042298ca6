"""What became of a run: outcome, cause, validity. Pure functions over what the modules of a run returned.

Success is shown, not assumed: libvirt may report a migration completed whose guest is dead or damaged. A
run is completed only if the guest runs on the destination, is gone from the source and answers, its kernel
logged no damage, its stressor goes on, and every page of its pattern is whole and current.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from contract.downtimes import allowed_milliseconds, usual_max_downtime_ms
from contract.libvirt_versions import TELLS_ITERATIONS_SINCE, tells
from contract.modes import Mode
from contract.nodes import HOSTS, MEASURING, Role
from contract.outcomes import EndedIn, RunCause, RunOutcome
from control.kernel_log import UNREAD, damage_lines, stall_line
from control.study import PAGE_BYTES

# What the modules of a run returned, see `outcome_of`.
Results = Mapping[str, Any]

# Bytes sent before the switchover against the memory that the guest has in use: that times a share, and some
# bytes. Recorded in 112 hybrid runs (examples/, QEMU 10.0): 0.957 to 1.137 of it, under stress 24 MiB less
# to 318 MiB more, idle 20 MiB less to 25 MiB more; an idle guest on wp3's QEMU 1.26 (26 MiB more). More may
# travel, since pages that were freed are not zero again and those written meanwhile are sent as they are;
# less if pages in use are all zero, or if a worker took the pages that another had just freed (0.91, eight
# workers on one emulating thread). So the least counts only where QEMU's pages are not told. A second pass
# under stress adds the stressed memory again.
LEAST_SENT = (0.95, -16 * 1024 * 1024)
MOST_SENT = (1.15, 32 * 1024 * 1024)
# A guest with memory above 4 GiB sets a bounce buffer aside ("software IO TLB: mapped ... (64MB)" in its
# log) that stays zero without old hardware. QEMU's machine pc puts memory there when it has more than 3.5
# GiB.
BOUNCE_BUFFER_BYTES = 64 * 1024 * 1024
BOUNCE_BUFFER_FROM_BYTES = 3584 * 1024 * 1024
# One pass looks at every page of the guest once, whatever is in it. Recorded in 178 hybrid runs (QEMU 2.4.50
# to 10.0): 0.996 at least, and as much less as could be sent within the allowed downtime: with so much left
# QEMU takes a pass for done. Job statistics are 50 ms apart, so the end of a pass may be unseen.
PASS_RATIO_MINIMUM = 0.99
# Processor time that a stressor takes of each second of its guest: a worker never sleeps. Recorded: 0.34 at
# least, on a machine busy with other work.
LEAST_STRESSOR_SHARE = 0.1
# Each page of the pattern was written once more since it was filled, at least: only then can one that is
# stale be told. Recorded: 3 at least.
LEAST_GENERATION = 2


def outcome_of(evidence: Results) -> dict[str, Any]:
    """Outcome, cause, validity, integrity and switchover check of a run, as run.json holds them.

    `evidence`: spec; fault (null or {"step", "detail"}); boot, fill, migration, check (what the modules
    returned, {} where a step was not reached); domains {"source", "destination": state or null};
    consoles {"source", "destination": lines}; guest_gone; unfit_node (which node was, one line, or null);
    lost_carrier (which interface did, one line, or null); source and destination (node names).
    """
    integrity = integrity_of(evidence)
    outcome, cause, detail = _outcome(evidence, integrity)
    check = switchover_check(evidence)
    reason = invalid_reason(evidence, check)
    return {
        "outcome": outcome,
        "cause": cause,
        "cause_detail": None if detail is None else " ".join(str(detail).split())[:300],
        "valid": reason is None,
        "invalid_reason": reason,
        "ended_in": ended_in(evidence),
        "integrity": integrity,
        "switchover_check": check,
    }


def ended_in(evidence: Results) -> EndedIn | None:
    """The phase in which the guest moved; None if libvirt does not say that it did."""
    migration = evidence.get("migration") or {}
    if migration.get("outcome") != "migrated":
        return None
    return EndedIn.POSTCOPY if migration.get("switched") else EndedIn.PRECOPY


def integrity_of(evidence: Results) -> dict[str, Any]:
    """What is known of the guest after the migration; "checked" says whether it answered at all."""
    check = evidence.get("check") or {}
    before, after = check.get("status_before"), check.get("status_after")
    console_lines = evidence["consoles"]["source"] + evidence["consoles"]["destination"]
    # The guest keeps the first lines of its log that may tell of damage, though many others follow.
    kept = (after or before or {}).get("kernel_log_errors") or []
    errors = damage_lines(console_lines + (check.get("kernel_log") or []) + kept)
    alive, progressing = _stressor(before, after)
    states = evidence["domains"]
    running = [role for role in HOSTS if states.get(role) == "running"]
    absent = [role for role in HOSTS if states.get(role) == "absent"]
    return {
        "checked": bool(check.get("answered")),
        "kernel_log_errors": errors,
        "stressor_alive": alive,
        "stressor_progressing": progressing,
        "pattern": check.get("pattern"),
        "alive_on": ", ".join(evidence[role] for role in running) or None,
        "absent_on": ", ".join(evidence[role] for role in absent) or None,
    }


def _stressor(before: Results | None, after: Results | None) -> tuple[bool | None, bool | None]:
    """Whether all workers live and whether they still work; None where there is no stressor.

    They work if they take LEAST_STRESSOR_SHARE of the time between two answers of their guest.
    """
    if not before or not after or not (after.get("stressor") or {}).get("name"):
        return None, None
    first, last = before.get("stressor") or {}, after["stressor"]
    # stress has a moment between two workers' lives only when one dies: its workers stay for good.
    alive = bool(last.get("running")) and last.get("workers_alive", 0) >= last.get("workers_started", 0)
    taken = last.get("cpu_seconds", 0) - first.get("cpu_seconds", 0)
    passed = after.get("uptime_seconds", 0) - before.get("uptime_seconds", 0)
    return alive, taken > 0 and taken >= LEAST_STRESSOR_SHARE * passed


def _outcome(evidence: Results, integrity: Results) -> tuple[RunOutcome, RunCause | None, str | None]:
    migration = evidence.get("migration") or {}
    if migration.get("outcome") == "stuck":
        waited = f"no end after {migration.get('waited_seconds')} s"
        return RunOutcome.FAILED, RunCause.MIGRATION_STUCK, migration.get("error") or waited
    # A migration that failed tells why; what failed after it does not change that.
    if migration.get("outcome") == "failed":
        detail = migration.get("error") or "no reason given"
        return RunOutcome.FAILED, RunCause.MIGRATION_FAILED, detail + _lost_guest(evidence, migration)
    fault = evidence.get("fault")
    if fault:
        return RunOutcome.ABORTED, RunCause.LAB_FAULT, fault_text(fault)
    boot, fill = evidence.get("boot") or {}, evidence.get("fill") or {}
    if boot.get("error"):
        return RunOutcome.FAILED, RunCause.BOOT_FAILED, boot["error"]
    if fill.get("error"):
        cause = RunCause.BOOT_FAILED if fill.get("ready_at") is None else RunCause.FILL_FAILED
        return (
            RunOutcome.FAILED,
            cause,
            GONE if evidence.get("guest_gone") else fill["error"] + _stalled(evidence),
        )
    if migration.get("outcome") not in ("migrated", "aborted"):
        return RunOutcome.FAILED, RunCause.MIGRATION_FAILED, migration.get("error") or "no reason given"
    home = Role.DESTINATION if migration["outcome"] == "migrated" else Role.SOURCE
    fault = guest_fault(evidence, integrity, home)
    if fault is not None:
        return RunOutcome.FAILED, *fault
    return RunOutcome.COMPLETED if home == Role.DESTINATION else RunOutcome.NOT_CONVERGED, None, None


def _stalled(evidence: Results) -> str:
    """What is added to the reason where the guest's kernel says that it does not get on."""
    line = stall_line(evidence["consoles"]["source"])
    return f"; its kernel: {line}" if line else ""


def _lost_guest(evidence: Results, migration: Results) -> str:
    """What is added to the reason where the guest, which is on the destination, has not all of its memory."""
    check = evidence.get("check") or {}
    if not migration.get("switched") or check.get("answered") is not False:
        return ""
    return f"; the guest is lost: it does not answer on {evidence['destination']} since the switchover"


# What a guest that ended before its migration is said to have done.
GONE = "the guest's QEMU ended on the source"
# The steps of a run that wait for one node, by their results' names.
_STEPS = {
    "fill": ("Fill", Role.PROBER),
    "migration": ("Migrate", Role.SOURCE),
    "announced": ("Announce the guest", Role.DESTINATION),
    "check": ("Check", Role.PROBER),
}
# Mitogen's words for a node that went away while it was asked; what follows them asks for a report of a bug.
_MITOGEN_LOST = "Mitogen was disconnected from the remote environment"


def fault_of(results: Results, node_names: Mapping[str, str]) -> dict[str, Any] | None:
    """{"step", "detail"} of what failed in the lab first: a task, or a node that did not answer one.

    `results`, `node_names`: as run_document.run_document takes them.
    """
    for key, (step, role) in _STEPS.items():
        result = results.get(key) or {}
        said = result.get("msg") or "no reason given"
        if result.get("unreachable"):
            lost = f"lost the connection to {node_names[role]}"
            return {"step": step, "detail": lost if said.startswith(_MITOGEN_LOST) else f"{lost}: {said}"}
        if result.get("failed"):
            return {"step": step, "detail": said}
    if results.get("fault"):
        return dict(results["fault"])
    for role in MEASURING:
        if not (results.get("stopped") or {}).get(role):
            return {"step": "Stop the probes", "detail": f"lost the connection to {node_names[role]}"}
    return None


def fault_text(fault: Results) -> str:
    """A fault of the lab in one line."""
    return f"{fault['step']}: {fault['detail']}"


def guest_fault(evidence: Results, integrity: Results, home: Role) -> tuple[RunCause, str] | None:
    """Cause and detail of what is wrong with the guest, None if it is shown intact on its host."""
    other = Role.SOURCE if home == Role.DESTINATION else Role.DESTINATION
    check = evidence.get("check") or {}
    pattern = integrity["pattern"] or {}
    complaints = [line for line in integrity["kernel_log_errors"] if UNREAD not in line]
    damaged = [f"{pattern[key]} {key.replace('_', ' ')}" for key in DAMAGED_PAGES if pattern.get(key)]
    unshown = pattern_fault(evidence, integrity["pattern"])
    rules = (
        (bool(complaints), RunCause.GUEST_CORRUPTED, f"kernel: {_shortened(complaints)}"),
        (bool(damaged), RunCause.GUEST_CORRUPTED, f"pattern: {_shortened(damaged)}"),
        (evidence["domains"].get(home) != "running", RunCause.GUEST_LOST, f"is not running on the {home}"),
        (
            evidence["domains"].get(other) != "absent",
            RunCause.GUEST_LEFT_BEHIND,
            f"is not absent on the {other}",
        ),
        (
            not integrity["checked"],
            RunCause.GUEST_UNREACHABLE,
            check.get("error") or "the agent does not answer",
        ),
        (bool(integrity["kernel_log_errors"]), RunCause.GUEST_UNCHECKED, UNREAD),
        (unshown is not None, RunCause.GUEST_UNCHECKED, unshown or ""),
        (integrity["stressor_alive"] is False, RunCause.GUEST_CORRUPTED, "the stressor died"),
        (integrity["stressor_progressing"] is False, RunCause.GUEST_CORRUPTED, "the stressor stood still"),
        (_stressor_missing(evidence, integrity), RunCause.GUEST_UNCHECKED, "no answer about the stressor"),
    )
    return next(((cause, detail) for found, cause, detail in rules if found), None)


def _shortened(lines: Sequence[str]) -> str:
    """The first two, which tell what happened; a broken kernel goes on complaining about itself."""
    more = len(lines) - 2
    return "; ".join(lines[:2]) + (f" (and {more} more)" if more > 0 else "")


DAMAGED_PAGES = ("bad_pages", "stale_pages", "torn_pages")


def pattern_fault(evidence: Results, pattern: Results | None) -> str | None:
    """Why the pattern shows nothing, one line; None if it shows that memory is whole, or damaged."""
    wanted = evidence["spec"]["pattern_bytes"] // PAGE_BYTES
    if not wanted:
        return None
    if not pattern or pattern.get("pages") is None:
        return "no answer about the memory pattern"
    if pattern["pages"] < wanted:
        return f"{pattern['pages']} of the pattern's {wanted} pages were looked at"
    if any(pattern.get(key) is None for key in DAMAGED_PAGES):
        return "no count of the pattern's damaged pages"
    if (pattern.get("generation") or 0) < LEAST_GENERATION:
        return "the pattern was not rewritten once: no stale page could be told"
    check, fill = evidence.get("check") or {}, evidence.get("fill") or {}
    before = _written(fill.get("status"))
    if before is not None and (_written(check.get("status_before")) or 0) <= before:
        return "nothing was written to the pattern since before the migration"
    return None


def _written(status: Results | None) -> int | None:
    """Bytes that the guest's program has written to its pattern; None where it did not say."""
    return ((status or {}).get("pattern") or {}).get("bytes_written")


def _stressor_missing(evidence: Results, integrity: Results) -> bool:
    return evidence["spec"]["stress_threads"] > 0 and integrity["stressor_alive"] is None


def switchover_check(evidence: Results) -> dict[str, Any] | None:
    """Bytes sent before the switchover against the guest's resident memory; None without a whole pass.

    All bytes of a migration that ended in pre-copy: of the completed job where libvirt tells of it, else of
    its last sample.
    """
    migration = evidence.get("migration") or {}
    job = migration.get("job_before_switchover")
    iteration = migration.get("iteration_at_switchover")
    if ended_in(evidence) == EndedIn.PRECOPY:
        job = migration.get("job_completed") or job
        iteration = (job or {}).get("memory_iteration", iteration)
    if not Mode.named(evidence["spec"]["mode"]).whole_passes or not job:
        return None
    sent = job.get("memory_processed", job.get("data_processed", 0))
    resident = resident_bytes(evidence)
    pages = job.get("memory_constant", 0) + job.get("memory_normal", 0)
    total_pages = job.get("memory_total", 0) // PAGE_BYTES
    return {
        "bytes_before_switchover": sent,
        "resident_bytes": resident,
        "ratio": round(sent / resident, 4) if resident else None,
        "pass_ratio": round(pages / total_pages, 4) if total_pages else None,
        "iteration": iteration,
    }


def resident_bytes(evidence: Results) -> int | None:
    """Memory that the guest had in use at most: what its kernel counts, and what it keeps out of MemTotal.

    The kernel's code and page structures are not in MemTotal but travel like all other memory.
    """
    fill = evidence.get("fill") or {}
    if not fill.get("resident_bytes") or not fill.get("memory_total_bytes"):
        return None
    ram_bytes: int = evidence["spec"]["ram_bytes"]
    resident: int = fill["resident_bytes"]
    outside: int = ram_bytes - fill["memory_total_bytes"]
    if ram_bytes > BOUNCE_BUFFER_FROM_BYTES:
        outside -= BOUNCE_BUFFER_BYTES
    return resident + outside


def invalid_reason(evidence: Results, check: Results | None) -> str | None:
    """Why a run's figures must not be used although it ended well; None if they may."""
    return evidence.get("unfit_node") or _mode_fault(evidence, check) or evidence.get("lost_carrier")


def _mode_fault(evidence: Results, check: Results | None) -> str | None:
    """Why a migration was not one of its mode; None if it was."""
    migration = evidence.get("migration") or {}
    mode = Mode.named(evidence["spec"]["mode"])
    if not mode.has_postcopy or migration.get("outcome") != "migrated":
        return None
    if ended_in(evidence) == EndedIn.PRECOPY:
        return _early_end_fault(evidence, check, mode)
    recovery = migration.get("recovery")
    if recovery:
        waited_seconds = recovery["recovered_at"] - recovery["failed_at"]
        return (
            f"post-copy lost its connection: the guest arrived {waited_seconds:.1f} s after libvirt gave up"
        )
    if not mode.whole_passes:
        return None
    if check is None:
        return "no job statistics from before the switchover"
    # wp3's libvirt switches over by itself and tells no iterations: there the bytes alone decide.
    told = tells(migration.get("libvirt_version"), TELLS_ITERATIONS_SINCE) is not False
    if told and check["iteration"] != mode.switchover_iteration:
        at = "unknown" if check["iteration"] is None else check["iteration"]
        passes = "one pass" if mode.whole_passes == 1 else f"{mode.whole_passes} passes"
        return (
            f"it switched at iteration {at}, not at {mode.switchover_iteration}: not after exactly {passes}"
        )
    return _pass_fault(evidence, check, mode)


def _early_end_fault(evidence: Results, check: Results | None, mode: Mode) -> str | None:
    """What speaks against a migration that was over before its switchover; None if it was its passes alone.

    It may be: where what is left fits the allowed downtime, QEMU stops the guest and sends it. Iterations do
    not tell, since QEMU counts more of them at the end, and an idle guest's further passes are of some pages.
    The bytes do: a guest that was passed over again under load sent more than its passes take.
    """
    if not mode.whole_passes:
        return "it ended in pre-copy: there was no switchover to post-copy"
    if check is None:
        return "it ended in pre-copy, without job statistics that show how much was sent"
    fault = _pass_fault(evidence, check, mode)
    return None if fault is None else f"it ended in pre-copy: {fault}"


def _bytes_left(evidence: Results) -> int:
    """What may be missing of a pass, where QEMU allows a downtime: what the link carries in that time."""
    spec, migration = evidence["spec"], evidence.get("migration") or {}
    allowed = migration.get("max_downtime_ms") or spec.get("max_downtime_ms")
    if allowed is None:
        allowed = usual_max_downtime_ms(Mode.named(spec["mode"]), spec["backend"])
    return int(allowed_milliseconds(allowed) * spec["link_rate_bits_per_second"] / 8000)


def _pass_fault(evidence: Results, check: Results, mode: Mode) -> str | None:
    """What bytes and pages say against whole passes; more than one pass has no upper bound of bytes."""
    sent, resident = check["bytes_before_switchover"], check["resident_bytes"]
    if resident is None:
        return "the guest's resident memory is not known: no pass can be told by its bytes"
    low, high = (int(share * resident + bytes_more) for share, bytes_more in (LEAST_SENT, MOST_SENT))
    bytes_left = _bytes_left(evidence)
    low -= bytes_left
    if ended_in(evidence) == EndedIn.PRECOPY:
        # What was left after the pass was sent while the guest stood still.
        high += bytes_left
    too_few = check["pass_ratio"] is None and sent < low
    if too_few or (mode.whole_passes == 1 and sent > high):
        ratio = f"{sent} / {resident} = {check['ratio']}"
        return f"bytes before the switchover / resident bytes = {ratio}, allowed {low} to {high} bytes"
    least_ratio = PASS_RATIO_MINIMUM - bytes_left / evidence["spec"]["ram_bytes"]
    if check["pass_ratio"] is not None and check["pass_ratio"] < least_ratio:
        seen = f"{check['pass_ratio']} of the guest's pages were looked at, allowed {least_ratio:.4f} or more"
        return f"the first pass was not a whole one: {seen}"
    return None
