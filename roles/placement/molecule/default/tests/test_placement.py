"""Resources, seen from outside: from the control machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import openstack
import pytest

PROJECT = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]).parents[3]
CLOUDS = PROJECT / ".lab/m-placement/clouds.yaml"


@pytest.fixture(scope="module")
def cloud() -> Iterator[openstack.connection.Connection]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OS_CLIENT_CONFIG_FILE", str(CLOUDS))
        yield openstack.connect(cloud="m-placement")


def test_a_provider_of_resources_can_be_made_and_asked(cloud: openstack.connection.Connection) -> None:
    provider = cloud.placement.create_resource_provider(name="tried")
    try:
        cloud.placement.put(
            f"/resource_providers/{provider.id}/inventories",
            json={"resource_provider_generation": 0, "inventories": {"VCPU": {"total": 4}}},
            microversion="1.36",
        ).raise_for_status()
        answer = cloud.placement.get("/allocation_candidates?resources=VCPU:4", microversion="1.36").json()
        assert list(answer["provider_summaries"]) == [provider.id]
    finally:
        cloud.placement.delete_resource_provider(provider)
