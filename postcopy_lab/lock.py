"""One command at a time works on a lab of this machine, whichever checkout it is started in."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postcopy_lab.errors import InputError

LOCKS_VARIABLE = "POSTCOPY_LAB_LOCKS"
MACHINES_LOCKS = Path("/run/lock")


def lock_path(lab: str) -> Path:
    """The lock of a lab: in $POSTCOPY_LAB_LOCKS, else in /run/lock, else where temporary files are."""
    named = os.environ.get(LOCKS_VARIABLE)
    usual = MACHINES_LOCKS if os.access(MACHINES_LOCKS, os.W_OK) else Path(tempfile.gettempdir())
    return Path(named or usual) / f"postcopy-lab-{lab}.lock"


@contextmanager
def lab_lock(lab: str) -> Iterator[int]:
    """Hold a lab until the end; yields the file descriptor that holds it.

    A process that inherits the descriptor holds the lab as well, so an ansible-playbook keeps it when this
    command is killed. The kernel frees it with the last of them: no lock is ever stale.

    Raises:
        InputError: another command works on this lab, or the lock cannot be made.
    """
    path = lock_path(lab)
    handle = _open(path)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"lab {lab} of this machine is in use: {_holder(path)}") from error
        yield handle
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    """Open the lock, which another user may have made; a link is not followed.

    Raises:
        InputError: it cannot be opened.
    """
    try:
        try:
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; the lab cannot be locked") from error


def _holder(path: Path) -> str:
    """Who holds a lock, and what to do about it."""
    commands = {pid: words for pid in _processes_with(path) if (words := _command_of(pid))}
    for pid, words in commands.items():
        if any(Path(word).name in ("postcopy-lab", "postcopy_lab") for word in words[:3]):
            return f"process {pid}{_place_of(pid)} works on it; wait for it, or stop it with Ctrl-C there"
    if commands:
        # Its workers are of the same session, and may have lower numbers.
        pid = _session_of(min(commands))
        return (
            f"an ansible-playbook (process {pid}{_place_of(pid)}) still works on it, whose postcopy-lab was "
            f"killed; wait for it, or end it with `kill -- -{pid}`"
        )
    return "another user's command works on it; wait for it"


def _processes_with(path: Path) -> Iterator[int]:
    """This user's other processes that have a file open."""
    wanted = path.stat()
    for folder in Path("/proc").glob("[0-9]*/fd"):
        pid = int(folder.parent.name)
        if pid == os.getpid():
            continue
        try:
            found = [entry.stat() for entry in folder.iterdir()]
        except OSError:
            continue
        if any((file.st_dev, file.st_ino) == (wanted.st_dev, wanted.st_ino) for file in found):
            yield pid


def _command_of(pid: int) -> list[str]:
    """The words of a process's command line; none if it is gone."""
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")
    except OSError:
        return []


def _session_of(pid: int) -> int:
    """The process that leads another one's session; that one itself if it is gone."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return pid


def _place_of(pid: int) -> str:
    """Where a process was started, in words; empty if that cannot be read."""
    try:
        return f", started in {Path(f'/proc/{pid}/cwd').readlink()}"
    except OSError:
        return ""
