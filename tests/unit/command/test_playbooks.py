"""The verbs on real, tiny playbooks: what is printed, what is left, and the exit codes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from postcopy_lab.lock import lab_lock
from postcopy_lab.project import Project
from postcopy_lab.runner import INVOCATION_VARIABLE
from tests.conftest import PROJECT, run_tool

Call = Callable[..., tuple[int, str, str]]


def logs(checkout: Project) -> list[Path]:
    return sorted((checkout.root / ".lab" / "tiny" / "runner").iterdir())


def test_provision_says_each_step_and_keeps_a_log(call: Call, checkout: Project) -> None:
    code, out, err = call("provision")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "Provisioning lab tiny (release epoxy): node0, node1, node2"
    assert lines[1].startswith("✓ first: The first thing  ")
    assert lines[2].startswith("✓ second: The second thing  ")
    assert lines[3].startswith("Lab tiny is ready, in ")
    (log,) = logs(checkout)
    assert "PLAY RECAP" in (log / "stdout").read_text(encoding="utf-8")
    assert "\x1b[" not in (log / "stdout").read_text(encoding="utf-8")
    assert "env" not in (log / "command").read_text(encoding="utf-8")
    assert (checkout.root / ".lab" / "tiny").stat().st_mode & 0o777 == 0o700


def test_the_plain_strategy_is_one_option_away(call: Call, checkout: Project) -> None:
    # Mitogen is named in ansible.cfg only: without its plugin nothing but the plain strategy can run.
    (checkout.root / "plugins").unlink()
    code, _out, err = call("provision")
    assert code == 1
    assert "mitogen" in err
    assert call("provision", "--plain-strategy")[0] == 0


def test_a_failure_is_one_line_with_cause_place_and_log(call: Call, checkout: Project) -> None:
    exit_codes = "second_exit_codes: {node2: 3}\n"
    (checkout.inventories / "local" / "group_vars").mkdir()
    (checkout.inventories / "local" / "group_vars" / "lab.yml").write_text(exit_codes, encoding="utf-8")
    code, out, err = call("provision")
    assert code == 1
    assert "✗ second: The second thing" in out
    assert err.count("\n") == 1
    assert "node2: second: Write it down: non-zero return code: the disk is full (exit code 3)" in err
    assert "(roles/second/tasks/main.yml:6)" in err
    assert f"Log: .lab/tiny/runner/{logs(checkout)[0].name}/stdout" in err


def test_a_node_that_cannot_be_reached_is_bad_input(call: Call) -> None:
    code, _out, err = call("check", "-i", "unreachable")
    assert code == 2
    assert err.startswith("error: node2 cannot be reached: ")


def test_check_prints_every_check(call: Call, checkout: Project) -> None:
    code, out, err = call("check")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[1].startswith("✓ The nodes answer  ")
    assert lines[2].startswith("✓ Only wanted nodes are there  ")
    assert lines[3] == "All is well: 2 checks passed."


def test_destroy_leaves_nothing_but_results(call: Call, checkout: Project) -> None:
    results = checkout.root / "results" / "quick" / "tiny" / "study.json"
    results.parent.mkdir(parents=True)
    results.write_text("{}", encoding="utf-8")
    assert call("provision")[0] == 0
    code, out, err = call("destroy", "--yes")
    assert (code, err) == (0, "")
    assert "Lab tiny is gone." in out
    assert not (checkout.root / ".lab" / "tiny").exists()
    assert results.exists()


def test_only_the_last_invocations_are_kept(call: Call, checkout: Project) -> None:
    folder = checkout.root / ".lab" / "tiny" / "runner"
    for number in range(25):
        (folder / f"20200101T0000{number:02d}-provision-1").mkdir(parents=True)
    assert call("check")[0] == 0
    names = [log.name for log in logs(checkout)]
    assert len(names) == 20
    assert names[-1].split("-")[1] == "check"


def test_two_commands_do_not_work_on_one_lab(call: Call, checkout: Project) -> None:
    with lab_lock(checkout.root / ".lab" / "tiny"):
        code, _out, err = call("provision")
    assert code == 2
    assert "another postcopy-lab works on this lab" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_everything_and_says_how_to_go_on(checkout: Project, number: int) -> None:
    (checkout.inventories / "local" / "group_vars").mkdir()
    nap = checkout.inventories / "local" / "group_vars" / "lab.yml"
    nap.write_text("nap_seconds: 600\n", encoding="utf-8")
    command = subprocess.Popen(
        [sys.executable, "-m", "postcopy_lab", "provision"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = _wait_for_log(checkout, "Change something")
    assert _children(log.parent.name)
    command.send_signal(number)
    out, err = command.communicate(timeout=30)
    assert command.returncode == 130, out + err
    assert "interrupted: go on with `postcopy-lab provision`" in err
    assert _children(log.parent.name) == []


def _wait_for_log(checkout: Project, text: str) -> Path:
    """The log of the running invocation, once the task is there (its children sleep then)."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for log in (checkout.root / ".lab" / "tiny").glob("runner/*/stdout"):
            if _sleeping(log.parent.name):
                return log
        time.sleep(0.2)
    raise AssertionError(f"no task '{text}' within 60 s")


def _children(invocation: str) -> list[int]:
    """Processes that carry the name of an invocation."""
    mark = f"{INVOCATION_VARIABLE}={invocation}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _sleeping(invocation: str) -> bool:
    words = [Path(f"/proc/{pid}/cmdline") for pid in _children(invocation)]
    return any(b"sleep\x00600" in path.read_bytes() for path in words if path.exists())


# The real playbooks of a check, but for what needs a lab: guests, probes, and the roles of its networks.
CHECK_STUBS = {
    "tasks/prepare_nodes.yml": """
- name: Clean what an interrupted run left
  ansible.builtin.shell: echo {{ inventory_hostname }} >> {{ playbook_dir }}/cleaned
  when: inventory_hostname in [study_source, study_destination]
  changed_when: true
""",
    "tasks/boot_libvirt.yml": """
- name: Start no guest
  ansible.builtin.command: "true"
  changed_when: true
  register: study_next_boot
  run_once: true
""",
    # A task that runs once, for another node, in a file that is included: as the real ones are.
    "tasks/measure.yml": """
- name: Migrate
  ansible.builtin.include_tasks: migrate_libvirt.yml
- name: Never reached
  ansible.builtin.fail:
""",
    "tasks/migrate_libvirt.yml": """
- name: Wait for it
  ansible.builtin.command: "false"
  changed_when: true
  delegate_to: node2
  run_once: true
""",
    "tasks/collect.yml": """
- name: Clean
  ansible.builtin.shell: echo {{ inventory_hostname }} >> {{ playbook_dir }}/cleaned
  when: inventory_hostname in [study_source, study_destination]
  changed_when: true
""",
    "../roles/prechecks/tasks/inventory.yml": "[]\n",
    "../roles/lab_network/tasks/shape.yml": "[]\n",
}
CHECK_INVENTORY = """
lab_backend: libvirt
lab_project_dir: "{{ ansible_config_file | dirname }}"
lab_state_dir: "{{ lab_project_dir }}/.lab/tiny"
lab_results_dir: "{{ lab_project_dir }}/results"
lab_network_guest_address: 10.91.2.2
"""


@pytest.fixture
def check_fails(checkout: Project) -> Path:
    """The miniature's playbooks, its check being the real one whose migration fails."""
    shutil.copytree(PROJECT / "playbooks", checkout.playbooks, dirs_exist_ok=True)
    for name, text in CHECK_STUBS.items():
        path = checkout.playbooks / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    settings = checkout.inventories / "local" / "group_vars" / "all.yml"
    settings.parent.mkdir()
    settings.write_text(CHECK_INVENTORY, encoding="utf-8")
    return checkout.playbooks


def test_a_check_that_fails_leaves_nothing_behind(call: Call, checkout: Project, check_fails: Path) -> None:
    code, out, err = call("check", "--plain-strategy")
    # Once before, for what an interrupted check left, and once after.
    cleaned = (check_fails / "cleaned").read_text(encoding="utf-8").split()
    assert sorted(cleaned) == ["node1", "node1", "node2", "node2"], out
    assert code == 1
    assert err.count("\n") == 1
    assert "Wait for it: non-zero return code (lab_fault)" in err and "no message" not in err
    assert not (checkout.root / "results").exists()
    # Its evidence is kept, until the next check.
    (kept,) = (checkout.root / ".lab" / "tiny" / "check").glob("results/check/tiny/runs/*/01/run.json")
    assert str(kept.parent) in err


def test_plain_ansible_prints_what_the_command_shows(checkout: Project, check_fails: Path) -> None:
    done = run_tool(
        "ansible-playbook",
        "--inventory",
        os.fspath(checkout.inventories / "local"),
        os.fspath(check_fails / "check.yml"),
        cwd=checkout.root,
        extra_env={"ANSIBLE_STRATEGY": "linear", "ANSIBLE_CONFIG": os.fspath(checkout.ansible_config)},
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 2, done.stdout
    assert lines.count("Run 1/1 hybrid-s-stress-1x64mib-1gbit 01 begins") == 1, done.stdout
    ended = "Run 1/1 hybrid-s-stress-1x64mib-1gbit 01: aborted (lab_fault: Wait for it: non-zero return code)"
    assert sum(line.startswith(ended) for line in lines) == 1, done.stdout
