# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""One live migration through libvirt on the source: started, watched at 20 Hz, switched over or aborted.

Takes its settings as one JSON argument and prints its result as one JSON line. Writes job.jsonl and
events.jsonl
into the run's directory while it goes. What it does when is decided by next_action(), which is pure.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import sys
import threading
import time

from . import libvirt_events, monotonic, processes
from .errors import described, one_line
from .jsonl import JsonLines
from .ticks import ticks

HERTZ = 20

# The iteration that begins when the first pass over the guest's memory is done.
SECOND_ITERATION = 2

# libvirt's binding has it since 1.3.2.
ITERATION_EVENT = "VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION"

# How long the events that belong to the end of a migration may take to arrive after the call has returned.
EVENT_PATIENCE_SECONDS = 0.5


# How long a request may take before the run is given up: whoever does not answer it will not migrate either.
REQUEST_SECONDS = 30

# Pauses after a refusal. A request that came too early is made again soon; one that is refused again and
# again waits twice as long each time.
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0


def next_action(
    switchover_iteration, iteration, elapsed_seconds, limit_seconds, stuck_seconds, switched, aborted
):
    """What to do now with a migration that is under way: "switchover", "abort", "give-up" or None.

    :param switchover_iteration: at whose beginning it goes over to post-copy, None for never. libvirt reports
        iteration N when QEMU begins its pass N over the guest's memory (QMP event MIGRATION_PASS)
    :param iteration: the last one that libvirt reported, 0 before the first
    :param limit_seconds: pre-copy is aborted after this long; post-copy cannot be aborted
    :param stuck_seconds: no longer waited for after this long, whatever its state
    """
    if elapsed_seconds > stuck_seconds:
        return "give-up"
    if switched or aborted:
        return None
    if switchover_iteration is not None and iteration >= switchover_iteration:
        return "switchover"
    if elapsed_seconds > limit_seconds:
        return "abort"
    return None


class Request:
    """The switchover or the abort, asked for in a thread of its own so that nothing waits for the answer.

    It is made again after it was refused, later each time.
    """

    def __init__(self, ask):
        """
        :param ask: makes the request; returns whether it was accepted
        """
        self.ask = ask
        self.made_at = None
        self.answer = None
        self.pause_seconds = FIRST_PAUSE_SECONDS

    def make(self, start):
        """Make it, unless it is on its way or it is too early for another try.

        :param start: runs a function in a thread
        """
        if self.is_on_its_way() or self.accepted():
            return
        if self.made_at is not None:
            if monotonic.seconds() - self.made_at < self.pause_seconds:
                return
            self.pause_seconds = min(2 * self.pause_seconds, LONGEST_PAUSE_SECONDS)
        self.made_at, self.answer = monotonic.seconds(), None
        start(self.run)

    def run(self):
        self.answer = bool(self.ask())

    def forget(self):
        """An accepted request came to nothing: it may be made again."""
        self.answer = False

    def accepted(self):
        return self.answer is True

    def is_on_its_way(self):
        return self.made_at is not None and self.answer is None

    def is_unanswered(self):
        return self.is_on_its_way() and monotonic.seconds() - self.made_at > REQUEST_SECONDS


