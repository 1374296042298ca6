#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Migrate a running guest and watch it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: migration
short_description: Migrate a running guest and watch it
description:
  - Runs on the source. Migrates peer to peer through libvirt, records libvirt's events and, 20 times a
    second, its job statistics in the run's directory (C(events.jsonl), C(job.jsonl)).
  - V(hybrid) goes over to post-copy after exactly one pass over the guest's memory, V(postcopy) as soon as
    the migration is set up, V(precopy) never.
  - A migration that is still in pre-copy at its limit is aborted.
  - A migration that fails is a result, not a failure of the task.
  - Needs the programs that C(playbooks/tasks/node_programs.yml) installs.
options:
  name:
    description: Name of the guest.
    type: str
    required: true
  mode:
    description: How to migrate.
    type: str
    choices: [precopy, hybrid, postcopy]
    required: true
  destination_uri:
    description: libvirt's URI of the destination, for example V(qemu+tls://compute2-migration/system).
    type: str
    required: true
  migrate_uri:
    description: Where QEMU sends the guest's memory, for example V(tcp://10.91.1.12).
    type: str
    required: true
  limit_seconds:
    description: How long a migration may stay in pre-copy.
    type: float
    default: 120
  stuck_seconds:
    description: How long a migration may take in all. Post-copy cannot be aborted, so the module stops
      waiting.
    type: float
    default: 600
  run_directory:
    description: Where the records go, on the source.
    type: path
    required: true
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Migrate
  postcopy.lab.migration:
    name: postcopy-lab-example
    mode: hybrid
    destination_uri: qemu+tls://compute2-migration/system
    migrate_uri: tcp://10.91.1.12
    run_directory: /var/lib/postcopy-lab/runs/example/01
"""

RETURN = r"""
outcome:
  description:
    - V(migrated), V(aborted) (at its limit), V(failed) or V(stuck). Says what libvirt says and nothing
      about the guest's health.
  returned: always
  type: str
error:
  description: Why it failed, one line; null if it did not.
  returned: always
  type: str
requested_at:
  description: When it was asked for, UTC epoch seconds of the source's clock, as all times here.
  returned: always
  type: float
first_pass_at:
  description: When libvirt reported the second iteration; null if it did not.
  returned: always
  type: float
switch_requested_at:
  description: When post-copy was asked for; null if it was not.
  returned: always
  type: float
finished_at:
  description: When libvirt's call returned.
  returned: always
  type: float
switched:
  description: Whether libvirt reported the switch to post-copy.
  returned: always
  type: bool
iteration_at_switch:
  description: The last iteration that libvirt had reported at the switch.
  returned: always
  type: int
job_before_switch:
  description: libvirt's job statistics immediately before post-copy was asked for; null without a switch.
  returned: always
  type: dict
job_completed:
  description: The statistics of libvirt's job-completed event; null if there was none.
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.postcopy.lab.plugins.module_utils import node_programs


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "mode": {"choices": ["precopy", "hybrid", "postcopy"], "required": True},
            "destination_uri": {"type": "str", "required": True},
            "migrate_uri": {"type": "str", "required": True},
            "limit_seconds": {"type": "float", "default": 120},
            "stuck_seconds": {"type": "float", "default": 600},
            "run_directory": {"type": "path", "required": True},
        },
    )
    try:
        result = node_programs.run("migrate", module.params)
    except node_programs.ProgramError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, waited_seconds=module.params["stuck_seconds"], **result)


if __name__ == "__main__":
    main()
