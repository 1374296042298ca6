#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Check a study and say which of its runs are pending."""

from __future__ import annotations

DOCUMENTATION = r"""
module: study_plan
short_description: Check a study and say which of its runs are pending
description:
  - Reads and checks a study file, resolves its cases and the order of its runs, and writes C(study.json) into
    the results directory of the study and the lab.
  - A run is finished when it has its C(run.json). Finished runs are never pending.
  - Whatever is wrong fails with one line that names the file, the key and what is allowed; nothing is
    changed then.
options:
  study_file:
    description: The study file.
    type: path
    required: true
  results_directory:
    description: The directory of all results; the study's are in STUDY/LAB below it.
    type: path
    required: true
  lab:
    description: Name of the lab.
    type: str
    required: true
  release:
    description: What the nodes run. Results of another release are refused.
    type: str
    required: true
  backend:
    description: Who is asked to migrate.
    type: str
    choices: [libvirt, nova]
    default: libvirt
  repetitions:
    description: Repetitions of each case; the study's own by default.
    type: int
  only:
    description: Cases to run, as ids or patterns with V(*) and V(?), separated by commas; all by default.
    type: str
    default: ""
  most_runs:
    description: How many runs are pending at most, the first ones of those that are missing; all by default.
    type: int
  scale:
    description: How many times smaller link and memory are, for a study whose scale is C(probe).
    type: float
  computes:
    description: Names of the computes, sources and destinations by turns.
    type: list
    elements: str
    required: true
  pair:
    description: Which pair of computes runs its share of the cases, counted from 0.
    type: int
    default: 0
  pairs:
    description: Number of pairs among which the cases are dealt out.
    type: int
    default: 1
  guest_network:
    description: First three numbers of the guests' addresses.
    type: str
    default: "10.91.2"
  nodes:
    description: What M(postcopy.lab.node_facts) says of each compute; without it, memory is not checked.
    type: dict
    default: {}
  fingerprint:
    description:
      - What each node must have been provisioned from, as O(nodes) say; not checked when empty. It fails
        with the names of those that differ in C(unprovisioned) then.
    type: str
    default: ""
  modes:
    description: Modes in which the lab can migrate. Without any, all of them.
    type: list
    elements: str
    default: []
  switch:
    description: Whether the lab's switch is this machine's own and can be told what to forward where.
    type: bool
    default: false
attributes:
  check_mode:
    description: Says what is pending and writes nothing.
    support: full
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Plan
  postcopy.lab.study_plan:
    study_file: studies/quick.yml
    results_directory: results
    lab: local
    release: epoxy
    computes: [compute1, compute2]
  register: plan
  delegate_to: localhost
"""

RETURN = r"""
study:
  description: The study with all defaults filled in.
  returned: success
  type: dict
directory:
  description: Where the results of this study and lab are.
  returned: success
  type: str
total:
  description: Number of runs of the selected cases, finished ones included.
  returned: success
  type: int
pending:
  description: The runs that are to be made, in order, with everything that their tasks need.
  returned: success
  type: list
  elements: dict
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from msgspec import to_builtins

from contract.evidence import STUDY_FILE
from control.plan import NotProvisioned, Request, check_provisioned, make_plan, run_items
from control.study import StudyError
from control.study_files import write_json


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "study_file": {"type": "path", "required": True},
            "results_directory": {"type": "path", "required": True},
            "lab": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "backend": {"choices": ["libvirt", "nova"], "default": "libvirt"},
            "repetitions": {"type": "int"},
            "only": {"type": "str", "default": ""},
            "most_runs": {"type": "int"},
            "scale": {"type": "float"},
            "computes": {"type": "list", "elements": "str", "required": True},
            "pair": {"type": "int", "default": 0},
            "pairs": {"type": "int", "default": 1},
            "guest_network": {"type": "str", "default": "10.91.2"},
            "nodes": {"type": "dict", "default": {}},
            "fingerprint": {"type": "str", "default": ""},
            "modes": {"type": "list", "elements": "str", "default": []},
            "switch": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    paths = {key: Path(module.params[key]) for key in ("study_file", "results_directory")}
    request = Request(**{**module.params, **paths})
    try:
        plan = make_plan(request)
        check_provisioned(request)
        items = run_items(plan, request)
    except NotProvisioned as error:
        module.fail_json(msg=str(error), unprovisioned=error.names)
    except StudyError as error:
        module.fail_json(msg=str(error))
    changed = not module.check_mode and write_json(plan.directory / STUDY_FILE, plan.document())
    module.exit_json(
        changed=changed,
        study=to_builtins(plan.study),
        directory=str(plan.directory),
        total=len(plan.order),
        pending=items,
    )


if __name__ == "__main__":
    main()
