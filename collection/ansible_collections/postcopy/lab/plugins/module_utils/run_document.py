# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""run.json from what the modules of a run returned. Pure; judgement.py says what became of the run."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.postcopy.lab.plugins.module_utils import judgement, run_files

SCHEMA = 1
QUIET_SECONDS = 5.0


def answers_to(conversation, request):
    """All answers of a guest_agent task to one request, in order."""
    return [
        item["answer"] for item in (conversation or {}).get("answers") or [] if item["request"] == request
    ]


def check_of(conversation, kernel_log):
    """What the check after a migration found out, in the form that judgement.py wants."""
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


def run_document(run, results, logs, missing, node_names, recorded_at, session=None):
    """The whole of run.json.

    :param run: the item of study_plan's pending list
    :param results: {"boot", "fill", "migration", "check": module results or {}, "stopped": {role: result},
        "fault": {} or {"step", "detail"}}
    :param logs: {"source", "destination", "guest": lines of console or kernel log; "nova": of nova's logs;
        "qemu": of the log of the destination's QEMU; "probes": {role: what its measuring process said};
        "cut_short": names of logs read in part only}
    :param missing: names of evidence files that are not there
    :param node_names: {"source", "destination", "prober"}
    :param recorded_at: UTC epoch seconds
    :param session: number of the lab's description that it was made with
    """
    boot, fill, migration = (results.get(key) or {} for key in ("boot", "fill", "migration"))
    stopped = results.get("stopped") or {}
    evidence = {
        "spec": run["spec"],
        "fault": results.get("fault"),
        "boot": boot,
        "fill": fill,
        "migration": migration,
        "check": check_of(results.get("check"), logs["guest"]),
        "domains": {role: (stopped.get(role) or {}).get("guest_state") for role in ("source", "destination")},
        "consoles": {role: logs[role] for role in ("source", "destination")},
        "source": node_names["source"],
        "destination": node_names["destination"],
    }
    document = {
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
            for key in ("requested_at", "first_pass_at", "switch_requested_at", "finished_at")
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
    document.update(judgement.judge(evidence))
    if run["spec"]["backend"] == "nova":
        document["nova"] = nova_of(boot, migration)
        error = nova_error(logs.get("nova") or [])
        if document["outcome"] == "failed" and error:
            document["cause_detail"] = ("%s; nova-compute.log: %s" % (document["cause_detail"], error))[:600]
    error = qemu_error(logs.get("qemu") or [])
    if document["cause"] in ("migration_failed", "migration_stuck") and error:
        document["cause_detail"] = "%s; QEMU on the destination: %s" % (document["cause_detail"], error)
    document["warnings"] = warnings(
        run["spec"], results, missing, logs.get("probes"), logs.get("cut_short") or ()
    )
    return document


def nova_of(boot, migration):
    """What nova itself says: its record of the migration, the instance afterwards, when the end was seen."""
    return {
        "server_id": boot.get("server_id"),
        "migration": migration.get("nova_migration"),
        "instance": migration.get("nova_instance"),
        "ended_at": migration.get("nova_ended_at"),
    }


def nova_error(lines):
    """The first error that nova-compute logged, in its own words; None if there is none."""
    for line in lines:
        words = line.split(" ERROR ", 1)
        if len(words) == 2:
            return " ".join(words[1].split())[:250]
    return None


# QEMU's own lines, with libvirt's time stamp or without: "qemu-system-x86_64: load of migration failed: ...".
_QEMU_LINE = re.compile(r"^(?:\d{4}-\d\d-\d\dT\S+ )?\S*qemu[^\s:]*: (.+)$")
_QEMU_TALK = re.compile(r"warning: |info: |terminating on signal ")


def qemu_error(lines):
    """The last error in QEMU's log, and the one before it where the last says only that loading failed."""
    words = [found.group(1) for found in map(_QEMU_LINE.match, lines) if found]
    errors = [word.strip() for word in words if not _QEMU_TALK.match(word)]
    if not errors:
        return None
    wanted = 2 if errors[-1].startswith("load of migration failed") else 1
    return "; ".join(errors[-wanted:])[:300]


def difference(later, earlier):
    return None if later is None or earlier is None else round(later - earlier, 3)


def steps_seconds(results, recorded_at):
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


def complaint(lines):
    """What a measuring process said, in one line: its words without a traceback's frames."""
    words = [line.strip() for line in lines if line.strip() and not line.startswith((" ", "Traceback"))]
    return "; ".join(words)[:300]


def warnings(spec, results, missing, said=None, cut_short=()):
    """What a reader of the figures should know, one line each.

    :param said: {role: lines that its measuring process wrote}
    :param cut_short: names of logs that were too long to be read whole
    """
    said = said or {}
    found = []
    for role, stop in sorted((results.get("stopped") or {}).items()):
        if stop.get("was_running") is False:
            found.append("the measuring process on the %s had ended before the run did" % role)
        elif stop.get("was_running") is None:
            found.append("the measuring process on the %s was not stopped" % role)
    for name in cut_short:
        found.append(
            "%s: too long, only its first %d MiB were judged" % (name, run_files.MOST_CONSOLE_BYTES >> 20)
        )
    for role in sorted(said):
        if complaint(said[role]):
            found.append("%s/%s: %s" % (role, run_files.PROBE_LOG, complaint(said[role])))
    if spec["pattern_bytes"] == 0:
        # The guest samples its progress where it rewrites its pattern; without one it is left undisturbed.
        missing = [name for name in missing if name != "guest/progress.jsonl"]
    if spec.get("probes") == "basic":
        missing = [name for name in missing if name not in run_files.BEYOND_BASIC]
    outcome = (results.get("migration") or {}).get("outcome")
    if outcome != "migrated":
        # A guest that never came has no tap there, or had it for too short a time to be captured.
        missing = [name for name in missing if name != run_files.DESTINATION_TAP]
    # A run that ended before its migration has no evidence of one.
    if missing and outcome:
        found.append("missing evidence: " + ", ".join(missing))
    return found
