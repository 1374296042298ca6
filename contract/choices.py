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
    # The switch's forwarding database (FDB) keeps the guest at the source's port, whatever it hears.
    STALE_FDB = "stale_fdb"
    # The switch hears nothing of the guest until some time after the migration.
    DELAYED_ANNOUNCEMENT = "delayed_announcement"
    # The destination's uplink is no port of the guests' bridge until some time after the migration.
    LATE_WIRING = "late_wiring"


class SwitchoverBy(StrEnum):
    """Who is asked to switch a guest over to post-copy that nova migrates."""

    # At once, on the source, beside nova.
    LIBVIRT = "libvirt"
    # By its request to complete the migration (force_complete), which it acts on when it next looks.
    NOVA = "nova"


class Probes(StrEnum):
    """What is measured: everything, or ping and byte counters only, to see what the others cost."""

    ALL = "all"
    BASIC = "basic"
