# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Starting the programs of node/ on a node, where playbooks/tasks/node_programs.yml has put them."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import select
import subprocess
import sys

PROGRAM_DIRECTORY = "/usr/local/lib/postcopy-lab"
READY = b"ready\n"


class ProgramError(Exception):
    """A program did not do what it was started for; one line."""


def _command(name, settings):
    path = os.path.join(PROGRAM_DIRECTORY, "node", name + ".py")
    if not os.path.exists(path):
        raise ProgramError("%s is missing: playbooks/tasks/node_programs.yml installs it" % path)
    return [sys.executable or "/usr/bin/python3", "-m", "node." + name, json.dumps(settings, sort_keys=True)]


def start_detached(name, settings, log_path, patience_seconds):
    """Start a program in a session of its own and wait until it says that it is ready; returns its pid.

    :raises ProgramError: it ended or said nothing in time; the last line of its log is the reason
    """
    with open(log_path, "ab", 0) as log, open(os.devnull, "rb") as null:
        process = subprocess.Popen(
            _command(name, settings),
            stdin=null,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=PROGRAM_DIRECTORY,
            close_fds=True,
            preexec_fn=os.setsid,
        )
    try:
        readable = select.select([process.stdout], [], [], patience_seconds)[0]
        said = os.read(process.stdout.fileno(), 64) if readable else b""
    finally:
        process.stdout.close()
    if said != READY:
        if process.poll() is None:
            process.kill()
            process.wait()
        raise ProgramError("node.%s did not start: %s" % (name, last_line(log_path) or "it said nothing"))
    return process.pid


def run(name, settings, secrets=None):
    """Run a program to its end; returns the JSON object that it printed.

    :param secrets: more variables of its environment, which other users of the node cannot see

    :raises ProgramError: it failed; the last line that it printed is the reason
    """
    process = subprocess.Popen(
        _command(name, settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=PROGRAM_DIRECTORY,
        env=dict(os.environ, **(secrets or {})),
        close_fds=True,
    )
    output, errors = process.communicate()
    try:
        return json.loads(output.decode("utf-8"))
    except ValueError:
        lines = (errors or output).decode("utf-8", "replace").strip().splitlines()
        raise ProgramError("node.%s failed: %s" % (name, lines[-1] if lines else "it said nothing"))


def last_line(path):
    with open(path, "rb") as stream:
        lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
