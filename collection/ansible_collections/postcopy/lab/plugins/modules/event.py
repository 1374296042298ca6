#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Report what happens in a study. The work is done by the action plugin of the same name."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: event
short_description: Report what happens in a study
description:
  - Prints one line, and returns the same as data. The command C(postcopy-lab) follows a study by this data;
    whoever calls C(ansible-playbook) reads the line.
  - Runs on the control machine, once for all hosts of the play, and changes nothing.
options:
  kind:
    description: What is reported.
    type: str
    choices: [run_begins, run_ends, note]
    required: true
  run:
    description:
      - The run that begins or ends, an item of M(postcopy.lab.study_plan)'s pending list.
      - Needed for V(run_begins) and V(run_ends).
    type: dict
  text:
    description: The note, or how the run ended, in one line.
    type: str
    default: ""
  outcome:
    description: What became of the run. Needed for V(run_ends).
    type: str
  path:
    description: The run.json of the run. Needed for V(run_ends).
    type: str
attributes:
  check_mode:
    description: Reports the same.
    support: full
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Report that the run begins
  postcopy.lab.event:
    kind: run_begins
    run: "{{ run }}"

- name: Report the ping
  postcopy.lab.event:
    kind: note
    text: The guest answers pings.
"""

RETURN = r"""
event:
  description:
    - The event, with the options C(kind), C(text), C(outcome) and C(path).
    - That of a run also has its C(case), its C(repetition), its C(number) among the runs of this call and
      the C(total) of these.
  returned: success
  type: dict
"""
