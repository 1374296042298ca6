"""Read an inventory the way Ansible does, and refuse one that cannot carry a study.

Ansible itself is lenient here: it skips files it cannot parse, ignores `.ini` files inside a folder,
and a play that matches no host ends successfully. So everything a lab needs is checked before any play.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.nodes import ALLOWED_HOSTS
from control import yaml_text
from postcopy_lab.errors import InputError, count, one_line
from postcopy_lab.project import Project

DEFAULT_SSH_PORT = 22
# As the role prechecks has it: names of containers and networks are made of it.
LAB_NAME = re.compile("^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$")


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
    for path in sorted(source.rglob("*.y*ml")) if source.is_dir() else [source]:
        check_yaml(project, path)
    with _ansible_environment(project):
        _load_plugins()
        from ansible.errors import AnsibleError
        from ansible.inventory.manager import InventoryManager
        from ansible.parsing.dataloader import DataLoader
        from ansible.template import Templar
        from ansible.vars.manager import VariableManager

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
                try:
                    return Templar(loader=loader, variables=known).template(known[name])
                except (AnsibleError, ArithmeticError, LookupError, TypeError, ValueError) as error:
                    raise InputError(f"{shown}: {name} of {host}: {one_line(str(error), 300)}") from error

            def words(host: Any, name: str, default: str) -> str:
                found = value(host, name, default)
                if not isinstance(found, str) or "\0" in found:
                    raise _bad(shown, host, name, found, "a text")
                return found

            def port(host: Any) -> int:
                found = str(value(host, "ansible_port", DEFAULT_SSH_PORT))
                if not (found.isascii() and found.isdigit() and 0 < int(found[:9]) < 1 << 16):
                    raise _bad(shown, host, "ansible_port", found, "a whole number from 1 to 65535")
                return int(found)

            first = manager.groups["compute"].get_hosts()[0]
            lab = words(first, "lab_name", source.name if source.is_dir() else source.stem)
            if not LAB_NAME.fullmatch(lab):
                allowed = "1 to 20 lower case letters, digits and, inside, hyphens"
                raise _bad(shown, first, "lab_name", lab, allowed)
            nodes = tuple(
                Node(
                    name=str(host.name),
                    groups=tuple(
                        str(group.name)
                        for group in host.get_groups()
                        if group.name not in ("all", "ungrouped")
                    ),
                    address=words(host, "ansible_host", str(host.name)),
                    port=port(host),
                )
                for host in manager.get_hosts("controller:compute:prober")
            )
            return Inventory(
                source=source,
                lab=lab,
                release=words(first, "lab_release", ""),
                backend=words(first, "lab_backend", "libvirt"),
                state_dir=Path(words(first, "lab_state_dir", str(project.root / ".lab" / lab))).resolve(),
                results_dir=Path(words(first, "lab_results_dir", str(project.root / "results"))).resolve(),
                nodes=nodes,
            )
        except AnsibleError as error:
            raise InputError(f"{shown}: {one_line(str(error), 300)}") from error


def _bad(shown: str, host: object, name: str, found: object, allowed: str) -> InputError:
    return InputError(f"{shown}: {name} of {host} is {one_line(repr(found), 80)} (allowed: {allowed})")


def check_yaml(project: Project, path: Path) -> None:
    """Refuse a file that is not YAML, has a key twice or is made to fill the memory. Tags are not looked at.

    Raises:
        InputError: with the line of the mistake.
    """
    shown = project.shown(path)
    try:
        yaml_text.check_yaml(path.read_bytes())
    except yaml_text.YamlFault as error:
        line = f"line {error.line}: " if error.line is not None else ""
        raise InputError(f"{shown}: {line}{error}") from error
    except OSError as error:
        raise InputError(f"{shown}: cannot be read: {error.strerror}") from error


def _require_groups(shown: str, groups: Mapping[str, Any]) -> None:
    for name, (least, most) in ALLOWED_HOSTS.items():
        hosts = [host.name for host in groups[name].get_hosts()] if name in groups else []
        needed = f"needs {least} or more" if most is None else f"needs exactly {most}"
        if len(hosts) < least:
            raise InputError(f"{shown}: group '{name}' has {count(len(hosts), 'host')}, {needed}")
        if most is not None and len(hosts) > most:
            names = ", ".join(hosts)
            raise InputError(f"{shown}: group '{name}' has {count(len(hosts), 'host')} ({names}), {needed}")


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
