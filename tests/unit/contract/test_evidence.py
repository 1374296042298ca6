"""The files that programs on nodes write are those of the contract. Nodes cannot import it: Python 2.7."""

from __future__ import annotations

import re

from contract.evidence import EVIDENCE_FILES
from tests.conftest import PROJECT

PLUGINS = PROJECT / "collection/ansible_collections/postcopy/lab/plugins"
# A log by its name, and those of pings, which are named by their probe.
WRITTEN = re.compile(r'"(\w[\w.-]*\.(?:jsonl|pcap|log|json|txt))"')


def test_every_file_that_a_node_writes_is_a_record() -> None:
    sources = [*(PLUGINS / "module_utils/node").glob("*.py"), *(PLUGINS / "modules").glob("*.py")]
    written = {name for path in sources for name in WRITTEN.findall(path.read_text())}
    known = {file.name for file in EVIDENCE_FILES}
    assert written - known == {"ready.txt"} & written
    # Pings are named by their probe, the cloud's logs come from their own folders.
    cloud = {"nova-compute.log", "neutron-linuxbridge-agent.log", "neutron-openvswitch-agent.log"}
    assert known - written <= {"ping.log", "ping_fine.log", "kernel_log.txt"} | cloud


def test_each_has_a_place_of_its_own() -> None:
    paths = [file.path for file in EVIDENCE_FILES]
    assert len(set(paths)) == len(paths)
