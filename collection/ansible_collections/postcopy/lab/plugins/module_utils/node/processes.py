# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Pid files of the programs that outlive their starter, and ending what an earlier run left behind."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import ctypes
import errno
import os
import signal
import time

from . import monotonic

PID_DIRECTORY = "/var/lib/postcopy-lab/pids"
PR_SET_PDEATHSIG = 1  # prctl(2)
# By number; of two names of one signal the first of the alphabet.
SIGNAL_NAMES = {
    getattr(signal, name): name
    for name in sorted(dir(signal), reverse=True)
    if name.startswith("SIG") and not name.startswith("SIG_")
}


def die_with_parent():
    """For a child before it becomes another program: it ends with the thread that started it."""
    ctypes.CDLL("libc.so.6").prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def ending_of(returncode):
    """How a program ended, in words.

    :param returncode: as subprocess has it: negative where a signal ended it
    """
    if returncode < 0:
        return "killed by signal %d (%s)" % (-returncode, SIGNAL_NAMES.get(-returncode, "unknown"))
    return "ended with code %d" % returncode


def pid_path(name):
    return os.path.join(PID_DIRECTORY, name + ".pid")


def write_pid(name):
    """Note this process as the one of that name."""
    if not os.path.isdir(PID_DIRECTORY):
        os.makedirs(PID_DIRECTORY)
    with open(pid_path(name), "w") as stream:
        stream.write("%d\n" % os.getpid())


def remove_pid(name):
    try:
        os.unlink(pid_path(name))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise


def running_pid(name):
    """The pid of the program of that name, None if it does not run."""
    try:
        with open(pid_path(name)) as stream:
            pid = int(stream.read())
        with open("/proc/%d/cmdline" % pid, "rb") as stream:
            command = stream.read().decode("utf-8", "replace")
    except (IOError, OSError, ValueError):
        return None
    # A recycled pid is never taken for one of these programs: they run as "python -m node.NAME".
    return pid if "node." + name in command.split("\0") else None


def stop(name, patience_seconds=5.0):
    """End the program of that name, first politely; returns whether one was running."""
    pid = running_pid(name)
    if pid is not None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            _signal(pid, number)
            if _wait_gone(name, pid, patience_seconds):
                break
    remove_pid(name)
    return pid is not None


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise


def _wait_gone(name, pid, patience_seconds):
    deadline = monotonic.seconds() + patience_seconds
    while monotonic.seconds() < deadline:
        try:
            # It is our child when the starting module lives on in the same process (mitogen).
            os.waitpid(pid, os.WNOHANG)
        except OSError:
            pass
        if running_pid(name) != pid:
            return True
        time.sleep(0.02)
    return False
