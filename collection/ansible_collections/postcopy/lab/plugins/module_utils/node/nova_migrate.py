# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""One live migration through nova, watched on the source as migrate.py does it.

nova is asked over its API to migrate, to complete by post-copy (force_complete) and to abort; libvirt's
events tell when. As nova has no way to say "after one pass", the request to complete is made when libvirt
reports the second pass. nova acts on it within its next look at the migration, half a second later at most,
and forgets it if QEMU refuses: then it is made again.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import shutil
import sys
import time

from . import migrate
from .nova_api import NovaApi, NovaError

POLL_SECONDS = 0.5
# nova looks at a running migration every half second.
SWITCH_PATIENCE_SECONDS = 1.5
ENDED = ("completed", "error", "failed", "cancelled")


class NovaMigration(migrate.Migration):
    """settings, besides migrate.py's: nova_url, server_id, destination (nova's name of it), console."""

    def __init__(self, libvirt, settings):
        super(NovaMigration, self).__init__(libvirt, settings)
        self.refusal = NovaError
        self.nova = NovaApi(settings["nova_url"], os.environ["POSTCOPY_LAB_TOKEN"], settings["server_id"])
        self.last_job = None
        self.switch_asked_at = None
        self.result["nova_migration"] = None

    def prepare(self):
        # nova's consoles are cut when an instance moves.
        console = self.settings.get("console")
        if console and os.path.exists(console):
            shutil.copyfile(console, os.path.join(self.settings["run_directory"], "console.log"))

    def receive(self, record, at):
        if record.get("name") == "SUSPENDED" and record.get("detail") == "POSTCOPY":
            self.result["job_before_switch"] = self.last_job
            self.result["iteration_at_switch"] = self.iteration
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
        record = None
        while record is None or record["status"] not in ENDED:
            time.sleep(POLL_SECONDS)
            record = self.nova.newest_migration()
        self.result["nova_migration"] = {
            key: record.get(key)
            for key in ("id", "status", "source_compute", "dest_compute", "created_at", "updated_at")
        }
        self.result["nova_ended_at"] = time.time()
        server = self.nova.server()
        self.result["nova_instance"] = {"status": server["status"], "host": server["OS-EXT-SRV-ATTR:host"]}
        if record["status"] != "completed":
            self.error = "nova: the migration is %s" % ": ".join(
                word for word in (record["status"], self.nova.migration_failure()) if word
            )
        elif (server["status"], server["OS-EXT-SRV-ATTR:host"]) != ("ACTIVE", self.settings["destination"]):
            self.error = "nova: the instance is %s on %s" % (server["status"], server["OS-EXT-SRV-ATTR:host"])

    def switch(self):
        if self.result["switched"]:
            return True
        at = self.note("switch-requested")
        if self.call("switch", self.nova.force_complete):
            self.switch_asked_at = time.time()
            self.result["switch_requested_at"] = self.result["switch_requested_at"] or at
            return True
        return False

    def switch_was_lost(self):
        return not self.result["switched"] and time.time() - self.switch_asked_at > SWITCH_PATIENCE_SECONDS

    def ask_to_abort(self):
        self.nova.abort()


if __name__ == "__main__":
    migrate.main(json.loads(sys.argv[1]), NovaMigration)
