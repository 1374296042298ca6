#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Ask the agent in the guest."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: guest_agent
short_description: Ask the agent in the guest
description:
  - Sends requests to the agent in the guest, one after the other, from a node on the guest network.
  - A guest that does not answer is a result, not a failure of the task.
options:
  address:
    description: Address of the guest.
    type: str
    required: true
  port:
    description: TCP port of the agent.
    type: int
    default: 7300
  requests:
    description: Requests, one line of words each, for example V(status) or V(pattern verify).
    type: list
    elements: str
    default: []
  timeout_seconds:
    description: How long to wait for the first answer, for each further one, and for the memory to be
      resident.
    type: float
    default: 60
  ready_timeout_seconds:
    description: How long to wait for the first answer, if not for O(timeout_seconds).
    type: float
  wait_resident_bytes:
    description: After the requests, wait until the stressor holds so much memory.
    type: int
    default: 0
  hold_seconds:
    description: Send the last request not before so long after the module began.
    type: float
    default: 0
  directory:
    description: Where long answers go instead of the result, C(progress.jsonl) and C(kernel_log.txt).
    type: path
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Wait for the guest and load it
  postcopy.lab.guest_agent:
    address: 10.91.2.100
    requests: ["stressor start stress 2 268435456", "pattern start 33554432"]
    wait_resident_bytes: 500000000
"""

RETURN = r"""
answered:
  description: Whether every request was answered.
  returned: always
  type: bool
error:
  description: The first thing that went wrong, one line; null if nothing did.
  returned: always
  type: str
ready_at:
  description: When the guest answered first, UTC epoch seconds of this node.
  returned: when it did
  type: float
finished_at:
  description: When the module was done, UTC epoch seconds of this node.
  returned: always
  type: float
answers:
  description: Requests and answers in order, each with RV(answers[].request) and RV(answers[].answer).
  returned: always
  type: list
  elements: dict
resident_bytes:
  description: The most memory that the guest said it uses, with all that its stressor ever held, in bytes.
  returned: when it answered
  type: int
memory_total_bytes:
  description: The memory that the guest's kernel manages (MemTotal), in bytes.
  returned: when it answered
  type: int
status:
  description: The guest's last answer to C(status).
  returned: when it answered
  type: dict
"""

import json
import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.postcopy.lab.plugins.module_utils import agent_client
from ansible_collections.postcopy.lab.plugins.module_utils.node import monotonic

POLL_SECONDS = 0.1


class Asker:
    """The conversation of one task, and what came of it."""

    def __init__(self, params):
        self.address = params["address"]
        self.port = params["port"]
        self.timeout_seconds = params["timeout_seconds"]
        self.ready_timeout_seconds = params["ready_timeout_seconds"] or self.timeout_seconds
        self.directory = params["directory"]
        self.answers = []
        self.ready_at = None
        self.resident_bytes = None
        self.resident_bytes_unloaded = None
        self.memory_total_bytes = None
        self.status = None

    def wait_for_first_answer(self):
        status = agent_client.ask_until_answered(
            self.address, self.port, "status", self.ready_timeout_seconds
        )
        self.ready_at = time.time()
        self.note_status(status)

    def ask(self, request):
        answer = agent_client.ask(self.address, self.port, request, self.timeout_seconds)
        if request == "status":
            self.note_status(answer)
        elif request == "progress" and self.directory:
            samples = answer.pop("samples")
            answer["samples_kept"] = len(samples)
            self.keep("progress.jsonl", [json.dumps(sample, sort_keys=True) for sample in samples])
        elif request == "kernel-log" and self.directory:
            self.keep("kernel_log.txt", answer.pop("lines"))
        self.answers.append({"request": request, "answer": answer})
        return answer

    def note_status(self, status):
        self.status = status
        if not status["stressor"]["running"]:
            self.resident_bytes_unloaded = status["resident_bytes"]
        in_use_bytes = in_use_with_all_of_the_stressor(status, self.resident_bytes_unloaded)
        self.resident_bytes = max(self.resident_bytes or 0, in_use_bytes)
        self.memory_total_bytes = status["memory_total_bytes"]

    def keep(self, name, lines):
        if not os.path.isdir(self.directory):
            os.makedirs(self.directory)
        with open(os.path.join(self.directory, name), "wb") as stream:
            stream.write("".join(line + "\n" for line in lines).encode("utf-8"))

    def wait_resident(self, wanted_bytes):
        """Wait until each worker has held all of its memory once.

        stress frees and takes its memory again and again, so that several workers hardly ever hold all of it
        at the same moment: what counts is the most that each of them ever held.
        """
        deadline = monotonic.seconds() + self.timeout_seconds
        while True:
            answer = agent_client.ask(self.address, self.port, "status", self.timeout_seconds)
            self.note_status(answer)
            stressor = answer["stressor"]
            held_bytes = stressor["peak_resident_bytes"]
            if held_bytes >= wanted_bytes:
                return
            if not stressor["running"]:
                raise agent_client.AgentError("the stressor ended by itself")
            if monotonic.seconds() > deadline:
                raise agent_client.AgentError(
                    "the stressor held %d bytes of %d after %g s"
                    % (held_bytes, wanted_bytes, self.timeout_seconds)
                )
            time.sleep(POLL_SECONDS)


def in_use_with_all_of_the_stressor(status, unloaded_bytes):
    """Bytes that the guest has in use when its stressor holds the most that it ever held.

    stress gives its memory back and takes it again all the time, and an answer's figures are of several
    moments. So what it ever held is added to what was in use before it began, and to no later figure.

    :param status: the guest's answer to "status"
    :param unloaded_bytes: memory in use before the stressor began, None if that is not known
    """
    if unloaded_bytes is None:
        return status["resident_bytes"]
    loaded_bytes = unloaded_bytes + status["stressor"]["peak_resident_bytes"]
    return min(max(status["resident_bytes"], loaded_bytes), status["memory_total_bytes"])


def hold(until):
    """Sleep until a time of monotonic.seconds()."""
    time.sleep(max(0.0, until - monotonic.seconds()))


def converse(asker, params, hold_until):
    asker.wait_for_first_answer()
    for number, request in enumerate(params["requests"], 1):
        if number == len(params["requests"]):
            hold(hold_until)
        asker.ask(request)
    if params["wait_resident_bytes"]:
        asker.wait_resident(params["wait_resident_bytes"])


def main():
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 7300},
            "requests": {"type": "list", "elements": "str", "default": []},
            "timeout_seconds": {"type": "float", "default": 60},
            "ready_timeout_seconds": {"type": "float"},
            "wait_resident_bytes": {"type": "int", "default": 0},
            "hold_seconds": {"type": "float", "default": 0},
            "directory": {"type": "path"},
        },
    )
    hold_until = monotonic.seconds() + module.params["hold_seconds"]
    asker = Asker(module.params)
    error = None
    try:
        converse(asker, module.params, hold_until)
    except agent_client.AgentError as problem:
        error = " ".join(str(problem).split())
        # Whoever waits for a quiet time gets it, whatever the guest says.
        hold(hold_until)
    module.exit_json(
        changed=bool(asker.answers),
        answered=error is None,
        error=error,
        ready_at=asker.ready_at,
        finished_at=time.time(),
        answers=asker.answers,
        resident_bytes=asker.resident_bytes,
        memory_total_bytes=asker.memory_total_bytes,
        status=asker.status,
    )


if __name__ == "__main__":
    main()
