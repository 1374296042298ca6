#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Check a study and say which of its runs are pending."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: study_plan
short_description: Check a study and say which of its runs are pending
description:
  - Reads and checks a study file, resolves its cases and the order of its runs, and writes C(study.json) into
    the results directory of the study and the lab.
  - A run is finished when it has its C(run.json). Finished runs are never pending.
  - Whatever is wrong fails with one line that names the file, the key and what is allowed; nothing is
    changed then.
options:
  study_file:
    description: The study file.
    type: path
    required: true
  results_directory:
    description: The directory of all results; the study's are in STUDY/LAB below it.
    type: path
    required: true
  lab:
    description: Name of the lab.
    type: str
    required: true
  release:
    description: What the nodes run. Results of another release are refused.
    type: str
    required: true
  backend:
    description: Who is asked to migrate.
    type: str
    choices: [libvirt, nova]
    default: libvirt
  repetitions:
    description: Repetitions of each case; the study's own by default.
    type: int
  only:
    description: Cases to run, as ids or patterns with V(*) and V(?), separated by commas; all by default.
    type: str
    default: ""
  computes:
    description: Names of the computes, sources and destinations by turns.
    type: list
    elements: str
    required: true
  pair:
    description: Which pair of computes runs its share of the cases, counted from 0.
    type: int
    default: 0
  pairs:
    description: Number of pairs among which the cases are dealt out.
    type: int
    default: 1
  guest_network:
    description: First three numbers of the guests' addresses.
    type: str
    default: "10.91.2"
  nodes:
    description: What M(postcopy.lab.node_facts) says of each compute; without it, memory is not checked.
    type: dict
    default: {}
  fingerprint:
    description:
      - What each node must have been provisioned from, as O(nodes) say; not checked when empty. It fails
        with the names of those that differ in C(unprovisioned) then.
    type: str
    default: ""
  switch:
    description: Whether the lab's switch is this machine's own and can be told what to forward where.
    type: bool
    default: false
attributes:
  check_mode:
    description: Says what is pending and writes nothing.
    support: full
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Plan
  postcopy.lab.study_plan:
    study_file: studies/quick.yml
    results_directory: results
    lab: local
    release: epoxy
    computes: [compute1, compute2]
  register: plan
  delegate_to: localhost
"""

RETURN = r"""
study:
  description: The study with all defaults filled in.
  returned: success
  type: dict
directory:
  description: Where the results of this study and lab are.
  returned: success
  type: str
total:
  description: Number of runs of the selected cases, finished ones included.
  returned: success
  type: int
pending:
  description: The runs that are to be made, in order, with everything that their tasks need.
  returned: success
  type: list
  elements: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.postcopy.lab.plugins.module_utils import guest_domain, study_files
from ansible_collections.postcopy.lab.plugins.module_utils import study as rules

NODE_RUNS_DIRECTORY = "/var/lib/postcopy-lab/runs"
BOOT_PATIENCE_SECONDS = 180
SLOWEST_FILL_BYTES_PER_SECOND = 16 * 1024 * 1024


def pair_of(params):
    """(source, destination) of the pair that runs here."""
    computes = params["computes"]
    if not 0 <= params["pair"] < params["pairs"]:
        raise rules.StudyError(
            "pair: %d is not allowed (allowed: 0 to %d)" % (params["pair"], params["pairs"] - 1)
        )
    if 2 * params["pairs"] > len(computes):
        raise rules.StudyError(
            "inventory: group compute: %d computes, %d are needed (allowed: two for each pair)"
            % (len(computes), 2 * params["pairs"])
        )
    return computes[2 * params["pair"]], computes[2 * params["pair"] + 1]


def ready_patience_seconds(spec):
    """How long a guest may take to boot, and again to fill its memory: far longer than it should."""
    return BOOT_PATIENCE_SECONDS + spec["stressed_bytes"] // SLOWEST_FILL_BYTES_PER_SECOND


