"""What the tests of the article's own release share."""

from __future__ import annotations

import os
from typing import Any

import yaml

from tests.conftest import PROJECT

RELEASE = "icehouse"
SYSTEM = "bullseye"
STUDY = "tests/icehouse/article.yml"
WORDS: dict[str, Any] = {
    key: value
    for name in (f"{RELEASE}.yml", f"{RELEASE}/{SYSTEM}.yml")
    for key, value in yaml.safe_load((PROJECT / "releases" / name).read_text(encoding="utf-8")).items()
}
SETTINGS = {
    "lab_release": RELEASE,
    "lab_system": SYSTEM,
    "software_git_mirror": os.environ.get("MIRROR", ""),
}
