# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""nova's API, as much of it as one live migration needs. Standard library only: it runs on compute nodes.

https://docs.openstack.org/api-ref/compute/ has the requests. From version 2.68 on there is no "force", which
would pass the scheduler by; 2.84 is the first to say why an action failed.

A nova from before microversions (its URL is /v2/PROJECT) wants all three words of a live migration, keeps no
record of it, and completes none: its instance's status and host tell all that there is.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import importlib
import json
import re
import sys
import time

from . import monotonic

# One of the two, by the node's Python.
urllib_request = importlib.import_module("urllib.request" if sys.version_info[0] >= 3 else "urllib2")
http_client = importlib.import_module("http.client" if sys.version_info[0] >= 3 else "httplib")

VERSION = "2.84"
ANSWER_SECONDS = 20
MOST_ANSWER_BYTES = 16 * 1024 * 1024

PAUSE_SECONDS = 0.5
# What a proxy says of a nova, and nova of a keystone, that does not answer just now (RFC 9110, RFC 6585). 401
# is what nova says if keystone could not be asked about a token.
PASSING = (401, 408, 425, 429, 502, 503, 504)


class NovaError(Exception):
    """nova refused or did not answer; one line with its own message."""


class Conflict(NovaError):
    """nova refused: the instance is busy."""


class NoAnswer(NovaError):
    """nova gave no answer, or none of its own: asked again, it may."""


def message_of(body):
    """nova's own words: {"badRequest": {"message": ...}} and the like; another's page as it is."""
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

    def __init__(self, url, token, server_id, patience_seconds=0):
        """
        :param patience_seconds: how long something is asked for again while nova does not answer
        """
        self.url = url.rstrip("/")
        # Migrations can be looked at, completed and aborted.
        self.keeps_records = re.search("/v2(/|$)", self.url) is None
        self.token = token
        self.server_id = server_id
        self.patience_seconds = patience_seconds
        self.migration_id = None
        # Why nova is being asked again just now, one line; None if it answered last.
        self.complaint = None

    def live_migrate(self, host):
        """Ask nova for a migration.

        An answer that is lost may have been a yes: asked again, nova then says that the instance is busy.
        """
        how = (
            {"block_migration": "auto"}
            if self.keeps_records
            else {"block_migration": False, "disk_over_commit": False}
        )
        body = {"os-migrateLive": dict(how, host=host)}
        try:
            self.until_answered("POST", "/servers/%s/action" % self.server_id, body)
        except Conflict:
            if self.complaint is None:
                raise
        self.complaint = None

    def force_complete(self):
        self.request("POST", self.running_migration() + "/action", {"force_complete": None})

    def abort(self):
        self.request("DELETE", self.running_migration())

    def server(self):
        return self.get("/servers/" + self.server_id, "server")

    def migration_failure(self):
        """Why the instance's newest live migration failed, in nova's words; None where it says nothing."""
        actions = "/servers/%s/os-instance-actions" % self.server_id
        request_id = newest_migration_request(self.get(actions, "instanceActions"))
        if request_id is None:
            return None
        return failure_of(self.get("%s/%s" % (actions, request_id), "instanceAction")["events"])

    def running_migration(self):
        """The path of the migration. newest_migration() has its number: no time is lost with asking."""
        if self.migration_id is None:
            raise NovaError("nova has no record of the migration yet")
        return "/servers/%s/migrations/%s" % (self.server_id, self.migration_id)

    def newest_migration(self):
        """The instance's newest migration, ended ones too; None before there is one."""
        path = "/os-migrations?migration_type=live-migration&instance_uuid=" + self.server_id
        migrations = self.get(path, "migrations")
        if not migrations:
            return None
        newest = max(migrations, key=lambda migration: migration["id"])
        self.migration_id = newest["id"]
        return newest

    def get(self, path, key):
        """What the answer has under this key.

        :raises NovaError: nova refused, or gave no such answer for all of the patience
        """
        answer = self.until_answered("GET", path, key=key)
        self.complaint = None
        return answer[key]

    def until_answered(self, method, path, body=None, key=None):
        """The answer to a request, made again while nova gives none of its own or one without the key."""
        deadline = monotonic.seconds() + self.patience_seconds
        while True:
            try:
                answer = self.request(method, path, body)
                if key is None or (isinstance(answer, dict) and key in answer):
                    return answer
                raise NoAnswer("nova: %s %s: the answer has no %s" % (method, path.split("?")[0], key))
            except NoAnswer as error:
                if monotonic.seconds() >= deadline:
                    raise
                self.complaint = "%s" % error
            time.sleep(PAUSE_SECONDS)

    def request(self, method, path, body=None):
        """The parsed answer to one request, None where it is empty.

        :raises NovaError: nova refused
        :raises NoAnswer: nothing that nova itself said came back
        """
        request = urllib_request.Request(
            self.url + path, None if body is None else json.dumps(body).encode("utf-8")
        )
        request.get_method = lambda: method
        request.add_header("Content-Type", "application/json")
        request.add_header("X-Auth-Token", self.token)
        if self.keeps_records:
            request.add_header("X-OpenStack-Nova-API-Version", VERSION)
        asked = "%s %s" % (method, path.split("?")[0])
        try:
            answer = urllib_request.urlopen(request, timeout=ANSWER_SECONDS).read(MOST_ANSWER_BYTES)
        except urllib_request.HTTPError as error:
            passing = error.code in PASSING or (error.code == 500 and method == "GET")
            kind = NoAnswer if passing else Conflict if error.code == 409 else NovaError
            raise kind("nova: %s: %d %s" % (asked, error.code, message_of(_text_of(error))))
        except (urllib_request.URLError, http_client.HTTPException, OSError, IOError) as error:
            raise NoAnswer("nova: %s: %s: %s" % (asked, self.url, error or type(error).__name__))
        text = answer.decode("utf-8", "replace")
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise NoAnswer("nova: %s: the answer is no JSON: %s" % (asked, message_of(text)))


def _text_of(error):
    """The body of a refusal, as far as it came."""
    try:
        return error.read(MOST_ANSWER_BYTES).decode("utf-8", "replace")
    except (http_client.HTTPException, OSError, IOError):
        return ""