def stuck_seconds(spec):
    """How long a migration may take: its pre-copy to the limit, then post-copy at a tenth of the link."""
    memory_bits = 8 * (spec["ram_bytes"] if spec["mode"] == "postcopy" else 2 * spec["stressed_bytes"])
    return spec["limit_seconds"] + 60 + 10 * memory_bits // spec["link_rate_bits_per_second"]


def deadline_seconds(spec):
    """After this a run's measuring processes end by themselves, should nobody have stopped them."""
    return 2 * ready_patience_seconds(spec) + stuck_seconds(spec) + 300


def load_requests(spec):
    """What the guest's agent is asked before the migration."""
    requests = ["pattern start %d" % spec["pattern_bytes"]] if spec["pattern_bytes"] else []
    if spec["stress_threads"]:
        words = (spec["stressor"], spec["stress_threads"], spec["stress_thread_bytes"])
        requests.insert(0, "stressor start %s %d %d" % words)
    return requests


def check_requests(spec):
    """What the guest's agent is asked after the migration, the last of it at the end of the quiet seconds."""
    verify = ["pattern verify"] if spec["pattern_bytes"] else []
    return ["status"] + verify + ["kernel-log", "progress", "status"]


def probes_of(spec):
    """What is measured where. Ping and byte counters are what no run goes without."""
    probes = {"source": ["nic"], "destination": ["nic", "events"], "prober": ["ping"]}
    if spec["probes"] == "all":
        for role in probes:
            probes[role] += ["icmp", "clock"]
        probes["prober"].append("ping_fine")
        if spec["backend"] == "libvirt":
            probes["destination"].append("blocktime")
    return probes


def qemu_arguments_of(spec):
    """What QEMU is told beside libvirt's own words. The destination's is started with the source's."""
    if spec["network"] == "late_announcement":
        # As many announcements after a migration as this, by itself: the playbook makes one later.
        return ["-global", "migration.announce-rounds=0"]
    return []


def check_networks(cases, params):
    """Only the switch of a lab on one machine can be told what to do, and only the kit's own guests."""
    for case in cases:
        network = case["spec"]["network"]
        if network != "plain" and not (params["switch"] and params["backend"] == "libvirt"):
            raise rules.StudyError(
                "%s: network: %s in case %s needs a lab on this machine and the backend libvirt "
                "(allowed: plain)" % (params["study_file"], network, case["case"])
            )


class NotProvisioned(rules.StudyError):
    """Nodes are not as the project's files say."""

    def __init__(self, names):
        super(NotProvisioned, self).__init__(
            "%s: not provisioned since its start, or from other files than this project's roles, release and "
            "inventory are now; run playbooks/provision.yml (postcopy-lab provision) first" % ", ".join(names)
        )
        self.names = names


def check_provisioned(params):
    if params["fingerprint"]:
        names = [
            name
            for name, node in sorted(params["nodes"].items())
            if node.get("provisioned") != params["fingerprint"]
        ]
        if names:
            raise NotProvisioned(names)


def run_items(plan, params, source, destination):
    """The pending runs as the playbook needs them."""
    items = []
    for place, (case, repetition) in enumerate(plan["pending"]):
        number = plan["order"].index([case, repetition]) + 1
        # The next guest boots while this one is removed: two addresses, by turns.
        guest_number = 2 * params["pair"] + place % 2
        address = "%s.%d" % (params["guest_network"], 100 + guest_number)
        items.append(
            {
                "study": plan["study"]["name"],
                "lab": params["lab"],
                "case": case,
                "repetition": repetition,
                "spec": plan["specs"][case],
                "number": number,
                "total": len(plan["order"]),
                "label": "Run %d/%d %s %02d" % (number, len(plan["order"]), case, repetition),
                "directory": study_files.run_directory(plan["directory"], case, repetition),
                "node_directory": "%s/%s/%02d" % (NODE_RUNS_DIRECTORY, case, repetition),
                "source": source,
                "destination": destination,
                "probes": probes_of(plan["specs"][case]),
                "requests": load_requests(plan["specs"][case]),
                "check_requests": check_requests(plan["specs"][case]),
                "ready_patience_seconds": ready_patience_seconds(plan["specs"][case]),
                "stuck_seconds": stuck_seconds(plan["specs"][case]),
                "deadline_seconds": deadline_seconds(plan["specs"][case]),
                "guest": {
                    "name": "postcopy-lab-%s-%02d" % (case, repetition),
                    "address": address,
                    "mac": guest_domain.address_in_mac(address)
                    if params["backend"] == "nova"
                    else "52:54:00:91:02:%02x" % guest_number,
                    "vcpus": plan["specs"][case]["vcpus"],
                    "memory_bytes": plan["specs"][case]["ram_bytes"],
                    "qemu_arguments": qemu_arguments_of(plan["specs"][case]),
                },
            }
        )
    for place, item in enumerate(items):
        item["next_guest"] = items[place + 1]["guest"] if place + 1 < len(items) else None
    return items


