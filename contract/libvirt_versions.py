"""What libvirt can do with a migration, and tell of one, by its version (libvirt-domain.h)."""

from __future__ import annotations

# First version with virConnectDomainEventMigrationIterationCallback, and with the job-completed event.
TELLS_ITERATIONS_SINCE = (1, 3, 2)
TELLS_JOB_END_SINCE = (1, 3, 3)
# First version that keeps both ends of a post-copy whose connection broke, and goes on with them.
KEEPS_BROKEN_POSTCOPY_SINCE = (8, 5, 0)


def tells(version: str | None, since: tuple[int, int, int]) -> bool | None:
    """Whether libvirt of this version ("11.3.0") has what came with `since`; None where it is not known."""
    parts = tuple(int(part) for part in (version or "").split(".") if part.isdigit())
    return parts >= since if parts else None
