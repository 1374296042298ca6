"""The switch of a lab that is not there has nothing to be restored."""

from __future__ import annotations

import os
from pathlib import Path

from tests.conftest import PROJECT, run_tool
from tests.lab import write_inventory

PLAYBOOK = """
- name: Restore
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Have the switch learn as usual again
      ansible.builtin.include_role: {name: local_nodes, tasks_from: restore_mac_learning}
"""


def test_without_a_network_nothing_is_changed(tmp_path: Path) -> None:
    inventory = write_inventory(tmp_path, {"lab_name": "no-such-lab"})
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(PLAYBOOK, encoding="utf-8")
    done = run_tool(
        "ansible-playbook",
        "--inventory",
        os.fspath(inventory),
        os.fspath(playbook),
        extra_env={"ANSIBLE_ROLES_PATH": os.fspath(PROJECT / "roles")},
    )
    assert done.returncode == 0, done.stdout
    assert "changed=0 " in done.stdout
