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
  - Goes over to post-copy at the beginning of O(switchover_iteration), or never.
  - A migration that is still in pre-copy at its limit is aborted.
  - A migration that fails is a result, not a failure of the task.
  - Needs the programs that C(playbooks/tasks/node_programs.yml) installs.
options:
  name:
    description: Name of the guest.
    type: str
    required: true
  mode:
    description: Name of the way to migrate, for the record.
    type: str
    required: true
  switchover_iteration:
    description: At the beginning of which pass over the guest's memory it goes over to post-copy. V(1) is as
      soon as the migration is set up, V(2) after exactly one pass. Never where it is not given.
    type: int
  destination_uri:
    description: libvirt's URI of the destination, for example V(qemu+tls://compute2-migration/system).
    type: str
  migrate_uri:
    description: Where QEMU sends the guest's memory, for example V(tcp://10.91.1.12).
    type: str
  tls:
    description: Whether QEMU's migration stream is encrypted (C(VIR_MIGRATE_TLS), libvirt 3.2 and later).
      nova is told by its own setting.
    type: bool
    default: false
  limit_seconds:
    description: How long a migration may stay in pre-copy.
    type: float
    default: 120
  stuck_seconds:
    description: How long a migration may take in all. Post-copy cannot be aborted, so the module stops
      waiting.
    type: float
    default: 600
  max_downtime_ms:
    description: For how many milliseconds the guest may be stopped at the end of pre-copy. A pass over its
      memory ends when what is left could be sent in that time. The hypervisor's own where it is not given.
      Not with O(nova), which sets its own.
    type: int
  recovery_seconds:
    description:
      - For how long a post-copy that lost its connection is waited for. QEMU goes on with it when the link is
        back before TCP gives up. V(0) is not at all, then the migration has failed.
      - Needs libvirt 8.5 and QEMU 5.2 on both hosts, and no O(nova).
    type: float
    default: 0
  run_directory:
    description: Where the records go, on the source.
    type: path
    required: true
  nova:
    description: Asks nova instead of libvirt, for which O(destination_uri) and O(migrate_uri) are not needed.
    type: dict
    suboptions:
      url:
        description: The URL of nova's API.
        type: str
        required: true
      token:
        description: An administrator's token.
        type: str
        required: true
      server_id:
        description: The instance.
        type: str
        required: true
      destination:
        description: nova's name of the host to migrate to.
        type: str
        required: true
      switchover_by:
        description:
          - Who is asked to go over to post-copy. V(libvirt) does it at once. V(nova) is asked to complete the
            migration (C(force_complete)), and does it when it next looks.
          - Nobody where nova switches over by its own flags.
        type: str
        choices: [libvirt, nova]
        default: libvirt
      console:
        description: File with the instance's console on the source, which nova cuts when an instance moves.
        type: path
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Migrate
  postcopy.lab.migration:
    name: postcopy-lab-example
    mode: hybrid
    switchover_iteration: 2
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
switchover_requested_at:
  description: When post-copy was asked for; null if it was not.
  returned: always
  type: float
finished_at:
  description: When libvirt's call returned.
  returned: always
  type: float
switched:
  description: Whether libvirt reported the switchover to post-copy.
  returned: always
  type: bool
iteration_at_switchover:
  description: The last iteration that libvirt had reported at the switchover; null where it reports none.
  returned: always
  type: int
job_before_switchover:
  description: libvirt's job statistics immediately before post-copy was asked for; null if it was not.
  returned: always
  type: dict
max_downtime_ms:
  description:
    - For how many milliseconds QEMU allowed the guest to be stopped when the migration was asked for. Null
      with nova, and where libvirt (older than 3.7) does not tell.
  returned: always
  type: int
recovery:
  description:
    - Of a post-copy that lost its connection and was waited for. When libvirt gave it up
      (RV(recovery.failed_at)), and when the guest had arrived for all that (RV(recovery.recovered_at)), null
      if it has not. Null where nothing was waited for.
  returned: always
  type: dict
nova_migration:
  description: nova's record of the migration, when it had ended; null if there is none.
  returned: with O(nova)
  type: dict
nova_instance:
  description: Status and host of the instance after that, as nova has them.
  returned: with O(nova)
  type: dict
nova_ended_at:
  description: When nova's record was first seen to have ended.
  returned: with O(nova)
  type: float
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
            "mode": {"type": "str", "required": True},
            "switchover_iteration": {"type": "int"},
            "destination_uri": {"type": "str"},
            "migrate_uri": {"type": "str"},
            "tls": {"type": "bool", "default": False},
            "limit_seconds": {"type": "float", "default": 120},
            "stuck_seconds": {"type": "float", "default": 600},
            "max_downtime_ms": {"type": "int"},
            "recovery_seconds": {"type": "float", "default": 0},
            "run_directory": {"type": "path", "required": True},
            "nova": {
                "type": "dict",
                "options": {
                    "url": {"type": "str", "required": True},
                    "token": {"type": "str", "required": True, "no_log": True},
                    "server_id": {"type": "str", "required": True},
                    "destination": {"type": "str", "required": True},
                    "switchover_by": {"type": "str", "choices": ["libvirt", "nova"], "default": "libvirt"},
                    "console": {"type": "path"},
                },
            },
        },
        required_one_of=[("destination_uri", "nova")],
        required_together=[("destination_uri", "migrate_uri")],
    )
    settings = dict(module.params)
    nova = settings.pop("nova")
    try:
        if nova is None:
            result = node_programs.run("migrate", settings)
        else:
            settings.update(
                {key: nova[key] for key in ("server_id", "destination", "console", "switchover_by")},
                nova_url=nova["url"],
            )
            result = node_programs.run("nova_migrate", settings, {"POSTCOPY_LAB_TOKEN": nova["token"]})
    except node_programs.ProgramError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, waited_seconds=module.params["stuck_seconds"], **result)


if __name__ == "__main__":
    main()
