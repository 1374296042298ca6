"""Nodes of a lab: the inventory's groups, and the roles that nodes have in a run."""

from __future__ import annotations

from enum import StrEnum

# Groups that an inventory must have, each with its least and most hosts. None: no limit.
ALLOWED_HOSTS: dict[str, tuple[int, int | None]] = {
    "controller": (1, 1),
    "compute": (2, None),
    "prober": (1, 1),
}


class Role(StrEnum):
    """Where evidence of a run was recorded; each has a folder of its own in the run's directory."""

    SOURCE = "source"
    DESTINATION = "destination"
    PROBER = "prober"
    GUEST = "guest"


# Both ends of a migration, and everyone who measures; the guest's evidence is fetched by the prober.
HOSTS = (Role.SOURCE, Role.DESTINATION)
MEASURING = (Role.SOURCE, Role.DESTINATION, Role.PROBER)
