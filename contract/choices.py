"""What a study may choose beside its modes."""

from __future__ import annotations

from enum import StrEnum


class Backend(StrEnum):
    """Who is asked to migrate."""

    LIBVIRT = "libvirt"
    NOVA = "nova"


class Stressor(StrEnum):
    """What writes the guest's memory."""

    STRESS = "stress"
    STRESS_NG = "stress-ng"


class Network(StrEnum):
    """What becomes of the news that the guest has moved."""

    PLAIN = "plain"
    # The switch holds the guest's address at the source's port, whatever it hears.
    HELD_ENTRY = "held_entry"
    # The switch hears nothing of the guest until some time after the migration.
    LATE_ANNOUNCEMENT = "late_announcement"


class Probes(StrEnum):
    """What is measured: everything, or ping and byte counters only, to see what the others cost."""

    ALL = "all"
    BASIC = "basic"
