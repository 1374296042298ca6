"""Where the parts of the project are on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from postcopy_lab.errors import InputError

# A name in inventories/.
DEFAULT_INVENTORY = "local"
PROJECT_VARIABLE = "POSTCOPY_LAB_PROJECT"


@dataclass(frozen=True)
class Project:
    """A checkout of postcopy-lab."""

    root: Path

    @property
    def ansible_config(self) -> Path:
        return self.root / "ansible.cfg"

    @property
    def playbooks(self) -> Path:
        return self.root / "playbooks"

    @property
    def roles(self) -> Path:
        return self.root / "roles"

    @property
    def studies(self) -> Path:
        return self.root / "studies"

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    @property
    def examples(self) -> Path:
        return self.root / "examples"

    @property
    def inventories(self) -> Path:
        return self.root / "inventories"

    @property
    def collection(self) -> Path:
        return self.root / "collection"

    def shown(self, path: Path) -> str:
        """Write a path as the user would type it: relative to the current directory when below it."""
        try:
            return str(path.resolve().relative_to(Path.cwd()))
        except ValueError:
            return str(path)

    def playbook(self, name: str) -> Path:
        """Return `playbooks/<name>.yml`.

        Raises:
            InputError: the checkout is incomplete.
        """
        path = self.playbooks / f"{name}.yml"
        if not path.is_file():
            raise InputError(f"{path}: no such playbook; this checkout is incomplete")
        return path

    def release(self, name: str) -> Path:
        """Return the file of a release.

        Raises:
            InputError: there is no such release; the message lists those that exist.
        """
        known = {path.stem: path for path in self.releases.glob("*.yml")}
        if name not in known:
            allowed = ", ".join(sorted(known)) or "none"
            raise InputError(f"{self.shown(self.releases)}: no release '{name}'; allowed: {allowed}")
        return known[name]


def find_project() -> Project:
    """Find the checkout: $POSTCOPY_LAB_PROJECT, else where this package lies, else the current directory.

    Raises:
        InputError: none of them holds a `playbooks` folder.
    """
    named = os.environ.get(PROJECT_VARIABLE)
    places = [Path(named)] if named else [Path(__file__).resolve().parents[1], Path.cwd()]
    for place in places:
        if (place / "playbooks").is_dir():
            return Project(place.resolve())
    raise InputError(
        f"{places[-1]}: not a checkout of postcopy-lab (no playbooks/ in it); "
        f"change to one or set {PROJECT_VARIABLE}"
    )
