"""Resources, seen from outside: from the control machine."""

from __future__ import annotations

import openstack

pytest_plugins = ["tests.roles.outside"]


def test_a_provider_of_resources_can_be_made_and_asked(cloud: openstack.connection.Connection) -> None:
    # A resource that no compute node offers.
    provider = cloud.placement.create_resource_provider(name="tried")
    try:
        cloud.placement.put(
            f"/resource_providers/{provider.id}/inventories",
            json={"resource_provider_generation": 0, "inventories": {"FPGA": {"total": 4}}},
            microversion="1.36",
        ).raise_for_status()
        answer = cloud.placement.get("/allocation_candidates?resources=FPGA:4", microversion="1.36").json()
        assert list(answer["provider_summaries"]) == [provider.id]
    finally:
        cloud.placement.delete_resource_provider(provider)
