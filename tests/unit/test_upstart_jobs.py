"""Jobs for upstart, which cannot be had here: what can be told of them by reading."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from tests.conftest import PROJECT, run_tool

ROLES = PROJECT / "roles"
NETWORK = ROLES / "lab_network/files/postcopy-lab-network.conf"
DAEMON = ROLES / "libvirt/templates/postcopy-lab-libvirtd.conf.j2"
# init(5) of upstart 1.12, as far as these jobs go.
STANZA = re.compile(r'description "[^"]+"|start on .+|stop on .+|task|respawn|exec /\S+( --?\w+)*( \w+)?')
# What provisions a lab of the backend libvirt (playbooks/provision.yml).
PROVISIONED = ("node_baseline", "lab_network", "guest_image", "software", "qemu", "libvirt", "prober")


def stanzas(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".j2":
        words = {"__libvirt_program": "/opt/postcopy-lab/libvirt/current/sbin/libvirtd"}
        text = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text).render(words)
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("path", [NETWORK, DAEMON], ids=lambda path: path.name)
def test_each_line_is_a_stanza_and_one_program_is_run(path: Path) -> None:
    lines = stanzas(path)
    assert [line for line in lines if not STANZA.fullmatch(line)] == []
    assert sum(line.startswith("exec ") for line in lines) == 1
    assert sum(line.startswith("start on ") for line in lines) == 1


def test_the_network_is_set_once_and_by_the_same_program_as_under_systemd() -> None:
    lines = stanzas(NETWORK)
    unit = (ROLES / "lab_network/files/postcopy-lab-network.service").read_text(encoding="utf-8")
    assert "task" in lines and "respawn" not in lines
    (program,) = (line.removeprefix("exec ") for line in lines if line.startswith("exec "))
    assert f"ExecStart={program}\n" in unit


def test_the_daemon_waits_for_the_network_listens_and_stays_in_the_foreground() -> None:
    lines = stanzas(DAEMON)
    assert f"start on (runlevel [2345] and stopped {NETWORK.stem} RESULT=ok)" in lines
    assert "respawn" in lines
    # Without "expect", upstart follows the process that it started: it must not become a daemon.
    (program,) = (line for line in lines if line.startswith("exec "))
    assert program.endswith("/sbin/libvirtd --listen")


def libvirtd_conf(service_manager: str, sockets: str) -> list[str]:
    """The settings of libvirtd.conf that the role libvirt writes on a node with this service manager.

    `sockets` is what systemctl lists of libvirtd's units of sockets.
    """
    role = ROLES / "libvirt"
    words = {
        "ansible_facts": {"service_mgr": service_manager},
        "__libvirt_sockets": {"stdout": sockets},
        "libvirt_host_uuid": "u",
        "libvirt_migration_address": "10.0.1.11",
        "__libvirt_options": "{{ __libvirt_daemon_options }}",
        "template": os.fspath(role / "templates/options.conf.j2"),
    }
    variables = [f"@{role}/defaults/main.yml", f"@{role}/vars/main.yml", json.dumps(words)]
    done = run_tool(
        "ansible", "localhost", "-m", "ansible.builtin.debug",
        "-a", "msg={{ lookup('ansible.builtin.template', template) }}",
        *[part for one in variables for part in ("-e", one)],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return [line.strip() for line in done.stdout.splitlines() if " = " in line]


def test_libvirtd_says_where_it_listens_where_no_socket_of_systemd_does() -> None:
    sockets = "libvirtd-tcp.socket masked enabled\nlibvirtd-tls.socket enabled enabled"
    assert libvirtd_conf("systemd", sockets) == ['host_uuid = "u"']
    listening = [
        'host_uuid = "u"',
        'listen_addr = "10.0.1.11"',
        "listen_tcp = 0",
        "listen_tls = 1",
        'tls_port = "16514"',
    ]
    assert libvirtd_conf("upstart", "") == listening
    # libvirt before 5.6 under systemd.
    assert libvirtd_conf("systemd", "") == listening


def tasks(path: Path) -> list[dict[str, Any]]:
    return yaml.safe_load(path.read_text(encoding="utf-8")) or []


def test_systemd_is_asked_only_where_it_manages_the_services() -> None:
    unguarded = [
        f"{path.relative_to(ROLES)}: {task['name']}"
        for role in PROVISIONED
        for path in [*(ROLES / role).glob("tasks/*.yml"), *(ROLES / role).glob("handlers/*.yml")]
        for task in tasks(path)
        if any(module.endswith("systemd_service") for module in task)
        and not path.stem.endswith(("_systemd", "_units"))
        and not str(task.get("when")).startswith("__libvirt_service_manager == 'systemd'")
    ]
    assert unguarded == []
