#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Unpack a run's evidence, judge the run and write run.json."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_record
short_description: Unpack a run's evidence, judge the run and write run.json
description:
  - Unpacks what was fetched from the nodes, judges the run, writes C(SHA256SUMS) and, last of all,
    C(run.json).
  - A run that has its C(run.json) is never touched again.
options:
  run:
    description: The run, an item of M(postcopy.lab.study_plan)'s pending list.
    type: dict
    required: true
  prober:
    description: Name of the prober.
    type: str
    required: true
  archives:
    description: Fetched archives of V(source), V(destination) and V(prober).
    type: dict
    required: true
  results:
    description: What the run's tasks returned, see C(control/run_document.py); null where one was not
      reached.
    type: dict
    required: true
  session:
    description: Number of the lab's description that the run was made with (see M(postcopy.lab.lab_record)).
    type: int
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Record the run
  postcopy.lab.run_record:
    run: "{{ run }}"
    prober: controller
    session: 1
    archives:
      source: fetched/source.tar.gz
      destination: fetched/destination.tar.gz
      prober: fetched/prober.tar.gz
    results: {boot: "{{ boot }}"}
  delegate_to: localhost
"""

RETURN = r"""
outcome:
  description: What became of the run.
  returned: success
  type: str
summary:
  description: Outcome, cause and figures in one line.
  returned: success
  type: str
path:
  description: The run.json that was written.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from control.run_record import RunFinished, record_run
from control.study import StudyError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "run": {"type": "dict", "required": True},
            "prober": {"type": "str", "required": True},
            "archives": {"type": "dict", "required": True},
            "results": {"type": "dict", "required": True},
            "session": {"type": "int"},
        },
    )
    try:
        recorded = record_run(**module.params)
    except (RunFinished, StudyError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=True, outcome=recorded.outcome, summary=recorded.summary, path=str(recorded.path)
    )


if __name__ == "__main__":
    main()
