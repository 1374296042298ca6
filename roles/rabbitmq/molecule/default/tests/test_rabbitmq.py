"""The cloud's message queue, seen from outside."""

from __future__ import annotations

import os
from pathlib import Path

from testinfra.host import Host

testinfra_hosts = ["ansible://controller"]

PROJECT = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]).parents[3]
PASSWORD = PROJECT / ".lab/m-rabbitmq/secrets/rabbitmq"
# The library that the services of OpenStack use, as they are installed.
PUBLISH_AND_READ = """
import sys, kombu
with kombu.Connection(sys.argv[1], connect_timeout=5) as connection:
    queue = connection.SimpleQueue("tried")
    queue.put("a word")
    print(queue.get(timeout=5).payload)
"""


def test_a_message_goes_through(host: Host) -> None:
    address = host.check_output("ip -4 -brief address show dev mgmt0").split()[2].split("/")[0]
    url = f"amqp://openstack:{PASSWORD.read_text().strip()}@{address}:5672//"
    assert host.check_output(f"python3 -c '{PUBLISH_AND_READ}' {url}") == "a word"


def test_a_wrong_password_is_refused(host: Host) -> None:
    address = host.check_output("ip -4 -brief address show dev mgmt0").split()[2].split("/")[0]
    url = f"amqp://openstack:wrong@{address}:5672//"
    assert "AccessRefused" in host.run(f"python3 -c '{PUBLISH_AND_READ}' {url}").stderr


def test_there_is_no_guest_user(host: Host) -> None:
    users = host.check_output("rabbitmqctl --node rabbit@localhost --quiet list_users")
    assert [line.split()[0] for line in users.splitlines()[1:]] == ["openstack"]
