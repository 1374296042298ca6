# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""One short text for the content of many files."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fingerprint
short_description: One short text for the content of many files
description:
  - The first 16 digits of a SHA-256 over names and contents, so that a change of any of the files shows.
  - Folders count with everything in them but C(molecule), C(*.md) and Python's caches, which change nothing
    on a node. A file that is not there counts as such.
  - Names are taken relative to the term, so that a project that was moved keeps its fingerprint.
options:
  _terms:
    description: Files and folders, or lists of them.
    required: true
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Show what the lab is provisioned from
  ansible.builtin.debug:
    msg: "{{ lookup('postcopy.lab.fingerprint', lab_project_dir ~ '/roles', ansible_inventory_sources) }}"
"""

RETURN = r"""
_raw:
  description: The fingerprint, as a list of one.
  type: list
  elements: str
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase

IGNORED_FOLDERS = {"molecule", "__pycache__"}
IGNORED_SUFFIXES = {".md", ".pyc"}
DIGITS = 16


def files_of(term: Path) -> Iterator[tuple[str, Path]]:
    """(name relative to the term, path) of every file that counts, sorted by name."""
    if not term.is_dir():
        yield term.name, term
        return
    for path in sorted(term.rglob("*")):
        name = path.relative_to(term)
        if path.is_file() and not IGNORED_FOLDERS & set(name.parts) and path.suffix not in IGNORED_SUFFIXES:
            yield str(name), path


def fingerprint(terms: list[Any]) -> str:
    """The fingerprint of files and folders in the given order.

    :param terms: paths, or lists of paths
    """
    total = hashlib.sha256()
    for term in terms:
        for place in term if isinstance(term, list) else [term]:
            for name, path in files_of(Path(place)):
                content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
                total.update(f"{name} {content}\n".encode())
    return total.hexdigest()[:DIGITS]


class LookupModule(LookupBase):
    """Ansible's way to call fingerprint()."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[str]:
        return [fingerprint(terms)]
