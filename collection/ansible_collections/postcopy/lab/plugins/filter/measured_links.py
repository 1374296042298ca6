# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""What an earlier measurement of the links says."""

from __future__ import annotations

DOCUMENTATION = r"""
name: measured_links
short_description: Links that were measured before
description:
  - Reads the text of C(link.json). A text that is no measurement gives none.
options:
  _input:
    description: The text of the file; empty where there is none.
    type: str
    required: true
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Show how many directions were measured
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.file', '.lab/local/link.json') | postcopy.lab.measured_links | length }}"
"""

RETURN = r"""
_value:
  description: >-
    Of each direction source, destination, configured_bits_per_second and measured_bits_per_second.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from control.link_file import parse_link


def measured_links(text: str) -> list[dict[str, Any]]:
    """The measured directions of the link.

    :param text: link.json, as it is
    :return: one entry per direction; none where the text is no measurement
    """
    link = parse_link(text)
    return link["measured"] if link else []


class FilterModule:
    """Ansible's way to call measured_links()."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"measured_links": measured_links}
