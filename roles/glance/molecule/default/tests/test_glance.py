"""Images, seen from outside: from the control machine."""

from __future__ import annotations

import os

import openstack
import pytest

pytest_plugins = ["tests.roles.outside"]


def test_an_image_is_kept_as_it_was_given(cloud: openstack.connection.Connection) -> None:
    content = os.urandom(1 << 20)
    image = cloud.image.create_image("tried", data=content, disk_format="raw", container_format="bare")
    try:
        assert cloud.image.get_image(image.id).status == "active"
        assert cloud.image.download_image(image.id).content == content
    finally:
        cloud.image.delete_image(image.id)


def test_a_missing_image_is_a_clear_error(cloud: openstack.connection.Connection) -> None:
    with pytest.raises(openstack.exceptions.NotFoundException):
        cloud.image.get_image("00000000-0000-0000-0000-000000000000")
