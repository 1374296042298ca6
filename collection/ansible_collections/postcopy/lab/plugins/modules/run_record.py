#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Unpack a run's evidence, judge the run and write run.json."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

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
    description: What the run's tasks returned, see C(module_utils/run_document.py); null where one was not
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

import os
import shutil
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.postcopy.lab.plugins.module_utils import run_document, run_files, study_files


def summary(document):
    """One line for whoever watches the study."""
    words = [document["outcome"]]
    if document["cause"]:
        words.append("(%s: %s)" % (document["cause"], document["cause_detail"]))
    if document["steps_seconds"]["migrate"] is not None:
        words.append("in %.1f s" % document["steps_seconds"]["migrate"])
    if not document["valid"]:
        words.append("INVALID: " + document["invalid_reason"])
    words.extend("warning: " + line for line in document["warnings"])
    return " ".join(words)


def record(params):
    run = params["run"]
    directory = run["directory"]
    # What an interrupted run left: without run.json it is no run.
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    run_files.unpack(params["archives"], directory)
    logs = {
        "source": run_files.read_lines(os.path.join(directory, "source", "console.log")),
        "destination": run_files.read_lines(os.path.join(directory, "destination", "console.log")),
        "guest": run_files.read_lines(os.path.join(directory, "guest", "kernel_log.txt")),
        "nova": [
            line
            for role in ("source", "destination")
            for line in run_files.read_lines(os.path.join(directory, role, "nova-compute.log"))
        ],
        "qemu": run_files.read_lines(os.path.join(directory, "destination", run_files.QEMU_LOG)),
        "cut_short": run_files.logs_cut_short(directory),
        "probes": {
            role: run_files.read_lines(os.path.join(directory, role, run_files.PROBE_LOG))
            for role in ("source", "destination", "prober")
        },
    }
    names = {"source": run["source"], "destination": run["destination"], "prober": params["prober"]}
    run_files.write_checksums(directory)
    missing = run_files.missing_files(directory, run["spec"]["backend"])
    return run_document.run_document(
        run, params["results"], logs, missing, names, time.time(), params["session"]
    )


def main():
    module = AnsibleModule(
        argument_spec={
            "run": {"type": "dict", "required": True},
            "prober": {"type": "str", "required": True},
            "archives": {"type": "dict", "required": True},
            "results": {"type": "dict", "required": True},
            "session": {"type": "int"},
        },
    )
    path = os.path.join(module.params["run"]["directory"], study_files.RUN_FILE)
    if os.path.exists(path):
        module.fail_json(msg="%s: this run is finished, it is never overwritten" % path)
    document = record(module.params)
    study_files.write_json(path, document)
    module.exit_json(changed=True, outcome=document["outcome"], summary=summary(document), path=path)


if __name__ == "__main__":
    main()
