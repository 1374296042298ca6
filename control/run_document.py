"""run.json from what the modules of a run returned. Pure; run_outcome.py says what became of the run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from contract.choices import Backend, Probes
from contract.evidence import PROBE_LOG, expected_files
from contract.nodes import HOSTS
from contract.older import SCHEMA
from contract.outcomes import RunCause, RunOutcome
from control import pauses, run_files, run_outcome
from control.study_nodes import started_anew

# What a module returned, {} or None where it was not reached.
Result = Mapping[str, Any]
QUIET_SECONDS = 5.0


def answers_to(conversation: Result | None, request: str) -> list[dict[str, Any]]:
    """All answers of a guest_agent task to one request, in order."""
    return [
        item["answer"] for item in (conversation or {}).get("answers") or [] if item["request"] == request
    ]


def check_of(conversation: Result | None, kernel_log: Sequence[str]) -> dict[str, Any]:
    """What the check after a migration found out, in the form that run_outcome.py wants."""
    if not conversation:
        return {}
    status = answers_to(conversation, "status")
    patterns = answers_to(conversation, "pattern verify")
    pattern = None
    if patterns:
        keys = ("pages", "bad_pages", "stale_pages", "torn_pages", "generation")
        pattern = {key: patterns[-1].get(key) for key in keys}
    return {
        "answered": bool(conversation.get("answered")),
        "error": conversation.get("error"),
        "status_before": status[0] if status else None,
        "status_after": status[-1] if len(status) > 1 else None,
        "pattern": pattern,
        "kernel_log": kernel_log,
    }


def run_document(
    run: Mapping[str, Any],
    results: Mapping[str, Any],
    logs: Mapping[str, Any],
    missing: Sequence[str],
    node_names: Mapping[str, str],
    recorded_at: float,
    session: int | None = None,
) -> dict[str, Any]:
    """The whole of run.json.

    `run`: the item of a plan's pending list. `results`: {"boot", "fill", "migration", "check": module results
    or {}, "announced": likewise, "guest_gone": whether the source had lost it while it was waited for,
    "stopped": {role: result}, "fault": {} or {"step", "detail"}}. A result of a task that failed, or
    whose node could not be reached, has "failed" or "unreachable", and "msg". `logs`: {"source",
    "destination", "guest": lines of console or kernel log; "nova": of nova's logs; "qemu": of the log of the
    destination's QEMU; "source_qemu": of the source's;
    "probes": {role: what its measuring process said}; "cut_short": names of logs read in part only;
    "not_unpacked": a line for each archive of which a part could not be unpacked; "signs": pauses.Signs}.
    `missing`: names of evidence files that are not there. `node_names`: {"source", "destination", "prober"}.
    `recorded_at`: UTC epoch seconds. `session`: number of the lab's description that it was made with.
    """
    boot, fill, migration = (results.get(key) or {} for key in ("boot", "fill", "migration"))
    stopped = results.get("stopped") or {}
    fault = run_outcome.fault_of(results, node_names)
    evidence = {
        "spec": run["spec"],
        "fault": fault,
        "boot": boot,
        "fill": fill,
        "guest_gone": results.get("guest_gone"),
        "migration": migration,
        "check": check_of(results.get("check"), logs["guest"]),
        "domains": {role: (stopped.get(role) or {}).get("guest_state") for role in HOSTS},
        "consoles": {role: logs[role] for role in HOSTS},
        "unfit_node": node_that_was_started_anew(stopped, node_names)
        or node_that_stood_still(logs.get("signs"), node_names, migration),
        "lost_carrier": node_that_lost_carrier(stopped, node_names),
        "source": node_names["source"],
        "destination": node_names["destination"],
    }
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "study": run["study"],
        "lab": run["lab"],
        "session": session,
        "case": run["case"],
        "repetition": run["repetition"],
        "spec": run["spec"],
        "nodes": node_names,
        "started_at": boot.get("started_at") or recorded_at,
        "finished_at": recorded_at,
        "driver": {
            key: migration.get(key)
            for key in (
                "requested_at",
                "first_pass_at",
                "switchover_requested_at",
                "finished_at",
                "max_downtime_ms",
                "recovery",
            )
        },
        "guest": {
            "name": run["guest"]["name"],
            "address": run["guest"]["address"],
            "boot_seconds": difference(fill.get("ready_at"), boot.get("started_at")),
            "fill_seconds": difference(fill.get("finished_at"), fill.get("ready_at")),
            "resident_bytes_before_migration": fill.get("resident_bytes"),
        },
        "steps_seconds": steps_seconds(results, recorded_at),
        "accelerator": boot.get("accelerator"),
        "qemu_version": migration.get("qemu_version"),
        "libvirt_version": migration.get("libvirt_version"),
    }
    document.update(run_outcome.outcome_of(evidence))
    if run["spec"]["backend"] == Backend.NOVA:
        document["nova"] = nova_of(boot, migration)
        error = nova_error(logs.get("nova") or [])
        if document["outcome"] == RunOutcome.FAILED and error:
            document["cause_detail"] = f"{document['cause_detail']}; nova-compute.log: {error}"[:600]
    if document["cause_detail"] == run_outcome.GONE:
        document["cause_detail"] = f"{run_outcome.GONE}: {last_words(logs.get('source_qemu') or [])}"
    error = qemu_error(logs.get("qemu") or [])
    if document["cause"] in (RunCause.MIGRATION_FAILED, RunCause.MIGRATION_STUCK) and error:
        document["cause_detail"] = f"{document['cause_detail']}; QEMU on the destination: {error}"
    document["warnings"] = warnings(
        run["spec"], results, missing, logs.get("probes"), logs.get("cut_short") or ()
    ) + list(logs.get("not_unpacked") or ())
    if fault and document["cause"] != RunCause.LAB_FAULT:
        document["warnings"].append(f"failed afterwards: {run_outcome.fault_text(fault)}")
    plain: dict[str, Any] = msgspec.to_builtins(document)
    return plain


def nova_of(boot: Result, migration: Result) -> dict[str, Any]:
    """What nova itself says: its record of the migration, the instance afterwards, when the end was seen."""
    return {
        "server_id": boot.get("server_id"),
        "migration": migration.get("nova_migration"),
        "instance": migration.get("nova_instance"),
        "ended_at": migration.get("nova_ended_at"),
    }


def nova_error(lines: Iterable[str]) -> str | None:
    """The first error that nova-compute logged, in its own words; None if there is none."""
    for line in lines:
        words = line.split(" ERROR ", 1)
        if len(words) == 2:
            return " ".join(words[1].split())[:250]
    return None


# QEMU's own lines, with libvirt's time stamp or without: "qemu-system-x86_64: load of migration failed: ...".
_QEMU_LINE = re.compile(r"^(?:\d{4}-\d\d-\d\dT\S+ )?\S*qemu[^\s:]*: (.+)$")
_QEMU_TALK = re.compile(r"warning: |info: |terminating on signal ")


def qemu_error(lines: Iterable[str]) -> str | None:
    """The last error in QEMU's log, and the one before it where the last says only that loading failed."""
    words = [found.group(1) for found in map(_QEMU_LINE.match, lines) if found]
    errors = [word.strip() for word in words if not _QEMU_TALK.match(word)]
    if not errors:
        return None
    wanted = 2 if errors[-1].startswith("load of migration failed") else 1
    return "; ".join(errors[-wanted:])[:300]


