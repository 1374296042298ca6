# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""libvirt's events of one domain as records of events.jsonl.

Names are those of virDomainEventType and its detail enumerations in libvirt-domain.h, without their prefix.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import threading
import time

# Dead is who has not answered for a minute: nodes that share a busy machine take their time.
KEEP_ALIVE_SECONDS = 10
KEEP_ALIVE_COUNT = 6

LIFECYCLE = (
    ("DEFINED", ("ADDED", "UPDATED", "RENAMED", "FROM_SNAPSHOT")),
    ("UNDEFINED", ("REMOVED", "RENAMED")),
    ("STARTED", ("BOOTED", "MIGRATED", "RESTORED", "FROM_SNAPSHOT", "WAKEUP", "RECOVERED")),
    (
        "SUSPENDED",
        (
            "PAUSED",
            "MIGRATED",
            "IOERROR",
            "WATCHDOG",
            "RESTORED",
            "FROM_SNAPSHOT",
            "API_ERROR",
            "POSTCOPY",
            "POSTCOPY_FAILED",
            "GUEST_SHUTDOWN",
        ),
    ),
    ("RESUMED", ("UNPAUSED", "MIGRATED", "FROM_SNAPSHOT", "POSTCOPY", "POSTCOPY_FAILED")),
    (
        "STOPPED",
        ("SHUTDOWN", "DESTROYED", "CRASHED", "MIGRATED", "SAVED", "FAILED", "FROM_SNAPSHOT", "RECREATED"),
    ),
    ("SHUTDOWN", ("FINISHED", "GUEST", "HOST")),
    ("PMSUSPENDED", ("MEMORY", "DISK")),
    ("CRASHED", ("PANICKED", "CRASHLOADED")),
)


def lifecycle_names(event, detail):
    """("SUSPENDED", "POSTCOPY") for libvirt's two numbers; the numbers as text where they are unknown."""
    if not 0 <= event < len(LIFECYCLE):
        return str(event), str(detail)
    name, details = LIFECYCLE[event]
    return name, details[detail] if 0 <= detail < len(details) else str(detail)


def start_event_loop(libvirt):
    """Run libvirt's event loop in a thread of its own; to be called before the connection is opened."""
    libvirt.virEventRegisterDefaultImpl()

    def run():
        while True:
            libvirt.virEventRunDefaultImpl()

    thread = threading.Thread(target=run)
    thread.daemon = True
    thread.start()


def open_connection(libvirt):
    """A connection to this host's libvirt whose events are dealt with in a thread of their own.

    Calls end with an error instead of never where the other end is dead (virConnectSetKeepAlive).

    :raises libvirtError: no libvirt answers
    """
    start_event_loop(libvirt)
    connection = libvirt.open("qemu:///system")
    try:
        connection.setKeepAlive(KEEP_ALIVE_SECONDS, KEEP_ALIVE_COUNT)
    except (AttributeError, libvirt.libvirtError):
        # A driver without it, or a binding.
        pass
    return connection


def subscribe(libvirt, connection, domain_name, receive):
    """Call receive(record, epoch_seconds) for every event of the domain, from the event loop's thread.

    The domain need not exist yet. Events that this libvirt does not know are left out: wp3's has no
    migration-iteration and job-completed.
    """

    def deliver(domain, record):
        now = time.time()
        if domain.name() == domain_name:
            receive(record, now)

    def on_lifecycle(_connection, domain, event, detail, _opaque):
        name, detail_name = lifecycle_names(event, detail)
        deliver(domain, {"event": "lifecycle", "name": name, "detail": detail_name})

    def on_iteration(_connection, domain, iteration, _opaque):
        deliver(domain, {"event": "migration-iteration", "iteration": iteration})

    def on_job_completed(_connection, domain, job, _opaque):
        deliver(domain, {"event": "job-completed", "job": dict(job)})

    callbacks = (
        ("VIR_DOMAIN_EVENT_ID_LIFECYCLE", on_lifecycle),
        ("VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION", on_iteration),
        ("VIR_DOMAIN_EVENT_ID_JOB_COMPLETED", on_job_completed),
    )
    for constant, callback in callbacks:
        number = getattr(libvirt, constant, None)
        if number is not None:
            connection.domainEventRegisterAny(None, number, callback, None)
