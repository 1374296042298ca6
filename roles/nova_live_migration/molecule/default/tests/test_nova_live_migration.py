"""What nova itself reads of the settings of live migration. That it migrates so: the role nova's scenario."""

from __future__ import annotations

import json

from testinfra.host import Host

from tests.roles.outside import address

testinfra_hosts = ["ansible://compute"]

# As nova-compute starts: Debian's start script names these two files.
READ = """
import json, sys
from nova import config
from nova.conf import CONF
files = ["--config-file=/etc/nova/nova.conf", "--config-file=/etc/nova/nova-compute.conf"]
config.parse_args(["nova-compute", *files])
print(json.dumps({name: getattr(CONF.libvirt, name) for name in sys.argv[1:]}))
"""
SET: dict[str, object] = {
    "live_migration_permit_post_copy": True,
    "live_migration_scheme": "tls",
    "live_migration_with_native_tls": False,
    "live_migration_timeout_action": "abort",
    "live_migration_downtime": 100,
    "live_migration_downtime_steps": 100,
}


def read(host: Host, *names: str) -> dict[str, object]:
    """Options of nova's section libvirt; a start of Python with nova takes seconds."""
    said: dict[str, object] = json.loads(
        host.check_output(f"python3 -c '{READ}' {' '.join(names)}").splitlines()[-1]
    )
    return said


def test_nova_reads_what_is_set_and_migrations_come_in_on_the_migration_network(host: Host) -> None:
    expected = {**SET, "live_migration_inbound_addr": address(host, "migration0")}
    assert read(host, *expected) == expected


def test_postcopy_is_open_to_qemu(host: Host) -> None:
    assert host.check_output("cat /proc/sys/vm/unprivileged_userfaultfd") == "1"
