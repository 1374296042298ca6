"""Whether the folders that a verb writes to still take something."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

# A run's evidence has some MB. Where not even this much can be written, that is why a run was not recorded.
PROBED_BYTES = 1024 * 1024


def storage_fault(folders: Iterable[Path]) -> str | None:
    """Name the first folder that cannot be written, with the cause; None if all can. Leaves nothing there."""
    for folder in folders:
        place = next(path for path in (folder, *folder.parents) if path.exists())
        try:
            with tempfile.TemporaryFile(dir=place) as stream:
                stream.write(bytes(PROBED_BYTES))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            return f"{place}: cannot be written: {error.strerror}"
    return None


def scratch_folder() -> Path:
    """A new folder, in memory where the machine has such a place: disks may be full."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="postcopy-lab-", dir=memory if os.access(memory, os.W_OK) else None))
