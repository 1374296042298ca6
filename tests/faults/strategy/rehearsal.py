"""An Ansible strategy that rehearses a study without a lab: nodes' tasks do nothing, and chosen ones fail.

What runs on the control machine (plan, record, facts, fetched files) is real; what a node would have
answered is what the nodes of a real run did (tests/data/run-results). Settings are a JSON file whose path is
in REHEARSAL: "results": those of the real run; "archive": a packed run directory; "log": a file that gets the
run's number, the host and the name of each task of a run; "faults": by a run's number a list of {"task",
"host" (null: any), "results": what it returns there the first time and so on; then it does what it should}.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.executor.task_executor import TaskExecutor
from ansible.plugins.strategy.linear import StrategyModule

SETTINGS = json.loads(Path(os.environ["REHEARSAL"]).read_text(encoding="utf-8"))
# Answers of the real run by module, and by what the task is for.
ANSWERS = {
    "postcopy.lab.guest": lambda _args, _role: SETTINGS["results"]["boot"],
    "postcopy.lab.guest_agent": lambda args, _role: SETTINGS["results"][
        "check" if args.get("directory") else "fill"
    ],
    "postcopy.lab.migration": lambda _args, _role: SETTINGS["results"]["migration"],
    "postcopy.lab.probes": lambda args, role: (
        {**SETTINGS["results"]["stopped"][role], "archive": SETTINGS["archive"]}
        if args.get("state") == "stopped"
        else {"finished_at": SETTINGS["results"]["boot"]["started_at"]}
    ),
}
IDLE = {
    "ansible.builtin.command",
    "ansible.builtin.shell",
    "ansible.builtin.copy",
    "ansible.builtin.wait_for",
}
# What the role local_nodes reads of this machine.
MACHINE = ["cgroup cgroup2fs", "user 0", "root yes", "systemd no", "nofile 1", "nproc 1"]
real_handler = TaskExecutor._get_action_handler_with_module_context


class Answer:
    """Stands for an action plugin whose module has run on its node."""

    def __init__(self, result: dict[str, Any]) -> None:
        self.result = result

    def run(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        return {"changed": False, **self.result}

    def cleanup(self) -> None:
        """Nothing is left behind."""


def handler_of(executor: Any, templar: Any) -> Any:
    """What carries out a task: Ansible's own, or an answer."""
    task, host, variables = executor._task, executor._host.name, executor._job_vars
    handler, context = real_handler(executor, templar)
    run = variables.get("run")
    if isinstance(run, dict):
        done, line = Path(SETTINGS["log"]), f"{run['number']} {host} {task.name}"
        before = done.read_text(encoding="utf-8").splitlines().count(line) if done.exists() else 0
        with done.open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")
        for fault in SETTINGS["faults"].get(str(run["number"]), []):
            if (fault["task"], fault["host"] or host) == (task.name, host) and before < len(fault["results"]):
                return Answer(fault["results"][before]), context
    if task.action in ANSWERS:
        role = "prober"
        if isinstance(run, dict) and host in (run["source"], run["destination"]):
            role = "source" if host == run["source"] else "destination"
        return Answer(ANSWERS[task.action](task.args, role)), context
    if task.action in IDLE and (isinstance(run, dict) or host != "localhost"):
        return Answer(
            {"rc": 0, "stdout": "\n".join(MACHINE), "stdout_lines": MACHINE, "stderr_lines": []}
        ), context
    return handler, context


TaskExecutor._get_action_handler_with_module_context = handler_of

__all__ = ["StrategyModule"]
