"""What may become of a run, and why."""

from __future__ import annotations

from enum import StrEnum


class RunOutcome(StrEnum):
    """What became of a run."""

    COMPLETED = "completed"
    NOT_CONVERGED = "not_converged"
    FAILED = "failed"
    ABORTED = "aborted"


class EndedIn(StrEnum):
    """The phase in which a guest moved for good."""

    PRECOPY = "precopy"
    POSTCOPY = "postcopy"


# Ends of a migration that a study may want to see: the guest moved, or pre-copy was aborted at its limit.
GOOD_OUTCOMES = (RunOutcome.COMPLETED, RunOutcome.NOT_CONVERGED)


class RunCause(StrEnum):
    """Why a run failed or was aborted."""

    LAB_FAULT = "lab_fault"
    BOOT_FAILED = "boot_failed"
    FILL_FAILED = "fill_failed"
    MIGRATION_FAILED = "migration_failed"
    MIGRATION_STUCK = "migration_stuck"
    GUEST_CORRUPTED = "guest_corrupted"
    GUEST_LOST = "guest_lost"
    GUEST_LEFT_BEHIND = "guest_left_behind"
    GUEST_UNREACHABLE = "guest_unreachable"
    GUEST_UNCHECKED = "guest_unchecked"


# Failed only in that the guest was not shown intact afterwards: these runs did migrate (or were aborted at
# their limit), so what they transferred is measured and shown, but never counted.
NOT_INTACT_CAUSES = (
    RunCause.GUEST_CORRUPTED,
    RunCause.GUEST_LOST,
    RunCause.GUEST_LEFT_BEHIND,
    RunCause.GUEST_UNREACHABLE,
    RunCause.GUEST_UNCHECKED,
)
