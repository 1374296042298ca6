"""The verbs on real, tiny playbooks: what is printed, what is left, and the exit codes."""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from postcopy_lab import runner
from postcopy_lab.lock import lab_lock
from postcopy_lab.project import Project
from postcopy_lab.runner import INVOCATION_VARIABLE
from tests.conftest import PROJECT, run_tool

Call = Callable[..., tuple[int, str, str]]
COMMAND = [sys.executable, "-m", "postcopy_lab"]


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
    _set(checkout, "second_exit_codes: {node2: 3}")
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
    with lab_lock("tiny"):
        code, _out, err = call("provision")
    assert code == 2
    assert (
        err == "error: lab tiny of this machine is in use: another user's command works on it; wait for it\n"
    )


def test_a_lab_stays_locked_while_the_ansible_of_a_killed_command_works(
    call: Call, checkout: Project
) -> None:
    _set(checkout, "nap_seconds: 600")
    command = _started("provision")
    invocation = _wait_for_log(checkout, "Change something").parent.name
    assert f"process {command.pid}, started in {checkout.root} works on it; wait" in call("check")[2]
    command.kill()
    command.communicate()
    playbook = _main_process(invocation)
    code, _out, err = call("check")
    assert (code, err.count("\n")) == (2, 1)
    assert f"an ansible-playbook (process {playbook}, started in {checkout.root}) still works on it" in err
    assert f"`kill -- -{playbook}`" in err
    runner._end_children(invocation)
    while _children(invocation):
        time.sleep(0.1)
    code, _out, err = call("check")
    assert code == 0, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_everything_and_says_how_to_go_on(checkout: Project, number: int) -> None:
    _set(checkout, "nap_seconds: 600")
    command = _started("provision")
    log = _wait_for_log(checkout, "Change something")
    assert _children(log.parent.name)
    command.send_signal(number)
    out, err = command.communicate(timeout=120)
    assert command.returncode == 130, out + err
    assert "interrupted: go on with `postcopy-lab provision`" in err
    assert _children(log.parent.name) == []


def test_a_second_ctrl_c_gives_the_clean_up_up_at_any_moment(
    napping_check: subprocess.Popen[str], checkout: Project
) -> None:
    """Also before the clean-up's playbook has begun."""
    command = napping_check
    _wait_for_log(checkout, "Change something")
    command.send_signal(signal.SIGINT)
    assert command.stdout is not None
    while "Stopping:" not in command.stdout.readline():
        pass
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=120)
    assert command.returncode == 130, out + err
    assert "cleaning up was interrupted too: the next study removes what is left" in out
    assert err.startswith("interrupted: ")


def test_a_closed_terminal_ends_everything_and_the_nodes_are_cleaned(checkout: Project) -> None:
    _make_check_nap(checkout)
    terminal, theirs = pty.openpty()
    command = subprocess.Popen(
        [*COMMAND, "check"],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_own_the_terminal,
    )
    os.close(theirs)
    log = _wait_for_log(checkout, "Change something")
    os.close(terminal)
    assert command.wait(timeout=300) == 130
    assert len((checkout.playbooks / "cleaned").read_text(encoding="utf-8").split()) == 3
    assert _children(log.parent.name) == []


def _own_the_terminal() -> None:
    """As a shell starts a command; these tests themselves may run under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def napping_check(checkout: Project) -> subprocess.Popen[str]:
    """A check that sleeps on its nodes."""
    _make_check_nap(checkout)
    return _started("check")


def _make_check_nap(checkout: Project) -> None:
    _set(checkout, "nap_seconds: 600")
    play = (checkout.playbooks / "provision.yml").read_text(encoding="utf-8")
    (checkout.playbooks / "check.yml").write_text(play, encoding="utf-8")


def _set(checkout: Project, variables: str) -> None:
    """Set variables of the miniature's hosts."""
    folder = checkout.inventories / "local" / "group_vars"
    folder.mkdir(exist_ok=True)
    with (folder / "lab.yml").open("a", encoding="utf-8") as stream:
        stream.write(variables + "\n")


