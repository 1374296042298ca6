"""The cloud's database, seen from outside."""

from __future__ import annotations

import stat

from testinfra.host import Host

from tests.roles.outside import LAB_FOLDER, address

testinfra_hosts = ["ansible://controller"]

PASSWORD = LAB_FOLDER / "secrets/database"


def client(host: Host, user: str, password: str) -> str:
    server = f"--host {address(host, 'mgmt0')} --user {user} --password={password}"
    return f"mariadb {server} --batch --skip-column-names --execute"


def test_a_service_reaches_its_own_databases_over_the_network(host: Host) -> None:
    nova = client(host, "nova", PASSWORD.read_text().strip())
    assert set(host.check_output(f"{nova} 'show databases'").split()) >= {"nova", "nova_api", "nova_cell0"}
    host.check_output(f"{nova} 'create table nova.tried (number int); drop table nova.tried'")


def test_a_service_does_not_reach_those_of_others(host: Host) -> None:
    nova = client(host, "nova", PASSWORD.read_text().strip())
    assert "Access denied" in host.run(f"{nova} 'use keystone'").stderr


def test_a_wrong_password_is_refused(host: Host) -> None:
    assert "Access denied" in host.run(f"{client(host, 'nova', 'wrong')} 'select 1'").stderr


def test_the_password_is_private() -> None:
    assert stat.S_IMODE(PASSWORD.stat().st_mode) == 0o600
