"""The cloud's message queue, seen from outside."""

from __future__ import annotations

from testinfra.host import Host

from tests.roles.outside import LAB_FOLDER, address

testinfra_hosts = ["ansible://controller"]

PASSWORD = LAB_FOLDER / "secrets/rabbitmq"
# The library that the services of OpenStack use, as they are installed.
PUBLISH_AND_READ = """
import sys, kombu
with kombu.Connection(sys.argv[1], connect_timeout=5) as connection:
    queue = connection.SimpleQueue("tried")
    queue.put("a word")
    print(queue.get(timeout=5).payload)
"""


def test_a_message_goes_through(host: Host) -> None:
    mgmt_address = address(host, "mgmt0")
    url = f"amqp://openstack:{PASSWORD.read_text().strip()}@{mgmt_address}:5672//"
    assert host.check_output(f"python3 -c '{PUBLISH_AND_READ}' {url}") == "a word"


def test_a_wrong_password_is_refused(host: Host) -> None:
    mgmt_address = address(host, "mgmt0")
    url = f"amqp://openstack:wrong@{mgmt_address}:5672//"
    assert "AccessRefused" in host.run(f"python3 -c '{PUBLISH_AND_READ}' {url}").stderr


def test_there_is_no_guest_user(host: Host) -> None:
    users = host.check_output("rabbitmqctl --node rabbit@localhost --quiet list_users")
    assert [line.split()[0] for line in users.splitlines()[1:]] == ["openstack"]
