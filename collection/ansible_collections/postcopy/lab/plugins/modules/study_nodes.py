#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Refuse to make another run with a node that is gone or was started anew."""

from __future__ import annotations

DOCUMENTATION = r"""
module: study_nodes
short_description: Refuse to make another run with a node that is gone or was started anew
description:
  - Looks at what the play knows of each node; asks no node. Runs on the control machine.
  - A node that was started anew has lost the rate of its link and other settings that last until then.
  - Fails with the names of these nodes in C(unprovisioned). C(postcopy-lab study) provisions them, and the
    study goes on.
options:
  run:
    description: Label of the run that begins.
    type: str
    required: true
  nodes:
    description:
      - Of each node, its name with C(run), the label of the last run that it was told of, and C(stopped),
        what M(postcopy.lab.probes) returned of it at the end of the run before (empty before the first run).
    type: dict
    required: true
attributes:
  check_mode:
    description: Looks in the same way.
    support: full
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Look for the nodes
  postcopy.lab.study_nodes:
    run: "run 2/8: hybrid-s-unloaded-1gbit 01"
    nodes:
      compute1: {run: "run 2/8: hybrid-s-unloaded-1gbit 01", stopped: {provisioned: 0f3c5a}}
      compute2: {run: "run 1/8: precopy-s-unloaded-1gbit 01", stopped: {}}
  delegate_to: localhost
  run_once: true
"""

from ansible.module_utils.basic import AnsibleModule

from control.study_nodes import UnfitNodes, check_nodes


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "run": {"type": "str", "required": True},
            "nodes": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        check_nodes(module.params["run"], module.params["nodes"])
    except UnfitNodes as error:
        module.fail_json(msg=str(error), unprovisioned=error.names)
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
