"""Read a study by the rules of control/, as the collection does: the command and plain Ansible agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from contract.choices import Backend
from contract.records import Spec
from control import study as rules
from control.study_files import check_results_directory, read_study
from postcopy_lab.errors import InputError
from postcopy_lab.inventory import Inventory
from postcopy_lab.project import Project

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
    if backend not in tuple(Backend):
        raise InputError(f"{where}backend '{backend}' is not allowed (allowed: {', '.join(Backend)})")


def load_plan(
    project: Project,
    inventory: Inventory,
    text: str,
    *,
    repetitions: int | None = None,
    only: str | None = None,
    release: str | None = None,
    scale: float | None = None,
) -> Plan:
    """Read and check a study, and the results directory that it would go to.

    `scale`: that of a study whose file leaves it to a probe.

    Raises:
        InputError: the study, the selection or the results directory cannot be used.
    """
    path = find_study(project, text)
    try:
        study = read_study(path)
        if repetitions is not None:
            study = replace(study, repetitions=repetitions)
        study = rules.at_scale(study, scale, project.shown(path))
        cases = rules.resolve_cases(study, project.shown(path), inventory.backend)
        names = [case.case for case in cases]
        selected = rules.select_cases(names, only, "--only")
        results = results_of(inventory, study.name)
        check_results_directory(results, study, cases, inventory.lab, release or inventory.release)
    except rules.StudyError as error:
        raise InputError(str(error)) from error
    return Plan(
        name=study.name,
        file=path,
        results=results,
        specs={case.case: case.spec for case in cases},
        order=tuple(rules.run_order(names, study.repetitions, study.order_seed)),
        selected=frozenset(selected),
    )


def results_of(inventory: Inventory, study: str) -> Path:
    """The results directory of a study in the inventory's lab."""
    return inventory.results_dir / study / inventory.lab


def study_variable(project: Project, plan: Plan) -> str:
    """What playbooks/study.yml wants as `study`: a name in studies/, or a path (it has dots or slashes)."""
    plain = plan.file == project.studies / f"{plan.name}.yml" and "." not in plan.name
    return plan.name if plain else str(plan.file)


def known_studies(project: Project) -> list[str]:
    """Names of the studies that come with the project."""
    return sorted(path.stem for path in project.studies.glob("*.yml"))
