"""`study --provision`: a lab that is not as its files say is provisioned, and only then."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from postcopy_lab.project import Project
from postcopy_lab.verbs import study as verb

Call = Callable[..., tuple[int, str, str]]

# Real plan, real refusal; the miniature cannot migrate, so its study ends after the plan.
STUDY = """
- name: Plan
  hosts: lab
  gather_facts: false
  vars:
    mark: "{{ lookup('ansible.builtin.file', playbook_dir ~ '/mark', errors='ignore') | default('', true) }}"
  tasks:
    - name: Plan the study
      postcopy.lab.study_plan:
        study_file: "{{ playbook_dir }}/../studies/quick.yml"
        results_directory: "{{ playbook_dir }}/../results"
        lab: tiny
        release: epoxy
        computes: [node1, node2]
        nodes:
          node1: {provisioned: "{{ mark }}", boot_id: x, memory_available_bytes: 68719476736}
        fingerprint: as-the-files-say
      run_once: true
"""
PROVISION = """
- name: Provision
  hosts: node0
  gather_facts: false
  tasks:
    - name: Leave the fingerprint
      ansible.builtin.copy: {content: as-the-files-say, dest: "{{ playbook_dir }}/mark", mode: "0644"}
"""


@pytest.fixture(autouse=True)
def playbooks(checkout: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout.playbooks / "study.yml").write_text(STUDY, encoding="utf-8")
    (checkout.playbooks / "provision.yml").write_text(PROVISION, encoding="utf-8")
    # The miniature's nodes are this machine without ssh; what they answer is not what is tested.
    monkeypatch.setattr(verb, "answering", lambda nodes: {node.name for node in nodes})


def test_without_the_option_it_is_refused(call: Call, checkout: Project) -> None:
    code, out, err = call("study", "quick")
    assert code == 2
    assert "node1: not provisioned since its start, or from other files" in err
    assert "Provisioning" not in out
    assert not (checkout.root / "results").exists()


def test_with_it_the_lab_is_provisioned_and_the_study_goes_on(call: Call, checkout: Project) -> None:
    code, out, err = call("study", "quick", "--provision")
    assert "node1: not provisioned since its start" in out
    assert out.index("not provisioned") < out.index("Provisioning lab tiny") < out.index("Lab tiny is ready")
    # Planned at last; no run was made in the miniature.
    assert (checkout.root / "results/quick/tiny/study.json").is_file()
    assert (code, "12 runs still missing" in err) == (1, True)


def test_a_lab_as_its_files_say_is_not_provisioned_again(call: Call, checkout: Project) -> None:
    (checkout.playbooks / "mark").write_text("as-the-files-say", encoding="utf-8")
    _code, out, _err = call("study", "quick", "--provision")
    assert "Provisioning" not in out


def test_nodes_that_do_not_answer_are_provisioned_first(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "answering", lambda nodes: set())
    _code, out, _err = call("study", "quick", "--provision")
    assert "not provisioned" not in out
    assert out.index("Provisioning lab tiny") < out.index("Lab tiny is ready")
