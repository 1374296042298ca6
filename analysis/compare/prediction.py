"""How long will a migration take, and how much will it move? From a model fitted to measured runs.

Data are linear in the stressed memory and, where several were measured, in the guest's RAM; time is linear
in what the data take on the nominal link. Runs scatter by a share of their size, so errors are relative, and
runs of one load are alike, so each load counts once however often it was run. The prediction interval is that
of one further migration, and widens with the distance from what was measured. Runs that something else than
the link slowed say nothing of the time. `held_against` says how far predictions are off runs that are not
among those that were fitted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.evidence.errors import InputError
from analysis.evidence.units import GIB, MIB
from analysis.reference.verdicts import is_slowed
from analysis.stats.intervals import LEVEL
from analysis.stats.regression import LeastSquares, least_squares
from analysis.study.results import FULL_LINK, Results, RunResult
from contract.choices import Network
from contract.modes import Mode
from contract.outcomes import RunOutcome

SCHEMA = 2
_LEAST_LOADS = 3


@dataclass(frozen=True)
class Request:
    """What is asked: bytes of RAM and stressed memory, nominal bits per second of the link."""

    ram_bytes: float
    stressed_bytes: float
    rate_bits_per_second: float

    @property
    def bound_bytes(self) -> float:
        """A hybrid or post-copy migration sends each page at most twice."""
        return 2 * self.ram_bytes

    @property
    def bound_seconds(self) -> float:
        """The article's 2 x RAM / network throughput."""
        return self.bound_bytes * 8 / self.rate_bits_per_second


@dataclass(frozen=True)
class Predicted:
    """A value with its prediction interval at LEVEL; never below 0."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Model:
    """Fitted to the counted runs of one mode. Ranges are (least, greatest) of what was measured.

    `untimed` runs were slowed by something else than the link, and count for the data alone. `below_link` of
    the others did not fill it all the same.
    """

    mode: str
    runs: tuple[str, ...]
    cases: int
    untimed: int
    below_link: int
    with_ram: bool
    data: LeastSquares
    time: LeastSquares
    stressed_range: tuple[float, float]
    ram_range: tuple[float, float]
    rate_range: tuple[float, float]

    def data_at(self, request: Request) -> Predicted:
        row = self._data_row(request)
        return _predicted(self.data.at(row), self.data.reach(row) * self._widening(request, timed=False))

    def time_at(self, request: Request) -> Predicted:
        """What the fitted line of the data is off by comes on top of the time's own error."""
        data, per_byte = self._data_row(request), 8 / request.rate_bits_per_second
        row = (1.0, self.data.at(data) * per_byte)
        of_data = float(self.time.coefficients[1]) * per_byte * self.data.reach(data, observations=0)
        reach = math.hypot(self.time.reach(row), of_data)
        return _predicted(self.time.at(row), reach * self._widening(request, timed=True))

    def _data_row(self, request: Request) -> tuple[float, ...]:
        return _data_row(request.stressed_bytes, request.ram_bytes, self.with_ram)

    def _widening(self, request: Request, timed: bool) -> float:
        """1 plus the distance from what was measured, in spans of that.

        A bend too slight to show over the measured span adds to the error with the square of the distance,
        and to the error as a share of the value with the distance.
        """
        asked = [
            (request.stressed_bytes, self.stressed_range),
            (request.ram_bytes, self.ram_range),
            *([(request.rate_bits_per_second, self.rate_range)] if timed else []),
        ]
        return 1 + max(
            max(low - value, value - high, 0.0) / (high - low or high or 1.0) for value, (low, high) in asked
        )

    def extrapolations(self, request: Request) -> tuple[str, ...]:
        """In which respects the request lies outside of what was measured, one sentence each."""
        found = []
        if not _within(request.stressed_bytes, self.stressed_range):
            found.append(
                f"stressed memory {_gib(request.stressed_bytes)} is outside of the measured "
                f"{_gib(self.stressed_range[0])} to {_gib(self.stressed_range[1])}"
            )
        if not _within(request.ram_bytes, self.ram_range):
            effect = "" if self.with_ram else "; its effect on the guest's own memory was not measured"
            found.append(
                f"RAM {_gib(request.ram_bytes)} is outside of the measured "
                f"{_gib(self.ram_range[0])} to {_gib(self.ram_range[1])}{effect}"
            )
        if not _within(request.rate_bits_per_second, self.rate_range):
            found.append(
                f"link rate {_gbit(request.rate_bits_per_second)} is outside of the measured "
                f"{_gbit(self.rate_range[0])} to {_gbit(self.rate_range[1])}: taken for granted that the "
                "link, not the hosts, stays the limit"
            )
        return tuple(found)


