# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""The Python that runs the kit's modules on the nodes of a release."""

from __future__ import annotations

DOCUMENTATION = r"""
name: release_python
short_description: The Python that runs the kit's modules on the nodes of a release
description:
  - What C(lab_python) of the release's files says, and C(/usr/bin/python3) where they say nothing.
  - An inventory asks it for each task, so the files are not read as YAML.
options:
  _terms:
    description:
      - The folder of the project, the name of the release, and that of the system (C(lab_system)).
      - The system counts where the release has more than one.
    required: true
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ lookup('postcopy.lab.release_python', lab_project_dir, lab_release, lab_system | default('')) }}"
"""

RETURN = r"""
_raw:
  description: The path, as a list of one.
  type: list
  elements: str
"""

import re
from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase

DEFAULT = "/usr/bin/python3"


def release_python(project: str, release: str, system: str = "") -> str:
    """Path of the Python that a release names, on its nodes.

    :param project: the folder of the project
    :param release: name of a file of releases/; one that is not there is the prechecks' to refuse
    :param system: name of a file of the release's folder, read first; a release of one system has none, as
        have inventories that were made before there were any
    """
    releases = Path(project) / "releases"
    for path in (releases / release / f"{system}.yml", releases / f"{release}.yml"):
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            continue
        found = re.search(r"^lab_python: *[\"']?([^\"'#\s]+)", text, re.MULTILINE)
        if found:
            return found.group(1)
    return DEFAULT


class LookupModule(LookupBase):
    """Ansible's way to call release_python()."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[str]:
        return [release_python(*terms)]
