"""The causes of a lost ping, and who is to blame: the words of the attribution."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Why a ping has no answer. The order is that of the way: prober, network, guest, and back."""

    NOT_SENT = "not sent by the prober"
    UNRESOLVED = "not sent: the guest did not answer for its address (ARP)"
    LOST_BEFORE_HOSTS = "lost between prober and hosts"
    SWITCHOVER = "guest stopped: the switchover"
    UNWIRED = "guest's port on the destination not wired yet"
    STALE_UNANNOUNCED = "network pointed at the source: not yet announced"
    STALE_ANNOUNCED = "network pointed at the source in spite of the announcement"
    STALE_ENTRY = "network pointed at the source: forwarding entry of the tunnels not moved yet"
    NETWORK_EARLY = "network pointed at the destination too early"
    SOURCE_HOST = "lost inside the source host"
    SOURCE_GUEST = "guest on the source did not answer"
    DESTINATION_HOST = "lost inside the destination host"
    NOT_RESUMED = "guest on the destination not yet resumed"
    DESTINATION_GUEST = "guest on the destination did not answer in time"
    ANSWER_LOST = "answer lost on its way back"
    UNKNOWN = "unknown"


# The request came when the guest no longer ran on the source, however early it was sent.
STOPPED_CAUSES = (
    Cause.SWITCHOVER,
    Cause.UNWIRED,
    Cause.STALE_UNANNOUNCED,
    Cause.STALE_ANNOUNCED,
    Cause.STALE_ENTRY,
    Cause.NOT_RESUMED,
    Cause.DESTINATION_GUEST,
)
# What becomes of a ping while the guest runs on the destination and can neither be reached nor announced.
CAUSES_OF_NO_WIRE = (
    Cause.UNRESOLVED,
    Cause.LOST_BEFORE_HOSTS,
    Cause.STALE_UNANNOUNCED,
    Cause.STALE_ANNOUNCED,
    Cause.DESTINATION_HOST,
    Cause.ANSWER_LOST,
)
# The article's suspicion: switches that did not learn in time where the guest was.
STALE_CAUSES = (Cause.STALE_UNANNOUNCED, Cause.STALE_ANNOUNCED, Cause.STALE_ENTRY)