@dataclass(frozen=True)
class Prediction:
    """What is predicted for one mode; time and data are None where no end is to be expected."""

    mode: str
    model: Model | None
    seconds: Predicted | None
    data_bytes: Predicted | None
    extrapolations: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Predictions:
    """All modes that could be predicted from the sets of runs, and which of them to choose."""

    sets: tuple[Results, ...]
    request: Request
    modes: tuple[Prediction, ...]
    choice: str


@dataclass(frozen=True)
class Error:
    """How far predictions of one quantity are off: shares of what was measured, signed; 0.1 is 10 % too much.

    `worst` is the one farthest from 0; `within` is how many runs lay in their prediction interval.
    """

    runs: int
    median: float
    worst: float
    within: int


@dataclass(frozen=True)
class Held:
    """The predictions of one mode, held against runs that its model has not seen, slowed ones among them."""

    mode: str
    data: Error
    time: Error


def predict(sets: Sequence[Results], request: Request, mode: str | None = None) -> Predictions:
    """Predict from all runs of the sets, for one mode, or for each that has enough runs.

    Raises InputError for stressed memory that does not fit the RAM, an unknown mode, sets of several
    releases or backends, and sets from which nothing can be fitted.
    """
    if request.stressed_bytes >= request.ram_bytes:
        raise InputError(
            f"stressed memory {_gib(request.stressed_bytes)} does not fit into RAM {_gib(request.ram_bytes)} "
            "(allowed: less than the RAM)"
        )
    asked = _asked_modes(mode)
    _refuse_several_systems(sets)
    found = [prediction for name in asked if (prediction := _predict_mode(sets, request, name))]
    if not found:
        raise _nothing_to_fit(sets, mode)
    return Predictions(tuple(sets), request, tuple(found), _choice(sets, request))


def held_against(sets: Sequence[Results], unseen: Results, mode: str | None = None) -> tuple[Held, ...]:
    """Hold the predictions from the sets against each counted run of `unseen`, for one mode or for all.

    Raises InputError for an unknown mode, sets of several releases or backends, sets from which nothing can
    be fitted, and where `unseen` is one of the sets or has no run of a mode that can be predicted.
    """
    asked = _asked_modes(mode)
    _refuse_several_systems(sets)
    if any(results.directory.resolve() == unseen.directory.resolve() for results in sets):
        raise InputError(f"{unseen.directory}: the model was fitted to these runs; give others")
    models = [model for name in asked if (model := fit_model(sets, name))]
    if not models:
        raise _nothing_to_fit(sets, mode)
    found = [_held(model, runs) for model in models if (runs := _counted([unseen], model.mode))]
    if not found:
        modes = ", ".join(model.mode for model in models)
        raise InputError(f"{unseen.directory}: no completed run of a mode that can be predicted ({modes})")
    return tuple(found)


def _held(model: Model, runs: Sequence[RunResult]) -> Held:
    data, time = [], []
    for run in runs:
        spec, metrics = run.record.spec, run.metrics
        assert metrics is not None
        request = Request(spec.ram_bytes, spec.stressed_bytes, spec.link_rate_bits_per_second)
        data.append((model.data_at(request), float(metrics.forward_bytes or 0)))
        time.append((model.time_at(request), float(metrics.migration_seconds or 0)))
    return Held(model.mode, _error(data), _error(time))


