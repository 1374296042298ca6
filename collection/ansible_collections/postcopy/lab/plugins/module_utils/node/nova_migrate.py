# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""One live migration through nova, watched on the source as migrate.py does it.

nova is asked over its API to migrate and to abort. As it has no way to say "after one pass", the switchover
is asked for when libvirt reports the second pass: of libvirt, beside nova, or of nova by its request to
complete (force_complete). nova acts on that within its next look at the migration, half a second later at
most, and forgets it if QEMU refuses: then it is made again.

A nova that keeps no records of migrations cannot be asked for more than the migration. Its flags for libvirt
say when it switches over, and libvirt aborts it.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import shutil
import sys
import time

from . import migrate, monotonic
from .nova_api import NovaApi, NovaError

POLL_SECONDS = 0.5
# nova looks at a running migration every half second.
SWITCHOVER_PATIENCE_SECONDS = 1.5
# A service that is restarted, or a proxy before it, is back in less. The migration goes on meanwhile.
PATIENCE_SECONDS = 60
ENDED = ("completed", "error", "failed", "cancelled")


class NovaMigration(migrate.Migration):
    """settings, besides migrate.py's: nova_url, server_id, destination (nova's name of it), console, and
    switchover_by, who is asked for it: libvirt or nova."""

    def __init__(self, libvirt, settings):
        super(NovaMigration, self).__init__(libvirt, settings)
        self.refusal = (NovaError, libvirt.libvirtError)
        token = os.environ["POSTCOPY_LAB_TOKEN"]
        self.nova = NovaApi(settings["nova_url"], token, settings["server_id"], PATIENCE_SECONDS)
        self.last_job = None
        # (iteration, job statistics) when the source stopped first.
        self.at_stop = None
        self.switchover_asked_at = None
        self.abort_asked = False
        # The migration's status, the newest from before the abort.
        self.status = None
        self.result["nova_migration"] = None

    def prepare(self):
        # nova's consoles are cut when an instance moves.
        console = self.settings.get("console")
        if console and os.path.exists(console):
            shutil.copyfile(console, os.path.join(self.settings["run_directory"], "console.log"))

    def receive(self, record, at):
        """nova's switchover is known from the source's stop; it begins a pass of its own."""
        if record.get("name") == "SUSPENDED" and not self.asks_libvirt():
            self.at_stop = self.at_stop or (self.told_iteration(), self.last_job)
            if record.get("detail") == "POSTCOPY":
                self.result["iteration_at_switchover"], self.result["job_before_switchover"] = self.at_stop
        super(NovaMigration, self).receive(record, at)

    def job(self):
        job = super(NovaMigration, self).job()
        if job is not None and not self.result["switched"]:
            self.last_job = job
        return job

    def carry_out(self):
        self.nova.live_migrate(self.settings["destination"])
        self.wait_for_the_end()

    def wait_for_the_end(self):
        if self.nova.keeps_records:
            record = self.wait_for_the_record()
            self.result["nova_migration"] = {
                key: record.get(key)
                for key in ("id", "status", "source_compute", "dest_compute", "created_at", "updated_at")
            }
            ended = record["status"]
        else:
            self.wait_for_the_instance()
            ended = "completed"
        self.result["nova_ended_at"] = time.time()
        server = self.nova.server()
        status, host = server.get("status"), server.get("OS-EXT-SRV-ATTR:host")
        self.result["nova_instance"] = {"status": status, "host": host}
        if ended == "cancelled" and self.abort_asked:
            # Its answer may have been lost on the way.
            self.result["aborted"] = True
        if ended != "completed":
            self.error = "nova: the migration is %s" % ": ".join(
                word for word in (ended, self.failure()) if word
            )
        elif (status, host) != ("ACTIVE", self.settings["destination"]):
            self.error = "nova: the instance is %s on %s" % (status, host)

    def wait_for_the_record(self):
        """nova's record of the migration when it has ended."""
        record = None
        while record is None or record["status"] not in ENDED:
            time.sleep(POLL_SECONDS)
            record = self.nova.newest_migration()
            if record is not None and not self.abort_asked:
                self.tell(record["status"])
        return record

    def wait_for_the_instance(self):
        """Until nova no longer calls the instance migrating; it did so before it answered the request."""
        status = "MIGRATING"
        while status == "MIGRATING":
            time.sleep(POLL_SECONDS)
            status = self.nova.server().get("status")
            self.tell(status)

    def tell(self, status):
        if status != self.status:
            self.status = status
            self.note("nova-status", status)

    def not_begun(self):
        line = super(NovaMigration, self).not_begun()
        return "%s: nova said that it was %s" % (line, self.status)

    def failure(self):
        """Why, in nova's words; None where it says nothing, or no longer answers."""
        try:
            return self.nova.migration_failure()
        except NovaError:
            return None

    def complaint(self):
        return self.nova.complaint

    def asks_libvirt(self):
        """Whether libvirt is asked for the switchover. A nova without records makes it by its flags."""
        return self.nova.keeps_records and self.settings["switchover_by"] == "libvirt"

    def switchover(self):
        if self.result["switched"] or not self.nova.keeps_records:
            return True
        if self.asks_libvirt():
            return super(NovaMigration, self).switchover()
        at = self.note("switchover-requested")
        if self.call("switchover", self.nova.force_complete):
            self.switchover_asked_at = monotonic.seconds()
            self.result["switchover_requested_at"] = self.result["switchover_requested_at"] or at
            return True
        return False

    def switchover_was_lost(self):
        return (
            self.nova.keeps_records
            and not self.asks_libvirt()
            and not self.result["switched"]
            and monotonic.seconds() - self.switchover_asked_at > SWITCHOVER_PATIENCE_SECONDS
        )

    def ask_to_abort(self):
        self.abort_asked = True
        if self.nova.keeps_records:
            self.nova.abort()
        else:
            super(NovaMigration, self).ask_to_abort()


if __name__ == "__main__":
    migrate.main(json.loads(sys.argv[1]), NovaMigration)
