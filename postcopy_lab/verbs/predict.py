"""`postcopy-lab predict`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from postcopy_lab.board import make_console
from postcopy_lab.errors import count
from postcopy_lab.project import Project
from postcopy_lab.quantities import parse_memory, parse_rate
from postcopy_lab.verbs.report import open_results, reading

if TYPE_CHECKING:
    from analysis.compare.prediction import Model, Prediction, Predictions

_HEADS = ("mode", "time", "data", "at most (2 x RAM / rate)")
_BOUNDED_MODES = ("hybrid", "postcopy")


def predict(
    inventory: str,
    *,
    ram: str,
    stressed: str,
    rate: str,
    results: str | None,
    mode: str | None,
    form: str,
    backend: str | None,
) -> None:
    """Print time and data of a migration, with the error of the model that they come from.

    Raises:
        InputError: a size, rate or mode that is none, or results to which nothing can be fitted.
    """
    ram_bytes, stressed_bytes = parse_memory("--ram", ram), parse_memory("--stressed", stressed)
    rate_bits_per_second = parse_rate("--rate", rate)
    project, directory = open_results(inventory, results, backend)
    from analysis.compare.prediction import Request, prediction_document
    from analysis.compare.prediction import predict as predict_from
    from analysis.study.results import load_results

    with reading():
        loaded = load_results(directory)
        found = predict_from(loaded, Request(ram_bytes, stressed_bytes, rate_bits_per_second), mode)
    if form == "json":
        print(json.dumps(prediction_document(found), indent=1))
    else:
        _print(found, project)


def _print(found: Predictions, project: Project) -> None:
    from rich import box
    from rich.table import Table

    console = make_console()
    request, lab = found.request, found.results.lab
    console.print(
        f"Guest of {request.ram_bytes / 2**30:g} GiB RAM, {request.stressed_bytes / 2**30:g} GiB of it "
        f"stressed (GiB = 2^30 bytes), link of {request.rate_bits_per_second / 1e9:g} Gbit/s (10^9 bit/s)",
        style="bold",
        soft_wrap=True,
    )
    console.print(
        f"From {project.shown(found.results.directory)}: study {found.results.study.name}, lab {lab.lab}, "
        f"release {lab.release}. Below each value: 95 % prediction interval of one migration.",
        soft_wrap=True,
    )
    for notice in found.results.mixed:
        console.print(
            f"These runs are mixed: {notice.file}: {notice.message}", style="bold yellow", soft_wrap=True
        )
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
