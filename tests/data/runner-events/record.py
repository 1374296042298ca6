"""Record the event streams of this folder.

python tests/data/runner-events/record.py [NAME ...]           from the miniature
python tests/data/runner-events/record.py study INVENTORY ONLY  from a real study on a provisioned lab
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from ansible_runner import interface

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[2]
NEUTRAL = "/srv/postcopy-lab"
STREAMS = {
    "provision": ("provision", "local", {}),
    "nested": ("nested", "local", {}),
    "failed": ("failed", "local", {}),
    "refused": ("check", "local", {"unwanted_nodes": ["node2"]}),
    "unreachable": ("provision", "unreachable", {}),
    "silent": ("silent", "unreachable", {}),
    "no-hosts": ("no_hosts", "local", {}),
    "broken": ("broken", "local", {}),
}


def record(name: str, project: Path, playbook: str, inventory: Path, extra_vars: dict[str, object]) -> None:
    """Run one playbook and write its events."""
    events: list[str] = []

    def keep(event: dict[str, object]) -> bool:
        line = json.dumps(event).replace(str(project), NEUTRAL)
        events.append(line.replace(str(inventory.parent), NEUTRAL))
        return False

    runner = interface.run(
        private_data_dir=tempfile.mkdtemp(),
        project_dir=str(project),
        playbook=str(project / "playbooks" / f"{playbook}.yml"),
        inventory=str(inventory),
        extravars=extra_vars,
        envvars={"ANSIBLE_CONFIG": str(project / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        fact_cache_type="as-configured",
        event_handler=keep,
        suppress_env_files=True,
        quiet=True,
    )
    (HERE / f"{name}.jsonl").write_text("\n".join(events) + "\n", encoding="utf-8")
    print(f"{name}: {len(events)} events, ended with {runner.rc}")


def main() -> None:
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    if sys.argv[1:2] == ["study"]:
        inventory, only = sys.argv[2:]
        record("study", PROJECT, "study", Path(inventory), {"study": "quick", "repetitions": 1, "only": only})
        return
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        shutil.copytree(HERE / "project", project)
        shutil.copy(PROJECT / "ansible.cfg", project)
        (project / "plugins").symlink_to(PROJECT / "plugins")
        for name in sys.argv[1:] or STREAMS:
            playbook, inventory, extra_vars = STREAMS[name]
            record(name, project, playbook, project / "inventories" / inventory, extra_vars)


if __name__ == "__main__":
    main()