def _started(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *words],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _main_process(invocation: str) -> int:
    """The ansible-playbook of an invocation: the one whose parent is not of it."""
    children = _children(invocation)

    def parent(pid: int) -> int:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])

    (main,) = [pid for pid in children if parent(pid) not in children]
    return main


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGKILL, "killed by SIGKILL; the kernel's log (dmesg) tells whether memory was short"),
        (signal.SIGTERM, "killed by SIGTERM"),
    ],
)
def test_a_killed_ansible_playbook_is_named_and_cleaned_up(
    checkout: Project, napping_check: subprocess.Popen[str], number: int, words: str
) -> None:
    log = _wait_for_log(checkout, "Change something")
    os.kill(_main_process(log.parent.name), number)
    out, err = napping_check.communicate(timeout=300)
    assert (napping_check.returncode, err.count("\n")) == (1, 1), out + err
    assert f"error: check.yml: ansible-playbook was {words}. Log: .lab/tiny/runner/" in err
    assert "✓ nothing of it is left on the nodes" in out
    assert len((checkout.playbooks / "cleaned").read_text(encoding="utf-8").split()) == 3
    assert _children(log.parent.name) == []


def test_what_cannot_be_cleaned_up_is_named(checkout: Project, napping_check: subprocess.Popen[str]) -> None:
    hosts = checkout.inventories / "local" / "hosts.yml"
    text = hosts.read_text(encoding="utf-8")
    hosts.write_text(text.replace("node2:", "node2: {cleanup_exit_code: 5}"), encoding="utf-8")
    log = _wait_for_log(checkout, "Change something")
    os.kill(_main_process(log.parent.name), signal.SIGKILL)
    out, _err = napping_check.communicate(timeout=300)
    assert "✗ cleaning up failed; guests or probes may be left on node2: the next study removes them" in out


def test_a_refused_check_cleans_up_nothing(call: Call, checkout: Project) -> None:
    _set(checkout, "unwanted_nodes: [node2]")
    assert call("check")[0] == 2
    assert not (checkout.playbooks / "cleaned").exists()


def test_no_file_holds_the_callers_environment(
    checkout: Project, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("A_SECRET", "not-for-files")
    command = request.getfixturevalue("napping_check")
    log = _wait_for_log(checkout, "Change something")
    command.kill()
    command.communicate()
    os.kill(_main_process(log.parent.name), signal.SIGKILL)
    kept = [path for path in (checkout.root / ".lab").rglob("*") if path.is_file()]
    assert [path.name for path in kept if b"not-for-files" in path.read_bytes()] == []
    assert {path.stat().st_mode & 0o777 for path in kept if path.parent == log.parent} == {0o600}


def _wait_for_log(checkout: Project, text: str) -> Path:
    """The log of the running invocation, once the task is there (its children sleep then)."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        for log in (checkout.root / ".lab" / "tiny").glob("runner/*/stdout"):
            if _sleeping(log.parent.name):
                return log
        time.sleep(0.2)
    raise AssertionError(f"no task '{text}' within 240 s")


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
    return any(b"sleep\x00600" in _words(pid) for pid in _children(invocation))


def _words(pid: int) -> bytes:
    """The command line of a process; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


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
    "tasks/measure.yml": """
- name: Start no probe
  ansible.builtin.command: "true"
  changed_when: true
""",
    # A task that runs once, for another node, in a file that is included: as the real ones are.
    "tasks/migrate.yml": """
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
    "cleanup.yml": """
- name: Clean up
  hosts: compute
  gather_facts: false
  tasks:
    - name: Clean
      ansible.builtin.shell: echo {{ inventory_hostname }} >> {{ playbook_dir }}/cleaned
      changed_when: true
""",
    "../roles/prechecks/tasks/inventory.yml": "[]\n",
    "../roles/lab_network/tasks/shape.yml": "[]\n",
}
CHECK_INVENTORY = """
lab_backend: libvirt
lab_release: epoxy
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
    # Once before, for what an interrupted check left, once at the run's end, and once after the failure.
    cleaned = (check_fails / "cleaned").read_text(encoding="utf-8").split()
    assert sorted(cleaned) == ["node1"] * 3 + ["node2"] * 3, out
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
