"""Images, seen from outside: from the control machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import openstack
import pytest

PROJECT = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]).parents[3]
CLOUDS = PROJECT / ".lab/m-glance/clouds.yaml"


@pytest.fixture(scope="module")
def cloud() -> Iterator[openstack.connection.Connection]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OS_CLIENT_CONFIG_FILE", str(CLOUDS))
        yield openstack.connect(cloud="m-glance")


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
