"""For how long a guest may be stopped at the end of pre-copy: what a study may say, and what is usual.

A pass over the guest's memory ends for QEMU when what is left could be sent within the allowed downtime. With
QEMU's own 300 ms that is 37 MB at 1 Gb/s: so much of the first pass is still missing at the switchover, and
an idle guest is finished by pre-copy instead of being switched over.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from contract.choices import Backend
from contract.modes import Mode

# What whoever migrates allows by itself: QEMU has a default, nova sets one.
NATIVE: Literal["native"] = "native"
# QEMU's default, and the most that it takes (downtime-limit of migrate-set-parameters).
QEMU_MILLISECONDS = 300
_MOST_MILLISECONDS = 2_000_000
# The least: the first pass is a whole one, and the switchover is certain.
FORCED_MILLISECONDS = 1

MaxDowntime = (
    Annotated[
        int,
        Meta(
            ge=1,
            le=_MOST_MILLISECONDS,
            description=f"a whole number of milliseconds from 1 to {_MOST_MILLISECONDS}, or native",
        ),
    ]
    | Literal["native"]
)


def usual_max_downtime_ms(mode: Mode, backend: str) -> int | Literal["native"]:
    """What is allowed where a study says nothing: the least where libvirt is asked to switch over."""
    return FORCED_MILLISECONDS if mode.has_postcopy and backend == Backend.LIBVIRT else NATIVE


def allowed_milliseconds(max_downtime_ms: int | str) -> int:
    """The same as a number: QEMU's default where nothing else is known."""
    return QEMU_MILLISECONDS if isinstance(max_downtime_ms, str) else max_downtime_ms