def _error(pairs: Sequence[tuple[Predicted, float]]) -> Error:
    shares = [predicted.value / measured - 1 for predicted, measured in pairs]
    within = sum(predicted.low <= measured <= predicted.high for predicted, measured in pairs)
    return Error(len(pairs), float(np.median(shares)), max(shares, key=abs), within)


def _asked_modes(mode: str | None) -> tuple[Mode, ...]:
    if mode is not None and mode not in tuple(Mode):
        raise InputError(f"mode '{mode}' is not allowed (allowed: {', '.join(Mode)})")
    return (Mode.named(mode),) if mode else tuple(Mode)


def _refuse_several_systems(sets: Sequence[Results]) -> None:
    """The time of a migration through nova has nova's share in it."""
    systems = {f"{results.lab.release} by {results.lab.backend}": results.directory for results in sets}
    if len(systems) > 1:
        found = ", ".join(f"{system} in {directory}" for system, directory in systems.items())
        raise InputError(f"runs of several releases or backends make no model ({found}); give those of one")


def _nothing_to_fit(sets: Sequence[Results], mode: str | None) -> InputError:
    directories = ", ".join(str(results.directory) for results in sets)
    return InputError(
        f"{directories}: nothing to fit a model of {mode or 'any mode'} to: that takes completed "
        f"runs with {_LEAST_LOADS} different loads ({_measured_modes(sets)})"
    )


def fit_model(sets: Sequence[Results], mode: str) -> Model | None:
    """Fit the mode's model; None with fewer than three different loads, or no run left over for the error."""
    runs = _counted(sets, mode)
    if len({_load(run)[:2] for run in runs}) < _LEAST_LOADS:
        return None
    data, with_ram = None, True
    for with_ram in (True, False):
        data = _fit_data(runs, with_ram)
        if data is not None:
            break
    if data is None:
        return None
    # Where too few filled their link, what slowed the others is part of the model.
    timed = [run for run in runs if not is_slowed(run)]
    time = _fit_time(timed, data, with_ram)
    if time is None:
        timed, time = runs, _fit_time(runs, data, with_ram)
    if time is None:
        return None
    specs = [run.record.spec for run in runs]
    return Model(
        mode=mode,
        runs=tuple(run.path for run in runs),
        cases=len({run.record.case for run in runs}),
        untimed=len(runs) - len(timed),
        below_link=sum(
            run.metrics.link_use < FULL_LINK
            for run in timed
            if run.metrics and run.metrics.link_use is not None
        ),
        with_ram=with_ram,
        data=data,
        time=time,
        stressed_range=_range([spec.stressed_bytes for spec in specs]),
        ram_range=_range([spec.ram_bytes for spec in specs]),
        rate_range=_range([run.record.spec.link_rate_bits_per_second for run in timed]),
    )


def _fit_data(runs: Sequence[RunResult], with_ram: bool) -> LeastSquares | None:
    measured = np.array([run.metrics.forward_bytes for run in runs if run.metrics], dtype=float)
    return least_squares(_data_rows(runs, with_ram), measured, [_load(run) for run in runs])


def _fit_time(runs: Sequence[RunResult], data: LeastSquares, with_ram: bool) -> LeastSquares | None:
    """The time is fitted to the fitted data, so that its error holds that of single runs' data too."""
    if len({_load(run) for run in runs}) < _LEAST_LOADS:
        return None
    measured = np.array([run.metrics.migration_seconds for run in runs if run.metrics], dtype=float)
    rates = np.array([run.record.spec.link_rate_bits_per_second for run in runs])
    on_link = _data_rows(runs, with_ram) @ data.coefficients * 8 / rates
    rows = np.column_stack([np.ones(len(runs)), on_link])
    return least_squares(rows, measured, [_load(run) for run in runs])


