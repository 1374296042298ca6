"""Files of a results directory: the documents, and the raw evidence of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from contract.choices import Backend, Probes
from contract.nodes import Role

STUDY_FILE = "study.json"
LAB_FILE = "lab.json"
RUN_FILE = "run.json"
CHECKSUM_FILE = "SHA256SUMS"

# All logs of a run are some MiB. What has more was made to fill a memory or a disk.
LARGEST_ARCHIVE_BYTES = 512 << 20

# What the measuring process of a node had to say, if anything, and what a guest's QEMU had to say.
PROBE_LOG = "probe.log"
QEMU_LOG = "qemu.log"


class Presence(Enum):
    """Which runs that began to migrate have a file with content."""

    ALWAYS = "always"
    ALL_PROBES = "not with basic probes"
    # The guest's tap is captured there as soon as there is one.
    GUEST_CAME = "where the guest came; not with basic probes"
    # The guest samples its progress where it rewrites its pattern; without one it is left undisturbed.
    PATTERN = "with a memory pattern"
    NOVA = "with the backend nova"
    MAYBE = "not expected"


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """One file of a run's directory."""

    role: Role
    name: str
    presence: Presence = Presence.ALWAYS

    @property
    def path(self) -> str:
        """Relative to the run's directory."""
        return f"{self.role}/{self.name}"


# In the order in which what is missing is named.
DESTINATION_EVENTS = EvidenceFile(Role.DESTINATION, "events.jsonl")
DESTINATION_NIC = EvidenceFile(Role.DESTINATION, "nic.jsonl")
DESTINATION_TAP = EvidenceFile(Role.DESTINATION, "icmp.pcap", Presence.GUEST_CAME)
DESTINATION_UPLINK = EvidenceFile(Role.DESTINATION, "icmp_uplink.pcap", Presence.ALL_PROBES)
DESTINATION_LINKS = EvidenceFile(Role.DESTINATION, "links.jsonl", Presence.ALL_PROBES)
# libvirt has statistics on one side only.
DESTINATION_JOB = EvidenceFile(Role.DESTINATION, "job.jsonl", Presence.MAYBE)
# A guest need not print anything.
DESTINATION_CONSOLE = EvidenceFile(Role.DESTINATION, "console.log", Presence.MAYBE)
DESTINATION_PROBE_LOG = EvidenceFile(Role.DESTINATION, PROBE_LOG, Presence.MAYBE)
DESTINATION_QEMU_LOG = EvidenceFile(Role.DESTINATION, QEMU_LOG, Presence.MAYBE)
# QEMU's own figures of blocked processors, where QEMU has a monitor of the kit's.
DESTINATION_BLOCK_TIME = EvidenceFile(Role.DESTINATION, "qemu_migrate.json", Presence.MAYBE)
GUEST_PROGRESS = EvidenceFile(Role.GUEST, "progress.jsonl", Presence.PATTERN)
GUEST_KERNEL_LOG = EvidenceFile(Role.GUEST, "kernel_log.txt")
PING = EvidenceFile(Role.PROBER, "ping.log")
PING_FINE = EvidenceFile(Role.PROBER, "ping_fine.log", Presence.ALL_PROBES)
PROBER_CAPTURE = EvidenceFile(Role.PROBER, "icmp.pcap", Presence.ALL_PROBES)
CLOCK = EvidenceFile(Role.PROBER, "clock.jsonl", Presence.ALL_PROBES)
PROBER_PROBE_LOG = EvidenceFile(Role.PROBER, PROBE_LOG, Presence.MAYBE)
SOURCE_JOB = EvidenceFile(Role.SOURCE, "job.jsonl")
SOURCE_EVENTS = EvidenceFile(Role.SOURCE, "events.jsonl")
SOURCE_NIC = EvidenceFile(Role.SOURCE, "nic.jsonl")
SOURCE_TAP = EvidenceFile(Role.SOURCE, "icmp.pcap", Presence.ALL_PROBES)
SOURCE_UPLINK = EvidenceFile(Role.SOURCE, "icmp_uplink.pcap", Presence.ALL_PROBES)
SOURCE_CONSOLE = EvidenceFile(Role.SOURCE, "console.log", Presence.MAYBE)
SOURCE_PROBE_LOG = EvidenceFile(Role.SOURCE, PROBE_LOG, Presence.MAYBE)
SOURCE_QEMU_LOG = EvidenceFile(Role.SOURCE, QEMU_LOG, Presence.MAYBE)
SOURCE_NOVA_LOG = EvidenceFile(Role.SOURCE, "nova-compute.log", Presence.NOVA)
DESTINATION_NOVA_LOG = EvidenceFile(Role.DESTINATION, "nova-compute.log", Presence.NOVA)
# Where the cloud's network has such an agent.
SOURCE_AGENT_LOG = EvidenceFile(Role.SOURCE, "neutron-linuxbridge-agent.log", Presence.MAYBE)
DESTINATION_AGENT_LOG = EvidenceFile(Role.DESTINATION, "neutron-linuxbridge-agent.log", Presence.MAYBE)
SOURCE_OPENVSWITCH_AGENT_LOG = EvidenceFile(Role.SOURCE, "neutron-openvswitch-agent.log", Presence.MAYBE)
DESTINATION_OPENVSWITCH_AGENT_LOG = EvidenceFile(
    Role.DESTINATION, "neutron-openvswitch-agent.log", Presence.MAYBE
)

EVIDENCE_FILES: tuple[EvidenceFile, ...] = tuple(
    value for value in dict(globals()).values() if isinstance(value, EvidenceFile)
)
# Where packets to and from the guest were captured, in the order in which a request passes.
CAPTURES: Mapping[str, EvidenceFile] = {
    "prober": PROBER_CAPTURE,
    "source uplink": SOURCE_UPLINK,
    "source tap": SOURCE_TAP,
    "destination uplink": DESTINATION_UPLINK,
    "destination tap": DESTINATION_TAP,
}


def expected_files(
    backend: str, probes: str, *, with_pattern: bool, guest_came: bool
) -> tuple[EvidenceFile, ...]:
    """The files that a run of this kind has if nothing was lost."""
    absent = {
        Presence.MAYBE: True,
        Presence.ALWAYS: False,
        Presence.ALL_PROBES: probes == Probes.BASIC,
        Presence.GUEST_CAME: probes == Probes.BASIC or not guest_came,
        Presence.PATTERN: not with_pattern,
        Presence.NOVA: backend != Backend.NOVA,
    }
    return tuple(file for file in EVIDENCE_FILES if not absent[file.presence])
