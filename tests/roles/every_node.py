"""What is asked of each node of each scenario (.config/molecule/config.yml), beside the role's own tests."""

from __future__ import annotations

from testinfra.host import Host

from tests.listeners import unexpected

testinfra_hosts = ["ansible://lab"]


def test_nothing_listens_that_need_not(host: Host) -> None:
    assert unexpected(host.check_output("ss -Hlntup"), host.check_output("ip -brief address")) == []
