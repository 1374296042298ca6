"""What the services of OpenStack have in common, shown on one of them."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://controller"]


def test_the_service_answers(host: Host) -> None:
    answer = host.check_output(
        "curl --silent --fail --retry 60 --retry-delay 1 --retry-connrefused http://localhost:9292/versions"
    )
    assert "v2" in answer


def test_its_database_was_filled_once(host: Host) -> None:
    tables = host.check_output(
        'python3 -c \'import sqlite3; print(sqlite3.connect("/var/lib/glance/tried.sqlite")'
        '.execute("select count(*) from sqlite_master where name = \\"images\\"").fetchone()[0])\''
    )
    assert tables == "1"


def test_settings_are_not_for_everyone(host: Host) -> None:
    settings = host.file("/etc/glance/glance-api.conf")
    assert (settings.user, settings.group, settings.mode) == ("root", "glance", 0o640)


def test_it_starts_with_the_node(host: Host) -> None:
    assert host.service("glance-api").is_enabled
