#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Write lab.json."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_record
short_description: Write lab.json
description:
  - Writes what the nodes really run, the measured link and the deviations from the article into C(lab.json).
  - Where that differs from what is there, a new session of the study begins; what was there is kept as
    C(lab-NUMBER.json), since earlier runs were made with it.
options:
  directory:
    description: The results directory of the study and the lab.
    type: path
    required: true
  lab:
    description: Name of the lab.
    type: str
    required: true
  release:
    description: What the nodes run.
    type: str
    required: true
  backend:
    description: Who is asked to migrate.
    type: str
    default: libvirt
  nodes:
    description: What M(postcopy.lab.node_facts) says of each node.
    type: dict
    required: true
  groups:
    description: Groups of the inventory that each node is in.
    type: dict
    required: true
  reference_node:
    description: The node whose clock the others are compared with.
    type: str
    required: true
  link_file:
    description: The measured link, C(link.json); may be missing.
    type: path
    required: true
  project_directory:
    description: The kit's own folder, whose commit is recorded.
    type: path
    required: true
  article:
    description: What a lab may differ in from the article's (C(playbooks/vars/deviations.yml)).
    type: list
    elements: dict
    required: true
  vcpu_nice:
    description: Nice value of the guests' virtual processors.
    type: int
    default: 0
  migration_stream_tls:
    description: Whether QEMU's migration stream is encrypted.
    type: bool
    default: false
  log_patterns:
    description: Patterns by which nova's logs are read. The release's name where it is not given.
    type: str
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Write what the nodes run
  postcopy.lab.lab_record:
    directory: results/quick/local
    lab: local
    release: epoxy
    nodes: "{{ nodes }}"
    groups: {compute1: [compute, lab]}
    reference_node: compute1
    link_file: .lab/local/link.json
    project_directory: .
    article: "{{ study_deviations }}"
  delegate_to: localhost
"""

RETURN = r"""
path:
  description: The file that was written.
  returned: success
  type: str
session:
  description: Number of the session that this description is of, from 1; each run of it carries it.
  returned: success
  type: int
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from control.lab_record import record_lab
from control.study import StudyError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "lab": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "backend": {"type": "str", "default": "libvirt"},
            "nodes": {"type": "dict", "required": True},
            "groups": {"type": "dict", "required": True},
            "reference_node": {"type": "str", "required": True},
            "link_file": {"type": "path", "required": True},
            "project_directory": {"type": "path", "required": True},
            "article": {"type": "list", "elements": "dict", "required": True},
            "vcpu_nice": {"type": "int", "default": 0},
            "migration_stream_tls": {"type": "bool", "default": False},
            "log_patterns": {"type": "str"},
        },
    )
    paths = {key: Path(module.params[key]) for key in ("directory", "link_file", "project_directory")}
    try:
        path, session, changed = record_lab(**{**module.params, **paths})
    except StudyError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, path=str(path), session=session)


if __name__ == "__main__":
    main()
