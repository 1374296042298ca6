"""Read an inventory the way Ansible does, and refuse one that cannot carry a study.

Ansible itself is lenient here: it skips files it cannot parse, ignores `.ini` files inside a folder,
and a play that matches no host ends successfully. So everything a lab needs is checked before any play.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postcopy_lab.errors import InputError, count, one_line
from postcopy_lab.project import Project
from postcopy_lab.yaml_file import check_syntax

MINIMUM_HOSTS = {"controller": 1, "compute": 2, "prober": 1}
DEFAULT_SSH_PORT = 22


@dataclass(frozen=True)
class Node:
    """One host of the lab."""

    name: str
    groups: tuple[str, ...]
    address: str
    port: int


@dataclass(frozen=True)
class Inventory:
    """What the command needs to know of an inventory."""

    source: Path
    lab: str
    release: str
    backend: str
    state_dir: Path
    results_dir: Path
    nodes: tuple[Node, ...]

    @property
    def runner_dir(self) -> Path:
        """Folder of the logs of the last invocations."""
        return self.state_dir / "runner"


def find_inventory(project: Project, text: str) -> Path:
    """Return the file or folder to hand to Ansible: a name in `inventories/`, or a path.

    Raises:
        InputError: it does not exist, or is a folder without hosts.yml.
    """
    candidates = [Path(text), project.root / text]
    if Path(text).name == text:
        candidates.insert(0, project.inventories / text)
    path = next((candidate for candidate in candidates if candidate.exists()), None)
    if path is None:
        known = sorted(entry.parent.name for entry in project.inventories.glob("*/hosts.yml"))
        raise InputError(
            f"{text}: no such inventory; give a path or one of {', '.join(known) or 'none'} "
            f"(folders in {project.shown(project.inventories)})"
        )
    path = path.resolve()
    if path.is_dir() and not (path / "hosts.yml").is_file():
        raise InputError(
            f"{project.shown(path)}: no hosts.yml in this inventory folder "
            "(.ini and .cfg files in it are ignored)"
        )
    if path.is_file() and path.suffix not in (".yml", ".yaml"):
        raise InputError(
            f"{project.shown(path)}: inventory file must be .yml or .yaml, or a folder with hosts.yml"
        )
    return path


def load_inventory(project: Project, text: str, backend: str | None = None) -> Inventory:
    """Parse and check an inventory; `backend` wins over its own lab_backend, as an extra variable does.

    Raises:
        InputError: unknown path, unreadable file, missing group or too few hosts in one.
    """
    source = find_inventory(project, text)
    hosts_file = source / "hosts.yml" if source.is_dir() else source
    shown = project.shown(hosts_file)
    for path in sorted(source.rglob("*.yml")) if source.is_dir() else [source]:
        check_syntax(path, project.shown(path))
    with _ansible_environment(project):
        from ansible.errors import AnsibleError
        from ansible.inventory.manager import InventoryManager
        from ansible.parsing.dataloader import DataLoader
        from ansible.template import Templar
        from ansible.vars.manager import VariableManager

        _load_plugins()
        loader = DataLoader()
        try:
            manager = InventoryManager(loader=loader, sources=[str(source)])
            _require_groups(shown, manager.groups)
            variables = VariableManager(loader=loader, inventory=manager)

            def value(host: Any, name: str, default: object) -> Any:
                known = variables.get_vars(host=host)
                known.update(
                    ansible_config_file=str(project.ansible_config), playbook_dir=str(project.playbooks)
                )
                if backend:
                    known["lab_backend"] = backend
                if name not in known:
                    return default
                return Templar(loader=loader, variables=known).template(known[name])

            first = manager.groups["compute"].get_hosts()[0]
            lab = str(value(first, "lab_name", source.name if source.is_dir() else source.stem))
            nodes = tuple(
                Node(
                    name=str(host.name),
                    groups=tuple(
                        str(group.name)
                        for group in host.get_groups()
                        if group.name not in ("all", "ungrouped")
                    ),
                    address=str(value(host, "ansible_host", host.name)),
                    port=int(value(host, "ansible_port", DEFAULT_SSH_PORT)),
                )
                for host in manager.get_hosts("controller:compute:prober")
            )
            return Inventory(
                source=source,
                lab=lab,
                release=str(value(first, "lab_release", "")),
                backend=str(value(first, "lab_backend", "libvirt")),
                state_dir=Path(str(value(first, "lab_state_dir", project.root / ".lab" / lab))).resolve(),
                results_dir=Path(str(value(first, "lab_results_dir", project.root / "results"))).resolve(),
                nodes=nodes,
            )
        except AnsibleError as error:
            raise InputError(f"{shown}: {one_line(str(error), 300)}") from error


def _require_groups(shown: str, groups: Mapping[str, Any]) -> None:
    for name, minimum in MINIMUM_HOSTS.items():
        found = len(groups[name].get_hosts()) if name in groups else 0
        if found < minimum:
            raise InputError(f"{shown}: group '{name}' has {count(found, 'host')}, needs {minimum} or more")


@functools.cache
def _load_plugins() -> None:
    """Once per process: Ansible warns at the second time."""
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader()


@contextlib.contextmanager
def _ansible_environment(project: Project) -> Iterator[None]:
    """Let Ansible's own code see this project's settings, and keep its warnings off the screen.

    Ansible reads its settings once, at the first import. The memory cache and the temporary folder
    elsewhere (it removes that at exit) keep it from making folders in the project.
    """
    wanted = {
        "ANSIBLE_CONFIG": str(project.ansible_config),
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.memory",
        "ANSIBLE_LOCAL_TEMP": tempfile.gettempdir(),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
