"""What Icehouse's nova would read of its settings, and that a binding without wp3's names is refused."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from oslo_config import cfg
from testinfra.host import Host

from tests.conftest import PROJECT

testinfra_hosts = ["ansible://compute"]

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
SETTINGS = "/etc/nova/live_migration.conf"

# The options that are set, as nova 2014.1 (Icehouse) declares them in nova/virt/libvirt/driver.py,
# nova/virt/driver.py, nova/compute/manager.py and nova/vnc/__init__.py.
DECLARED = {
    "DEFAULT": [
        cfg.StrOpt("compute_driver"),
        cfg.StrOpt("instances_path"),
        cfg.StrOpt("vncserver_listen", default="127.0.0.1"),
        cfg.StrOpt("vncserver_proxyclient_address", default="127.0.0.1"),
    ],
    "libvirt": [
        cfg.StrOpt("live_migration_uri", default="qemu+tcp://%s/system"),
        cfg.StrOpt("live_migration_flag", default="VIR_MIGRATE_UNDEFINE_SOURCE, VIR_MIGRATE_PEER2PEER"),
        cfg.IntOpt("live_migration_bandwidth", default=0),
    ],
}


@pytest.fixture
def read(host: Host, tmp_path: Path) -> cfg.ConfigOpts:
    path = tmp_path / "live_migration.conf"
    path.write_text(host.file(SETTINGS).content_string)
    conf = cfg.ConfigOpts()
    for section, options in DECLARED.items():
        conf.register_opts(options, group=None if section == "DEFAULT" else section)
    conf([], default_config_files=[str(path)], default_config_dirs=[])
    return conf


def test_nova_reads_it(read: cfg.ConfigOpts) -> None:
    assert read.compute_driver == "libvirt.LibvirtDriver"
    assert read.vncserver_listen == "0.0.0.0"
    assert read.vncserver_proxyclient_address == "192.0.2.11"
    assert read.libvirt.live_migration_uri % "compute2" == "qemu+tls://compute2-migration/system"
    assert read.libvirt.live_migration_bandwidth == 0


def test_nothing_is_set_that_this_nova_does_not_know(host: Host, read: cfg.ConfigOpts) -> None:
    section, written = "", set()
    for line in host.file(SETTINGS).content_string.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line:
            written.add((section, line.split("=")[0].strip()))
    assert written == {(name, option.name) for name, options in DECLARED.items() for option in options}


def test_the_flags_are_numbers_of_the_binding(host: Host, read: cfg.ConfigOpts) -> None:
    """As nova 2014.1 makes one number of them: by getattr() on the binding."""
    flags = [name.strip() for name in read.libvirt.live_migration_flag.split(",")]
    look = "import sys, libvirt; print(sum(getattr(libvirt, name) for name in sys.argv[1:]))"
    said = host.check_output(f"PYTHONPATH=/opt/wp3 python2.7 -c '{look}' {' '.join(flags)}")
    assert int(said) == 1 << 0 | 1 << 1 | 1 << 4 | 1 << 15 | 1 << 16


def test_a_binding_without_them_is_refused_in_one_line(host: Host) -> None:
    before = host.file(SETTINGS).content_string
    done = subprocess.run(
        ["ansible-playbook", "converge.yml", "-i", os.environ["MOLECULE_INVENTORY_FILE"],
         "-e", "nova_live_migration_binding=stock"],
        cwd=SCENARIO, text=True, capture_output=True, check=False,
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_FORCE_COLOR": "false"},
    )  # fmt: skip
    assert done.returncode == 2, done.stdout
    missing = "VIR_MIGRATE_ENABLE_POSTCOPY, VIR_MIGRATE_POSTCOPY_AFTER_PRECOPY"
    wanted = (
        rf'"msg": "icehouse1: nova_live_migration_flags \(.*\): the libvirt binding of \S+ has no {missing};'
    )
    assert re.search(wanted, done.stdout), done.stdout
    assert host.file(SETTINGS).content_string == before


def test_nova_has_the_number_that_it_has_everywhere(host: Host) -> None:
    assert (host.user("nova").uid, host.user("nova").gid) == (64060, 64060)


def test_the_release_file_says_what_was_read(read: cfg.ConfigOpts) -> None:
    text = (PROJECT / "releases/icehouse.yml").read_text(encoding="utf-8")
    for name in read.libvirt.live_migration_flag.split(", "):
        assert f"  - {name}\n" in text
