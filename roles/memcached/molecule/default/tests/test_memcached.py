"""The cache of tokens, seen from outside."""

from __future__ import annotations

from testinfra.host import Host

from tests.roles.outside import address

testinfra_hosts = ["ansible://controller"]

STORE_AND_READ = """
import sys, memcache
client = memcache.Client([sys.argv[1] + ":11211"], socket_timeout=2)
client.set("tried", "a word")
print(client.get("tried"))
"""


def test_it_keeps_what_it_is_given(host: Host) -> None:
    assert host.check_output(f"python3 -c '{STORE_AND_READ}' 127.0.0.1") == "a word"


def test_others_do_not_reach_it(host: Host) -> None:
    mgmt_address = address(host, "mgmt0")
    assert host.check_output(f"python3 -c '{STORE_AND_READ}' {mgmt_address}") == "None"