def _load(run: RunResult) -> tuple[float, float, float]:
    spec = run.record.spec
    return (spec.stressed_bytes, spec.ram_bytes, spec.link_rate_bits_per_second)


def _data_rows(runs: Sequence[RunResult], with_ram: bool) -> Any:
    return np.array([_data_row(*_load(run)[:2], with_ram) for run in runs])


def _predict_mode(sets: Sequence[Results], request: Request, mode: Mode) -> Prediction | None:
    endless = _endless(sets, request) if not mode.has_postcopy else None
    if endless is not None:
        return Prediction(mode, None, None, None, (), (endless,))
    model = fit_model(sets, mode)
    if model is None:
        return None
    seconds, data = model.time_at(request), model.data_at(request)
    notes = []
    unknown = len(_of_mode(sets, mode)) - len(model.runs)
    if unknown:
        notes.append(f"{unknown} completed runs left out: their data or their time is unknown")
    if model.untimed:
        notes.append(
            f"{model.untimed} of {len(model.runs)} runs say nothing of the time: "
            "something else than the link slowed them"
        )
    if model.below_link:
        notes.append(
            f"{model.below_link} of {len(model.runs) - model.untimed} runs did not fill their link: "
            "the model holds what slowed them"
        )
    if mode.has_postcopy and data.high > request.bound_bytes:
        notes.append("the interval reaches over 2 x RAM, which no migration of this mode can send")
    return Prediction(mode, model, seconds, data, model.extrapolations(request), tuple(notes))


def _counted(sets: Sequence[Results], mode: str) -> list[RunResult]:
    """The runs whose data and time are known."""
    return [
        run
        for run in _of_mode(sets, mode)
        if run.metrics is not None and run.metrics.forward_bytes and run.metrics.migration_seconds
    ]


def _all_runs(sets: Sequence[Results]) -> list[RunResult]:
    """Every run, by a path that names it among all sets."""
    return [replace(run, path=str(results.directory / run.path)) for results in sets for run in results.runs]


def _of_mode(sets: Sequence[Results], mode: str) -> list[RunResult]:
    return [
        run
        for run in _all_runs(sets)
        if run.counted
        and run.record.spec.mode == mode
        and run.record.spec.network == Network.PLAIN
        and run.record.spec.usual_downtime
    ]


def _endless(sets: Sequence[Results], request: Request) -> str | None:
    """Why pre-copy is not expected to end: it did not under such a load or less, on such a link or faster."""
    lighter = _not_converged(sets, request)
    if not lighter:
        return None
    least = min(lighter, key=lambda run: run.record.spec.stressed_bytes).record.spec
    return (
        f"not expected to end: in {len(lighter)} of the measured runs it did not converge with "
        f"{least.stressed_bytes / MIB:.0f} MiB stressed or more at {_gbit(least.link_rate_bits_per_second)}"
    )


def _not_converged(sets: Sequence[Results], request: Request) -> list[RunResult]:
    """Pre-copy runs aborted at the limit, under no more load than asked for and on no slower a link."""
    return [
        run
        for run in _all_runs(sets)
        if not run.record.spec.mode.has_postcopy
        and run.record.spec.usual_downtime
        and run.record.outcome == RunOutcome.NOT_CONVERGED
        and run.excluded_because is None
        # Aborted in its first pass it only says that its limit was too short.
        and run.metrics is not None
        and run.metrics.first_pass_seconds is not None
        and run.record.spec.stressed_bytes <= request.stressed_bytes
        and run.record.spec.link_rate_bits_per_second >= request.rate_bits_per_second
    ]


