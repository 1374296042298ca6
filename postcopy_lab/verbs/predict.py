"""`postcopy-lab predict`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contract.choices import Backend
from contract.evidence import LAB_FILE, STUDY_FILE
from postcopy_lab.board import make_console
from postcopy_lab.errors import InputError, count
from postcopy_lab.lab import open_lab
from postcopy_lab.project import Project, find_project
from postcopy_lab.quantities import parse_memory, parse_rate
from postcopy_lab.verbs.report import find_results, open_results, reading

if TYPE_CHECKING:
    from analysis.compare.prediction import Error, Held, Model, Prediction, Predictions
    from analysis.study.results import Results

_HEADS = ("mode", "time", "data", "at most (2 x RAM / rate)")
_HELD_HEADS = ("mode", "quantity", "runs", "median error", "worst error", "within the interval")
_BOUNDED_MODES = ("hybrid", "postcopy")


@dataclass(frozen=True)
class Ground:
    """What a model is fitted to, as a user says it: results directories, or all shipped ones of a release.

    Without a backend, shipped ones are libvirt's if there are any: nova's times have nova's share in them.
    """

    inventory: str
    sources: Sequence[str]
    release: str | None
    backend: str | None
    mode: str | None

    def directories(self, unseen: Path | None = None) -> list[Path]:
        """Those given, those shipped of the release, or the lab's newest; without any those of its release.

        Shipped ones are without `unseen`, which predictions are held against.

        Raises:
            InputError: there are none, or both were given.
        """
        if self.sources and self.release:
            raise InputError("--from and --release: give one of them")
        if self.sources:
            return [open_results(self.inventory, source, self.backend)[1] for source in self.sources]
        if self.release:
            return _shipped(find_project(), self.release, self.backend, unseen)
        lab = open_lab(self.inventory, backend=self.backend)
        if any(lab.inventory.results_dir.glob(f"*/{lab.inventory.lab}/{STUDY_FILE}")):
            return [find_results(lab.project, lab.inventory, None)]
        return _shipped(lab.project, lab.inventory.release, self.backend, unseen)


def predict(ground: Ground, *, ram: str | None, stressed: str | None, rate: str | None, form: str) -> None:
    """Print time and data of a migration, with the error of the model that they come from.

    Raises:
        InputError: a size, rate or mode that is none, or results to which nothing can be fitted.
    """
    if ram is None or stressed is None or rate is None:
        raise InputError("predict needs --ram, --stressed and --rate, or --against. See --help.")
    ram_bytes, stressed_bytes = parse_memory("--ram", ram), parse_memory("--stressed", stressed)
    rate_bits_per_second = parse_rate("--rate", rate)
    directories = ground.directories()
    from analysis.compare.prediction import Request, prediction_document
    from analysis.compare.prediction import predict as predict_from
    from analysis.study.results import load_results

    with reading():
        sets = [load_results(directory) for directory in directories]
        found = predict_from(sets, Request(ram_bytes, stressed_bytes, rate_bits_per_second), ground.mode)
    if form == "json":
        print(json.dumps(prediction_document(found), indent=1))
    else:
        _print(found)


def hold_against(ground: Ground, against: str, *, form: str) -> None:
    """Print how far predictions are off the runs of a results directory that the model has not seen.

    Raises:
        InputError: results that cannot be analysed, or that the model was fitted to.
    """
    _, unseen_directory = open_results(ground.inventory, against, ground.backend)
    directories = ground.directories(unseen_directory)
    from analysis.compare.prediction import held_against, held_document
    from analysis.study.results import load_results

    with reading():
        sets = [load_results(directory) for directory in directories]
        unseen = load_results(unseen_directory)
        found = held_against(sets, unseen, ground.mode)
    if form == "json":
        print(json.dumps(held_document(sets, unseen, found), indent=1))
    else:
        _print_held(sets, unseen, found)


def _shipped(project: Project, release: str, backend: str | None, unseen: Path | None) -> list[Path]:
    systems: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(project.examples.glob(f"*/*/{LAB_FILE}")):
        lab = json.loads(path.read_text(encoding="utf-8"))
        systems.setdefault((lab["release"], lab.get("backend", Backend.LIBVIRT)), []).append(path.parent)
    wanted = [(release, name) for name in ([backend] if backend else Backend) if (release, name) in systems]
    if not wanted:
        allowed = ", ".join(sorted(f"{name} by {its_backend}" for name, its_backend in systems))
        raise InputError(
            f"release '{release}'{f' by {backend}' if backend else ''}: no runs of it in "
            f"{project.shown(project.examples)} (allowed: {allowed or 'none'}); --from names others"
        )
    found = [path for path in systems[wanted[0]] if unseen is None or path.resolve() != unseen.resolve()]
    if not found:
        raise InputError(f"release '{release}': {unseen} are all shipped runs of it; --from names others")
    return found


def _print(found: Predictions) -> None:
    from rich import box
    from rich.table import Table

    console = make_console()
    request = found.request
    console.print(
        f"Guest of {request.ram_bytes / 2**30:g} GiB RAM, {request.stressed_bytes / 2**30:g} GiB of it "
        f"stressed (GiB = 2^30 bytes), link of {request.rate_bits_per_second / 1e9:g} Gbit/s (10^9 bit/s)",
        style="bold",
        soft_wrap=True,
    )
    for line in _source_lines(found.sets):
        console.print(line, soft_wrap=True)
    console.print("Below each value: 95 % prediction interval of one migration.", soft_wrap=True)
    _print_mixed(found.sets)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in _HEADS:
        table.add_column(head, justify="left" if head == "mode" else "right")
    for prediction in found.modes:
        table.add_row(*_cells(prediction, found))
    console.print(table)
    for prediction in found.modes:
        for text in prediction.extrapolations:
            console.print(f"{prediction.mode}: EXTRAPOLATED: {text}", style="bold yellow", soft_wrap=True)
        for text in prediction.notes:
            console.print(f"{prediction.mode}: {text}", soft_wrap=True)
        for line in _model_lines(prediction.model):
            console.print(line, soft_wrap=True)
    console.print(f"Choice: {found.choice}.", soft_wrap=True)


def _print_held(sets: Sequence[Results], unseen: Results, found: Sequence[Held]) -> None:
    from rich import box
    from rich.table import Table

    console = make_console()
    for line in _source_lines(sets):
        console.print(line, soft_wrap=True)
    for line in _source_lines([unseen], "Held against"):
        console.print(line, soft_wrap=True)
    _print_mixed([*sets, unseen])
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in _HELD_HEADS:
        table.add_column(head, justify="left" if head in ("mode", "quantity") else "right")
    for held in found:
        for quantity, error in (("time", held.time), ("data", held.data)):
            table.add_row(held.mode, quantity, *_error_cells(error))
    console.print(table)
    console.print("Errors: predicted over measured, less 1.", soft_wrap=True)


def _error_cells(error: Error) -> tuple[str, ...]:
    return (str(error.runs), f"{error.median:+.1%}", f"{error.worst:+.1%}", f"{error.within} of {error.runs}")


def _source_lines(sets: Sequence[Results], what: str = "From") -> Iterator[str]:
    project = find_project()
    for results in sets:
        lab = results.lab
        yield (
            f"{what} {project.shown(results.directory)}: study {results.study.name}, lab {lab.lab}, "
            f"release {lab.release}."
        )


def _print_mixed(sets: Sequence[Results]) -> None:
    from analysis.compare.prediction import mixed_notices

    for notice in mixed_notices(sets):
        make_console().print(f"These runs are mixed: {notice}", style="bold yellow", soft_wrap=True)


def _cells(prediction: Prediction, found: Predictions) -> tuple[str, ...]:
    from analysis.run.formatter import EMPTY, significant
    from analysis.run.metrics import METRICS

    def shown(value: object, metric: str) -> str:
        from analysis.compare.prediction import Predicted

        if not isinstance(value, Predicted):
            return "no end expected"
        form = METRICS[metric].shown
        return f"{form.text(value.value)} {form.unit}\n{form.text(value.low)} to {form.text(value.high)}"

    bound = EMPTY
    if prediction.mode in _BOUNDED_MODES:
        request = found.request
        bound = f"{significant(request.bound_seconds)} s\n{significant(request.bound_bytes / 1e6)} MB"
    return (
        prediction.mode,
        shown(prediction.seconds, "migration_seconds"),
        shown(prediction.data_bytes, "forward_bytes"),
        bound,
    )


def _model_lines(model: Model | None) -> Iterator[str]:
    from analysis.run.formatter import significant

    if model is None:
        return
    base, per_stressed = model.data.coefficients[:2]
    ram = f" + {model.data.coefficients[2] * 1024:.3g} MiB per GiB RAM" if model.with_ram else ""
    own, per_link = model.time.coefficients
    yield (
        f"{model.mode}: fitted to {count(len(model.runs), 'run')} of {count(model.cases, 'case')}: "
        f"data = {significant(base / 1e6)} MB + {per_stressed:.3g} x stressed{ram} "
        f"(residual {model.data.residual:.1%}); "
        f"time = {significant(own)} s + {per_link:.3g} x data / rate "
        f"(residual {model.time.residual:.1%})"
    )
