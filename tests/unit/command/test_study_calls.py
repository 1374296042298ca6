"""A large study is made by one call of its playbook after the other, each of so many runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from postcopy_lab.project import Project
from postcopy_lab.verbs import study as verb
from tests.unit.command.conftest import STREAMS

Call = Callable[..., tuple[int, str, str]]

# Real plan and events; the miniature cannot migrate: each run's run.json is a recorded one.
STUDY = """
- name: Make runs
  hosts: lab
  gather_facts: false
  tasks:
    - name: Plan the study
      postcopy.lab.study_plan:
        study_file: "{{ playbook_dir }}/../studies/quick.yml"
        results_directory: "{{ playbook_dir }}/../results"
        lab: tiny
        release: epoxy
        computes: [node1, node2]
        most_runs: "{{ most_runs | default(omit) }}"
      register: plan
      run_once: true
    - name: Count the call
      ansible.builtin.lineinfile:
        path: "{{ playbook_dir }}/calls"
        line: "{{ plan.pending[0].label }}"
        create: true
        mode: "0644"
      delegate_to: node0
      run_once: true
    - name: Make each run
      ansible.builtin.include_tasks: run.yml
      loop: "{{ plan.pending[:(most | default(99)) | int] }}"
      loop_control: {loop_var: run}
"""
RUN = """
- name: Report that the run begins
  postcopy.lab.event: {kind: run_begins, run: "{{ run }}"}
- name: Record
  ansible.builtin.shell:
    cmd: mkdir -p {{ run.directory }} && cp {{ playbook_dir }}/run.json {{ run.directory }}
  delegate_to: node0
  run_once: true
- name: Report how the run ended
  postcopy.lab.event:
    kind: run_ends
    run: "{{ run }}"
    outcome: completed
    text: made
    path: "{{ run.directory }}/run.json"
"""


@pytest.fixture(autouse=True)
def playbooks(checkout: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout.playbooks / "study.yml").write_text(STUDY, encoding="utf-8")
    (checkout.playbooks / "run.yml").write_text(RUN, encoding="utf-8")
    recorded = STREAMS / "results/quick/cmd/runs/hybrid-s-unloaded-1gbit/01/run.json"
    shutil.copy(recorded, checkout.playbooks)
    monkeypatch.setattr(verb, "RUNS_A_CALL", 5)


def test_every_run_is_made(call: Call, checkout: Project) -> None:
    code, out, err = call("study", "quick")
    assert (code, err) == (0, ""), out
    calls = (checkout.playbooks / "calls").read_text(encoding="utf-8").splitlines()
    assert [line.split()[1] for line in calls] == ["1/12", "6/12", "11/12"]
    assert len(list(checkout.root.glob("results/quick/tiny/runs/*/*/run.json"))) == 12
    # Only the first call is told of.
    assert out.count("study planned, nodes ready") == 1


def test_a_call_that_leaves_runs_unmade_is_the_last(call: Call, checkout: Project) -> None:
    study = (checkout.playbooks / "study.yml").read_text(encoding="utf-8")
    (checkout.playbooks / "study.yml").write_text(
        study.replace("default(99)", "default(4)"), encoding="utf-8"
    )
    code, _out, err = call("study", "quick")
    assert (code, "8 runs still missing" in err) == (1, True)
    assert (checkout.playbooks / "calls").read_text(encoding="utf-8").count("Run ") == 1
