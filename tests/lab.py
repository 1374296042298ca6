"""A lab of a test's own beside the user's: the local inventory with another name, addresses and folders."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.conftest import PROJECT


def write_inventory(directory: Path, settings: Mapping[str, object]) -> Path:
    """Copy inventories/local into `directory` and let `settings` (inventory variables) win over its own."""
    inventory = directory / "inventory"
    shutil.copytree(PROJECT / "inventories/local", inventory)
    # Ansible reads the files of a folder in alphabetical order; the last one wins.
    (inventory / "group_vars/all/zz_test.yml").write_text(yaml.safe_dump(dict(settings)), encoding="utf-8")
    (inventory / "group_vars/lab/zz_test.yml").write_text(yaml.safe_dump(dict(settings)), encoding="utf-8")
    return inventory
