"""What the scenarios' own tests share: looking at a scenario's nodes and its cloud from outside.

A test module that wants the fixture says `pytest_plugins = ["tests.roles.outside"]`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from testinfra.backend.ansible import AnsibleBackend
from testinfra.host import Host

from tests.conftest import PROJECT

if TYPE_CHECKING:
    import openstack

# As .config/molecule/config.yml names the lab of a role's scenario.
LAB = "m-" + Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]).name.replace("_", "-")
LAB_FOLDER = PROJECT / ".lab" / LAB


INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]


def node(name: str) -> Host:
    """A node, reached by ssh as the inventory says. To start Ansible for each command would take seconds."""
    return Host.get_host(f"ansible://{name}?ansible_inventory={INVENTORY}")


def nodes(group: str) -> list[str]:
    """The names of the scenario's nodes in a group of its inventory."""
    return AnsibleBackend.get_hosts(group, ansible_inventory=INVENTORY)


def address(host: Host, interface: str) -> str:
    """The IPv4 address of an interface of the node, without its length."""
    return host.check_output(f"ip -4 -brief address show dev {interface}").split()[2].split("/")[0]


@pytest.fixture(scope="module")
def cloud() -> Iterator[openstack.connection.Connection]:
    """The scenario's cloud, as its administrator sees it."""
    # The newest Ansible's scenario has no cloud, and its .venv not this.
    import openstack

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OS_CLIENT_CONFIG_FILE", str(LAB_FOLDER / "clouds.yaml"))
        yield openstack.connect(cloud=LAB)