def node_that_was_started_anew(stopped: Mapping[str, Any], node_names: Mapping[str, str]) -> str | None:
    """Which node was started anew in the run, one line; None if none was."""
    names = [node_names[role] for role in stopped if started_anew(stopped[role])]
    return f"{', '.join(names)} was started anew in the run, without its link's rate" if names else None


def node_that_lost_carrier(stopped: Mapping[str, Any], node_names: Mapping[str, str]) -> str | None:
    """Which interfaces lost their carrier in the run, one line; None if none did."""
    lost = [
        f"{interface} of {node_names[role]}"
        for role in stopped
        for interface in (stopped[role] or {}).get("lost_carriers") or ()
    ]
    return f"{', '.join(lost)} lost carrier in the run" if lost else None


def node_that_stood_still(
    signs: pauses.Signs | None, node_names: Mapping[str, str], migration: Result
) -> str | None:
    """Which node stood still in the migration, one line; None if none did, or nothing was migrated."""
    requested, finished = migration.get("requested_at"), migration.get("finished_at")
    if signs is None or requested is None or finished is None:
        return None
    return pauses.stood_still(signs, node_names, requested, finished)


def last_words(lines: Sequence[str]) -> str:
    """What a QEMU that ended said last: its error, else the last line that it or libvirt wrote."""
    said = [line.strip() for line in lines if line.strip()]
    return qemu_error(lines) or (said[-1][:300] if said else "it left no word")


