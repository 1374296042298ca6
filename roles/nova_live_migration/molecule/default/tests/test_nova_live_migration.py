"""What nova itself reads of the settings of live migration. That it migrates so: the role nova's scenario."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from tests.roles.outside import address

testinfra_hosts = ["ansible://compute"]

# As nova-compute starts: Debian's start script names these two files.
READ = """
import sys
from nova import config
from nova.conf import CONF
files = ["--config-file=/etc/nova/nova.conf", "--config-file=/etc/nova/nova-compute.conf"]
config.parse_args(["nova-compute", *files])
print(getattr(CONF.libvirt, sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("live_migration_permit_post_copy", "True"),
        ("live_migration_scheme", "tls"),
        ("live_migration_with_native_tls", "False"),
        ("live_migration_timeout_action", "abort"),
        ("live_migration_downtime", "100"),
        ("live_migration_downtime_steps", "100"),
    ],
)
def test_nova_reads_it(host: Host, option: str, value: str) -> None:
    assert host.check_output(f"python3 -c '{READ}' {option}").splitlines()[-1] == value


def test_migrations_come_in_on_the_migration_network(host: Host) -> None:
    read = host.check_output(f"python3 -c '{READ}' live_migration_inbound_addr").splitlines()[-1]
    assert read == address(host, "migration0")


def test_postcopy_is_open_to_qemu(host: Host) -> None:
    assert host.check_output("cat /proc/sys/vm/unprivileged_userfaultfd") == "1"