class Migration:
    """One migration and what is known of it so far."""

    def __init__(self, libvirt, settings):
        self.libvirt = libvirt
        # What is raised when a request is refused.
        self.refusal = libvirt.libvirtError
        self.settings = settings
        directory = settings["run_directory"]
        self.jobs = JsonLines(os.path.join(directory, "job.jsonl"))
        self.events = JsonLines(os.path.join(directory, "events.jsonl"))
        self.changed = threading.Condition()
        self.ended = threading.Event()
        self.iteration = 0
        # Whether libvirt has told anything of a migration under way.
        self.began = False
        self.job_completed = None
        self.last_lifecycle = None
        self.error = None
        self.result = {
            "requested_at": None,
            "first_pass_at": None,
            "switchover_requested_at": None,
            "finished_at": None,
            "switched": False,
            "aborted": False,
            "iteration_at_switchover": None,
            "job_before_switchover": None,
            "max_downtime_ms": None,
            "recovery": None,
        }
        libvirt.registerErrorHandler(lambda _context, _error: None, None)
        self.connection = libvirt_events.open_connection(libvirt)
        self.domain = self.connection.lookupByName(settings["name"])
        libvirt_events.subscribe(libvirt, self.connection, settings["name"], self.receive)

    def receive(self, record, at):
        """An event of the domain, in the event loop's thread."""
        with self.changed:
            if record["event"] == "migration-iteration":
                self.began = True
                self.iteration = record["iteration"]
                # An idle guest's second pass may be over before it is reported.
                if self.iteration >= SECOND_ITERATION and self.result["first_pass_at"] is None:
                    self.result["first_pass_at"] = at
            elif record["event"] == "job-completed":
                self.job_completed = record["job"]
            else:
                self.last_lifecycle = (record["name"], record["detail"])
                self.result["switched"] |= self.last_lifecycle == ("SUSPENDED", "POSTCOPY")
            self.changed.notify_all()
        try:
            self.events.write(record, at)
        except Exception as error:
            self.fail(error)

    def note(self, name, detail=None, **more):
        """A line of the driver's own in events.jsonl; returns its time."""
        at = time.time()
        self.events.write(dict(more, event="driver", name=name, detail=detail), at)
        return at

    def flags(self):
        libvirt = self.libvirt
        flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER
        if self.settings["switchover_iteration"] is not None:
            # Upstream's name since 1.3.3, and that of the wp3 tree before it.
            name = "VIR_MIGRATE_POSTCOPY"
            flags |= getattr(libvirt, name, None) or libvirt.VIR_MIGRATE_ENABLE_POSTCOPY
        if self.settings["switchover_iteration"] == SECOND_ITERATION:
            # wp3's libvirt has no event of iterations and goes over by itself after the first pass.
            flags |= getattr(libvirt, "VIR_MIGRATE_POSTCOPY_AFTER_PRECOPY", 0)
        if self.settings["tls"]:
            flags |= libvirt.VIR_MIGRATE_TLS
        return flags

    def migrate(self):
        """The migration from the request to its end, in a thread of its own."""
        try:
            self.carry_out()
        except self.refusal as error:
            self.error = one_line(error)
            self.wait_for_recovery()
        except Exception as error:
            self.error = described(error)
        self.end()

    def wait_for_recovery(self):
        """Wait for a post-copy whose connection broke, if the study allows it time.

        libvirt gives up half a minute after a cut, and QEMU does not: it goes on when the link is back before
        TCP gives up, and libvirt tells when the guest has moved. Nothing is asked of libvirt: its
        VIR_MIGRATE_POSTCOPY_RESUME kills the destination's libvirtd 11.3.0 (docs/post-copy-recovery.md).
        """
        patience_seconds = self.settings["recovery_seconds"]
        if not patience_seconds or not self.result["switched"]:
            return
        recovery = {"failed_at": self.note("postcopy-failed", self.error), "recovered_at": None}
        self.result["recovery"] = recovery
        deadline = monotonic.seconds() + patience_seconds
        with self.changed:
            while self.last_lifecycle != ("STOPPED", "MIGRATED"):
                left_seconds = deadline - monotonic.seconds()
                if left_seconds <= 0:
                    return
                self.changed.wait(left_seconds)
        self.error = None
        recovery["recovered_at"] = self.note("recovered")

    def end(self):
        self.result["finished_at"] = time.time()
        try:
            self.note("finished", self.error)
        finally:
            with self.changed:
                self.ended.set()
                self.changed.notify_all()

    def fail(self, error):
        """End the run at once, of an exception that nobody expected."""
        self.error = self.error or described(error)
        self.end()

    def carry_out(self):
        """One blocking call; raises `refusal`."""
        # libvirt-python 1.2.11 lacks the name of the key, and under Python 2 takes str alone.
        key = getattr(self.libvirt, "VIR_MIGRATE_PARAM_URI", "migrate_uri")
        parameters = {key: str(self.settings["migrate_uri"])}
        self.domain.migrateToURI3(str(self.settings["destination_uri"]), parameters, self.flags())

    def sample(self):
        for _tick in ticks(HERTZ, self.ended):
            job = self.job()
            if job is not None and job.get("type"):
                self.began = True
                self.jobs.write({"job": job})
                if not hasattr(self.libvirt, ITERATION_EVENT):
                    self.infer_events(job)

    def infer_events(self, job):
        """What wp3's libvirt has no events for, from its job statistics.

        A migration under way is an unbounded job there, and a bounded one from the switchover on.
        """
        with self.changed:
            self.iteration = max(self.iteration, 1)
            if job["type"] == self.libvirt.VIR_DOMAIN_JOB_BOUNDED:
                self.result["switched"] = True
            elif not self.result["switched"]:
                self.result["job_before_switchover"] = job
            self.changed.notify_all()

    def told_iteration(self):
        """The last iteration that libvirt reported; None where it reports none."""
        return self.iteration if hasattr(self.libvirt, ITERATION_EVENT) else None

    def job(self):
        try:
            return self.domain.jobStats()
        except self.libvirt.libvirtError:
            return None

    def switchover(self):
        """Ask for post-copy; returns whether that was accepted."""
        self.result["iteration_at_switchover"] = self.told_iteration()
        job = self.result["job_before_switchover"] = self.job()
        at = self.note("switchover-requested", job=job)
        if self.call("switchover", self.domain.migrateStartPostCopy, 0):
            self.result["switchover_requested_at"] = at
            return True
        return False

    def switchover_was_lost(self):
        """Whether an accepted request to switch over came to nothing, and has to be made again."""
        return False

    def prepare(self):
        """What is to be done before the migration."""
        if self.settings["max_downtime_ms"] is not None:
            self.domain.migrateSetMaxDowntime(self.settings["max_downtime_ms"], 0)
        self.result["max_downtime_ms"] = self.max_downtime_ms()

    def max_downtime_ms(self):
        """What QEMU allows now; None where libvirt (older than 3.7) or its binding does not tell."""
        try:
            return self.domain.migrateGetMaxDowntime(0)
        except (AttributeError, self.libvirt.libvirtError):
            return None

    def abort(self):
        """Ask for the end; returns whether that was accepted."""
        self.note("abort-requested")
        self.result["aborted"] = self.call("abort", self.ask_to_abort)
        return self.result["aborted"]

    def ask_to_abort(self):
        self.domain.abortJob()

    def call(self, name, function, *arguments):
        """Whether it was done. What comes too early or too late is refused."""
        try:
            function(*arguments)
        except self.refusal as error:
            self.note(name + "-refused", one_line(error))
            return False
        return True

    def run(self):
        """Migrate; returns the outcome: migrated, aborted, failed or stuck."""
        settings = self.settings
        self.prepare()
        self.result["requested_at"] = self.note("requested", settings["mode"])
        started = monotonic.seconds()
        self.start(self.migrate)
        self.start(self.sample)
        switchover, abort = Request(self.switchover), Request(self.abort)
        while not self.ended.is_set():
            with self.changed:
                if not self.ended.is_set():
                    self.changed.wait(1.0 / HERTZ)
                action = next_action(
                    settings["switchover_iteration"],
                    self.iteration,
                    monotonic.seconds() - started,
                    settings["limit_seconds"],
                    settings["stuck_seconds"],
                    switchover.accepted() or switchover.is_on_its_way() or self.result["switched"],
                    abort.accepted() or abort.is_on_its_way(),
                )
            if self.ended.is_set():
                break
            if switchover.accepted() and self.switchover_was_lost():
                switchover.forget()
            elif action == "switchover":
                switchover.make(self.start)
            elif action == "abort":
                abort.make(self.start)
            elif action == "give-up":
                return self.give_up(self.complaint())
            for name, request in (("switch over", switchover), ("abort", abort)):
                if request.is_unanswered():
                    return self.give_up(
                        "no answer to the request to %s within %d s" % (name, REQUEST_SECONDS)
                    )
        self.wait_for_last_events()
        if self.error is None:
            return "migrated"
        if self.result["aborted"] and not self.began:
            # Nothing was sent: that says nothing about whether the guest's memory converges.
            self.error = "%s (%s)" % (self.not_begun(), self.error)
            return "failed"
        return "aborted" if self.result["aborted"] else "failed"

    def not_begun(self):
        """What is known of a migration that was aborted before libvirt began it, one line."""
        return "libvirt began no migration within %s s" % self.settings["limit_seconds"]

    def give_up(self, reason):
        """Not waited for any longer, whatever becomes of it."""
        self.error = self.error or reason
        self.result["finished_at"] = self.note("given-up", self.error)
        return "stuck"

    def complaint(self):
        """What is known of why a migration does not end, one line; None if nothing is."""

    def start(self, target):
        """Run it in a thread of its own; what it dies of ends the run at once and is its error."""

        def run():
            try:
                target()
            except Exception as error:
                self.fail(error)

        thread = threading.Thread(target=run)
        thread.daemon = True
        thread.start()

    def wait_for_last_events(self):
        """The source's last words: STOPPED and job-completed after a success, nothing certain otherwise."""
        if self.error is not None:
            return
        deadline = monotonic.seconds() + EVENT_PATIENCE_SECONDS
        with self.changed:
            while monotonic.seconds() < deadline and (
                self.job_completed is None or (self.last_lifecycle or ("",))[0] != "STOPPED"
            ):
                self.changed.wait(0.02)


def version_text(number):
    """ "11.3.0" for libvirt's 11003000: major * 1,000,000 + minor * 1,000 + release."""
    return "%d.%d.%d" % (number // 1000000, number // 1000 % 1000, number % 1000)


def versions(connection):
    """What is really running here, from the daemon itself."""
    return {
        "libvirt_version": version_text(connection.getLibVersion()),
        "qemu_version": version_text(connection.getVersion()),
    }


def main(settings, kind=Migration):
    import libvirt

    processes.write_pid("migrate")
    result = {}
    try:
        migration = kind(libvirt, settings)
        result = migration.result
        # Before the migration: after it libvirt may not answer.
        result.update(versions(migration.connection))
        outcome = migration.run()
        result.update(outcome=outcome, error=migration.error, job_completed=migration.job_completed)
    except libvirt.libvirtError as error:
        result.update(outcome="failed", error=one_line(error))
    except Exception as error:
        result.update(outcome="failed", error=described(error))
    finally:
        processes.remove_pid("migrate")
    result["finished_at"] = result.get("finished_at") or time.time()
    print(json.dumps(result, sort_keys=True))
    sys.stdout.flush()
    # Threads may still hang in libvirt's calls; there is nothing left to clean up.
    os._exit(0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
