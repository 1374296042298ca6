"""One command at a time works on a lab."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postcopy_lab.errors import InputError


@contextmanager
def lab_lock(state_dir: Path) -> Iterator[None]:
    """Hold the lab's state folder (made if missing) until the end; it is free again if the process dies.

    Raises:
        InputError: another command works on this lab.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"another postcopy-lab works on this lab ({state_dir}); "
                "wait for it, or stop it with Ctrl-C there"
            ) from error
        yield
    finally:
        os.close(handle)
