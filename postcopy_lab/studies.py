"""Read a study with the collection's own rules, so that the command and plain Ansible agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postcopy_lab.errors import InputError
from postcopy_lab.inventory import Inventory, collection_code
from postcopy_lab.project import Project

Spec = Mapping[str, Any]
RunKey = tuple[str, int]


@dataclass(frozen=True)
class Plan:
    """A study as it would be run in one lab."""

    name: str
    file: Path
    results: Path
    specs: Mapping[str, Spec]
    order: tuple[RunKey, ...]
    selected: frozenset[str]

    @property
    def wanted(self) -> tuple[RunKey, ...]:
        """The runs that were asked for, in order."""
        return tuple(run for run in self.order if run[0] in self.selected)


def find_study(project: Project, text: str) -> Path:
    """Return the file of a study: a name in `studies/`, or a path.

    Raises:
        InputError: neither exists.
    """
    named = project.studies / f"{text}.yml"
    if named.is_file():
        return named
    path = Path(text)
    if path.is_file():
        return path.resolve()
    known = sorted(entry.stem for entry in project.studies.glob("*.yml"))
    raise InputError(
        f"{text}: no such study; give a path or one of {', '.join(known) or 'none'} "
        f"(files in {project.shown(project.studies)})"
    )


def check_backend(project: Project, backend: str, where: str = "") -> None:
    """Refuse a backend that does not exist; `where` it was asked for comes before the word.

    Raises:
        InputError: with those that exist.
    """
    allowed = collection_code(project, "study").BACKENDS
    if backend not in allowed:
        raise InputError(f"{where}backend '{backend}' is not allowed (allowed: {', '.join(allowed)})")


def load_plan(
    project: Project,
    inventory: Inventory,
    text: str,
    *,
    repetitions: int | None = None,
    only: str | None = None,
    release: str | None = None,
) -> Plan:
    """Read and check a study, and the results directory that it would go to.

    Raises:
        InputError: the study, the selection or the results directory cannot be used.
    """
    rules, files = collection_code(project, "study"), collection_code(project, "study_files")
    path = find_study(project, text)
    try:
        study = files.read_study(str(path))
        if repetitions is not None:
            study["repetitions"] = repetitions
        cases = rules.resolve_cases(study, project.shown(path), inventory.backend)
        names = [case["case"] for case in cases]
        selected = rules.select_cases(names, only, "--only")
        results = inventory.results_dir / study["name"] / inventory.lab
        files.check_results_directory(str(results), study, cases, inventory.lab, release or inventory.release)
    except rules.StudyError as error:
        raise InputError(str(error)) from error
    return Plan(
        name=study["name"],
        file=path,
        results=results,
        specs={case["case"]: case["spec"] for case in cases},
        order=tuple(
            (case, count) for case, count in rules.run_order(names, study["repetitions"], study["order_seed"])
        ),
        selected=frozenset(selected),
    )


def study_variable(project: Project, plan: Plan) -> str:
    """What playbooks/study.yml wants as `study`: a name in studies/, or a path (it has dots or slashes)."""
    plain = plan.file == project.studies / f"{plan.name}.yml" and "." not in plan.name
    return plan.name if plain else str(plan.file)


def known_studies(project: Project) -> list[str]:
    """Names of the studies that come with the project."""
    return sorted(path.stem for path in project.studies.glob("*.yml"))
