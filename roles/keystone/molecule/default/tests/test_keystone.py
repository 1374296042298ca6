"""Identities and the catalogue, seen from outside: from the control machine."""

from __future__ import annotations

import stat

import openstack
import pytest

from tests.roles.outside import LAB_FOLDER

pytest_plugins = ["tests.roles.outside"]


def test_the_administrator_gets_a_token(cloud: openstack.connection.Connection) -> None:
    assert len(cloud.authorize()) > 100


def test_a_wrong_password_gets_none(cloud: openstack.connection.Connection) -> None:
    stranger = openstack.connect(auth={**cloud.config.auth, "password": "wrong"}, region_name="RegionOne")
    with pytest.raises(openstack.exceptions.SDKException, match="requires authentication"):
        stranger.authorize()


def test_there_is_the_services_project(cloud: openstack.connection.Connection) -> None:
    assert cloud.identity.find_project("service") is not None


def test_keystone_is_in_its_own_catalogue(cloud: openstack.connection.Connection) -> None:
    (service,) = [one for one in cloud.identity.services() if one.type == "identity"]
    urls = {one.interface: one.url for one in cloud.identity.endpoints(service_id=service.id)}
    assert urls["public"] == urls["internal"] == cloud.config.auth["auth_url"]


def test_the_administrators_password_is_private() -> None:
    assert stat.S_IMODE((LAB_FOLDER / "clouds.yaml").stat().st_mode) == 0o600