def difference(later: float | None, earlier: float | None) -> float | None:
    """Seconds between two times; None where one is not known."""
    return None if later is None or earlier is None else round(later - earlier, 3)


def steps_seconds(results: Mapping[str, Any], recorded_at: float) -> dict[str, float | None]:
    """The run's wall time, divided among its steps without gaps: what a task waits for belongs to its step.

    Times come from several nodes' clocks; on a lab of several machines they carry the clocks' offsets.
    """
    boot, fill, migration, check = (results.get(key) or {} for key in ("boot", "fill", "migration", "check"))
    stops = [
        stop["finished_at"] for stop in (results.get("stopped") or {}).values() if stop.get("finished_at")
    ]
    stopped_at = max(stops) if stops else None
    ended_at = migration.get("finished_at")
    quiet_until = None if ended_at is None else ended_at + QUIET_SECONDS
    return {
        "boot": difference(fill.get("ready_at"), boot.get("started_at")),
        "fill": difference(fill.get("finished_at"), fill.get("ready_at")),
        "probes_start": difference(migration.get("requested_at"), fill.get("finished_at")),
        "migrate": difference(ended_at, migration.get("requested_at")),
        "quiet": difference(quiet_until, ended_at),
        "check": difference(check.get("finished_at"), quiet_until),
        "clean": difference(stopped_at, check.get("finished_at")),
        "collect": difference(recorded_at, stopped_at),
    }


def complaint(lines: Iterable[str]) -> str:
    """What a measuring process said, in one line: its words without a traceback's frames."""
    words = [line.strip() for line in lines if line.strip() and not line.startswith((" ", "Traceback"))]
    return "; ".join(words)[:300]


def warnings(
    spec: Mapping[str, Any],
    results: Mapping[str, Any],
    missing: Sequence[str],
    said: Mapping[str, Sequence[str]] | None = None,
    cut_short: Sequence[str] = (),
) -> list[str]:
    """What a reader of the figures should know, one line each.

    `missing`: evidence that a whole run may have and this one lacks. `said`: lines that each role's measuring
    process wrote. `cut_short`: names of logs that were too long to be read whole.
    """
    found = []
    for role, stop in sorted((results.get("stopped") or {}).items()):
        if stop.get("was_running") is False:
            found.append(f"the measuring process on the {role} had ended before the run did")
        elif stop.get("was_running") is None:
            found.append(f"the measuring process on the {role} was not stopped")
    judged_mib = run_files.MOST_CONSOLE_BYTES >> 20
    found += [f"{name}: too long, only its first {judged_mib} MiB were judged" for name in cut_short]
    for role, lines in sorted((said or {}).items()):
        if complaint(lines):
            found.append(f"{role}/{PROBE_LOG}: {complaint(lines)}")
    outcome = (results.get("migration") or {}).get("outcome")
    expected = {
        file.path
        for file in expected_files(
            spec.get("backend", Backend.LIBVIRT),
            spec.get("probes", Probes.ALL),
            with_pattern=spec["pattern_bytes"] > 0,
            # A guest that never came had its tap there for too short a time to be captured, or never.
            guest_came=outcome == "migrated",
        )
    }
    lacking = [name for name in missing if name in expected]
    # A run that ended before its migration has no evidence of one.
    if lacking and outcome:
        found.append("missing evidence: " + ", ".join(lacking))
    return found