def _choice(sets: Sequence[Results], request: Request) -> str:
    """Which mode to take, from what pre-copy did under such a load."""
    if _not_converged(sets, request):
        return (
            "hybrid: it always ends, and pre-copy did not with such a load "
            "(but a network failure during post-copy kills the guest)"
        )
    heavier = [
        run
        for run in _counted(sets, Mode.PRECOPY)
        if run.record.spec.stressed_bytes >= request.stressed_bytes
        and run.record.spec.link_rate_bits_per_second <= request.rate_bits_per_second
    ]
    if heavier:
        return (
            f"pre-copy: it converged in {len(heavier)} measured runs with such a load or more, and no "
            "network failure can kill the guest"
        )
    return "hybrid: it always ends; whether pre-copy would with such a load was not measured"


def _predicted(value: float, reach: float) -> Predicted:
    return Predicted(max(0.0, value), max(0.0, value - reach), max(0.0, value + reach))


def _data_row(stressed_bytes: float, ram_bytes: float, with_ram: bool) -> tuple[float, ...]:
    return (1.0, float(stressed_bytes), *((float(ram_bytes),) if with_ram else ()))


def _range(values: Sequence[float]) -> tuple[float, float]:
    return float(min(values)), float(max(values))


def _within(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] * (1 - 1e-9) <= value <= bounds[1] * (1 + 1e-9)


def _measured_modes(sets: Sequence[Results]) -> str:
    loads: dict[str, set[tuple[int, int]]] = {}
    for run in _all_runs(sets):
        if run.counted:
            spec = run.record.spec
            loads.setdefault(spec.mode, set()).add((spec.stressed_bytes, spec.ram_bytes))
    return ", ".join(f"{mode}: {len(found)}" for mode, found in sorted(loads.items())) or "none is there"


def _gib(value: float) -> str:
    return f"{value / GIB:g} GiB"


def _gbit(value: float) -> str:
    return f"{value / 1e9:g} Gbit/s"


def prediction_document(found: Predictions) -> dict[str, Any]:
    """What `--format json` prints of predictions."""
    return {
        "schema": SCHEMA,
        "results": [_set_record(results) for results in found.sets],
        "mixed": mixed_notices(found.sets),
        "request": {**vars(found.request)},
        "bound_bytes": found.request.bound_bytes,
        "bound_seconds": found.request.bound_seconds,
        "level": LEVEL,
        "modes": [_mode_record(prediction) for prediction in found.modes],
        "choice": found.choice,
    }


def held_document(sets: Sequence[Results], unseen: Results, found: Sequence[Held]) -> dict[str, Any]:
    """What `--format json` prints of predictions held against runs."""
    return {
        "schema": SCHEMA,
        "results": [_set_record(results) for results in sets],
        "against": _set_record(unseen),
        "mixed": mixed_notices([*sets, unseen]),
        "level": LEVEL,
        "modes": [
            {
                "mode": held.mode,
                "migration_seconds": vars(held.time),
                "forward_bytes": vars(held.data),
            }
            for held in found
        ],
    }


def mixed_notices(sets: Sequence[Results]) -> list[str]:
    """What says that runs of one set were made with different things, by the file that shows it."""
    return [
        f"{results.directory / notice.file}: {notice.message}" for results in sets for notice in results.mixed
    ]


def _set_record(results: Results) -> dict[str, str]:
    return {
        "directory": str(results.directory),
        "study": results.study.name,
        "lab": results.lab.lab,
        "release": results.lab.release,
    }


def _mode_record(prediction: Prediction) -> dict[str, Any]:
    model = prediction.model
    return {
        "mode": prediction.mode,
        "migration_seconds": vars(prediction.seconds) if prediction.seconds else None,
        "forward_bytes": vars(prediction.data_bytes) if prediction.data_bytes else None,
        "extrapolated": list(prediction.extrapolations),
        "notes": list(prediction.notes),
        "runs": list(model.runs) if model else [],
        "data_coefficients": model.data.coefficients.tolist() if model else None,
        "time_coefficients": model.time.coefficients.tolist() if model else None,
        "data_residual_share": model.data.residual if model else None,
        "time_residual_share": model.time.residual if model else None,
    }