def make_plan(params):
    study = study_files.read_study(params["study_file"])
    if params["repetitions"] is not None:
        if not 1 <= params["repetitions"] <= 999:
            raise rules.StudyError(
                "repetitions: %d is not allowed (allowed: 1 to 999)" % params["repetitions"]
            )
        study["repetitions"] = params["repetitions"]
    cases = rules.resolve_cases(study, params["study_file"], params["backend"])
    names = [case["case"] for case in cases]
    directory = os.path.join(params["results_directory"], study["name"], params["lab"])
    study_files.check_results_directory(directory, study, cases, params["lab"], params["release"])
    dealt = rules.deal_cases(names, params["pairs"])
    selected = [name for name in rules.select_cases(names, params["only"]) if dealt[name] == params["pair"]]
    order = rules.run_order(names, study["repetitions"], study["order_seed"])
    chosen = rules.pending_runs(order, set(), selected)
    pending = rules.pending_runs(chosen, study_files.finished_runs(directory, chosen))
    wanted = [case for case in cases if case["case"] in {name for name, _ in pending}]
    check_networks(wanted, params)
    check_memory(wanted, params)
    return {
        "study": study,
        "cases": cases,
        "specs": {case["case"]: case["spec"] for case in cases},
        "directory": directory,
        "whole_order": order,
        "order": chosen,
        "pending": pending,
    }


def check_memory(cases, params):
    """The study must fit before anything starts."""
    nodes = [
        {
            "name": name,
            "machine": params["nodes"][name]["boot_id"],
            "available_bytes": params["nodes"][name]["memory_available_bytes"],
        }
        for name in pair_of(params)
        if name in params["nodes"]
    ]
    if cases and nodes:
        rules.check_memory(cases, nodes, params["study_file"])


def main():
    module = AnsibleModule(
        argument_spec={
            "study_file": {"type": "path", "required": True},
            "results_directory": {"type": "path", "required": True},
            "lab": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "backend": {"choices": ["libvirt", "nova"], "default": "libvirt"},
            "repetitions": {"type": "int"},
            "only": {"type": "str", "default": ""},
            "computes": {"type": "list", "elements": "str", "required": True},
            "pair": {"type": "int", "default": 0},
            "pairs": {"type": "int", "default": 1},
            "guest_network": {"type": "str", "default": "10.91.2"},
            "nodes": {"type": "dict", "default": {}},
            "fingerprint": {"type": "str", "default": ""},
            "switch": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        source, destination = pair_of(module.params)
        plan = make_plan(module.params)
        check_provisioned(module.params)
    except NotProvisioned as error:
        module.fail_json(msg=str(error), unprovisioned=error.names)
    except rules.StudyError as error:
        module.fail_json(msg=str(error))
    changed = False
    if not module.check_mode:
        document = rules.plan_document(plan["study"], plan["cases"], plan["whole_order"])
        changed = study_files.write_json(os.path.join(plan["directory"], study_files.STUDY_FILE), document)
    module.exit_json(
        changed=changed,
        study=plan["study"],
        directory=plan["directory"],
        total=len(plan["order"]),
        pending=run_items(plan, module.params, source, destination),
    )


if __name__ == "__main__":
    main()
