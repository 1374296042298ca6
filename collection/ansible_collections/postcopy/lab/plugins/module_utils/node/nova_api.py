# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""nova's API, as much of it as one live migration needs. Standard library only: it runs on compute nodes.

https://docs.openstack.org/api-ref/compute/ has the requests. From version 2.68 on there is no "force", which
would pass the scheduler by; 2.84 is the first to say why an action failed.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import importlib
import json
import sys

# One of the two, by the node's Python.
urllib_request = importlib.import_module("urllib.request" if sys.version_info[0] >= 3 else "urllib2")

VERSION = "2.84"
ANSWER_SECONDS = 30


class NovaError(Exception):
    """nova refused or did not answer; one line with its own message."""


def message_of(body):
    """nova's own words: {"badRequest": {"message": ...}} and the like."""
    try:
        (answer,) = json.loads(body).values()
        # Not str(): in Python 2 that is for ASCII only.
        return " ".join(("%s" % answer["message"]).split())
    except (ValueError, KeyError, TypeError, AttributeError):
        return " ".join(body.split())[:300]


def newest_migration_request(actions):
    """The request that asked for the newest live migration, of os-instance-actions' answer, or None."""
    asked = [(one["start_time"], one["request_id"]) for one in actions if one["action"] == "live-migration"]
    return max(asked)[1] if asked else None


def failure_of(events):
    """What nova says of the first event of an action that failed; None where it says nothing."""
    words = [one["details"] for one in events if one["result"] == "Error" and one["details"]]
    return " ".join(words[0].split()) if words else None


class NovaApi:
    """Requests about one instance and its live migrations."""

    def __init__(self, url, token, server_id):
        self.url = url.rstrip("/")
        self.token = token
        self.server_id = server_id
        self.migration_id = None

    def live_migrate(self, host):
        self.request(
            "POST",
            "/servers/%s/action" % self.server_id,
            {"os-migrateLive": {"host": host, "block_migration": "auto"}},
        )

    def force_complete(self):
        self.request("POST", self.running_migration() + "/action", {"force_complete": None})

    def abort(self):
        self.request("DELETE", self.running_migration())

    def server(self):
        return self.request("GET", "/servers/" + self.server_id)["server"]

    def migration_failure(self):
        """Why the instance's newest live migration failed, in nova's words; None where it says nothing."""
        actions = "/servers/%s/os-instance-actions" % self.server_id
        request_id = newest_migration_request(self.request("GET", actions)["instanceActions"])
        if request_id is None:
            return None
        return failure_of(self.request("GET", "%s/%s" % (actions, request_id))["instanceAction"]["events"])

    def running_migration(self):
        """The path of the migration. newest_migration() has its number: no time is lost with asking."""
        if self.migration_id is None:
            raise NovaError("nova has no record of the migration yet")
        return "/servers/%s/migrations/%s" % (self.server_id, self.migration_id)

    def newest_migration(self):
        """The instance's newest migration, ended ones too; None before there is one."""
        path = "/os-migrations?migration_type=live-migration&instance_uuid=" + self.server_id
        migrations = self.request("GET", path)["migrations"]
        if not migrations:
            return None
        newest = max(migrations, key=lambda migration: migration["id"])
        self.migration_id = newest["id"]
        return newest

    def request(self, method, path, body=None):
        request = urllib_request.Request(
            self.url + path, None if body is None else json.dumps(body).encode("utf-8")
        )
        request.get_method = lambda: method
        request.add_header("Content-Type", "application/json")
        request.add_header("X-Auth-Token", self.token)
        request.add_header("X-OpenStack-Nova-API-Version", VERSION)
        try:
            answer = urllib_request.urlopen(request, timeout=ANSWER_SECONDS).read().decode("utf-8")
        except urllib_request.HTTPError as error:
            text = message_of(error.read().decode("utf-8", "replace"))
            raise NovaError("nova: %s %s: %d %s" % (method, path.split("?")[0], error.code, text))
        except (urllib_request.URLError, OSError, IOError) as error:
            raise NovaError("nova: %s: %s" % (self.url, error))
        return json.loads(answer) if answer else None
