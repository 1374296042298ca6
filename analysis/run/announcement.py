"""A guest's announcement that it moved: what makes switches send its packets to the other port."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analysis.evidence.pcap import Capture, Kind


def first_announcement(
    capture: Capture, time: NDArray[np.float64], since: float, mac: int | None
) -> float | None:
    """When the first RARP (QEMU's own) or gratuitous ARP of this guest passed from `since` on, as in `time`.

    `mac` None: of any guest.
    """
    told = ((capture.kind == Kind.RARP) | capture.gratuitous) & (time >= since)
    if mac is not None:
        told &= capture.sender_mac == mac
    return float(time[np.argmax(told)]) if told.any() else None


def guest_mac(captures: Mapping[str, Capture]) -> int | None:
    """The guest's hardware address, that of whoever answers the pings; None if nobody did."""
    for capture in captures.values():
        replies = capture.sender_mac[capture.kind == Kind.REPLY]
        if len(replies):
            return int(replies[0])
    return None
