"""Predictions: exact where runs lie on a line, as wide as they scatter, open about what was not measured."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analysis.compare.prediction import (
    Request,
    fit_model,
    held_against,
    held_document,
    predict,
    prediction_document,
)
from analysis.evidence.errors import InputError
from analysis.stats.regression import least_squares
from analysis.study.cases import CaseSummary
from analysis.study.results import Results, load_results
from tests.unit.analysis.cases import RECORDED, made_case

MIB, GIB = 1 << 20, 1 << 30
QUICK = load_results(RECORDED / "quick" / "local")


def results_of(*cases: CaseSummary) -> Results:
    return replace(QUICK, runs=tuple(run for case in cases for run in case.runs))


def on_the_line(
    flavor: str, stressed_mib: int, rate: float = 1e9, noise: float = 0.0, **options: str
) -> CaseSummary:
    """Data = 100 MiB + 2 x stressed + 10 MiB per GiB RAM; time = 1.5 s + 1.05 x data / rate."""
    gib = {"s": 2, "m": 4, "l": 8, "xl": 16}[flavor]
    data = (100 + 2 * stressed_mib + 10 * gib) * MIB + noise
    metrics = {
        "forward_bytes": data,
        "migration_seconds": 1.5 + 1.05 * data * 8 / rate,
        "link_use": 0.95,
        "converged": True,
    }
    return made_case([metrics, metrics], flavor=flavor, stressed_mib=stressed_mib, rate=rate, **options)


EXACT_CASES = (
    *(on_the_line(flavor, 0) for flavor in ("s", "m", "l", "xl")),
    *(on_the_line("xl", mib) for mib in (256, 1024, 4096)),
)
EXACT = results_of(*EXACT_CASES)


def test_runs_on_a_line_are_predicted_exactly() -> None:
    (found,) = predict([EXACT], Request(8 * GIB, 2 * GIB, 1e9), "hybrid").modes
    data = (100 + 2 * 2048 + 80) * MIB
    assert found.data_bytes is not None and found.seconds is not None
    assert found.data_bytes.value == pytest.approx(data)
    assert found.data_bytes.high - found.data_bytes.low < 1
    assert found.seconds.value == pytest.approx(1.5 + 1.05 * data * 8 / 1e9)
    assert found.extrapolations == ()
    assert found.model is not None and found.model.with_ram
    assert found.model.data.coefficients.tolist() == pytest.approx([100 * MIB, 2.0, 10 / 1024])


def test_a_faster_link_takes_its_share_of_the_time_and_is_called_extrapolated() -> None:
    (found,) = predict([EXACT], Request(16 * GIB, 1 * GIB, 1e10), "hybrid").modes
    assert found.seconds is not None
    assert found.seconds.value == pytest.approx(1.5 + 1.05 * (100 + 2048 + 160) * MIB * 8 / 1e10)
    (sentence,) = found.extrapolations
    assert sentence.startswith("link rate 10 Gbit/s is outside of the measured 1 Gbit/s to 1 Gbit/s")


def test_each_kind_of_extrapolation_is_said() -> None:
    (found,) = predict([EXACT], Request(64 * GIB, 32 * GIB, 1e8), "hybrid").modes
    assert [text.split(" is ")[0] for text in found.extrapolations] == [
        "stressed memory 32 GiB",
        "RAM 64 GiB",
        "link rate 0.1 Gbit/s",
    ]


def test_one_size_of_guest_leaves_the_ram_out_and_says_so() -> None:
    results = results_of(*(on_the_line("xl", mib) for mib in (0, 256, 1024)))
    (found,) = predict([results], Request(8 * GIB, 512 * MIB, 1e9), "hybrid").modes
    assert found.model is not None and not found.model.with_ram
    (sentence,) = found.extrapolations
    assert sentence.endswith("its effect on the guest's own memory was not measured")


def test_the_bound_is_twice_the_ram_over_the_rate() -> None:
    """2 x 16 GiB at 1 Gbit/s: 34.36 GB, 274.9 s."""
    request = Request(16 * GIB, 8 * GIB, 1e9)
    assert request.bound_bytes == 34_359_738_368
    assert request.bound_seconds == pytest.approx(274.88, abs=0.01)


def test_interval_of_one_further_observation_by_the_textbook() -> None:
    """Over the fitted value errors are alike: coefficients and interval are simple regression's."""
    x, y = np.array([1.0, 2.0, 3.0, 4.0, 50.0]), np.array([2.1, 3.9, 6.2, 7.8, 101.0])
    columns = np.column_stack([np.ones(5), x])
    fit = least_squares(columns, y, range(5))
    assert fit is not None
    fitted = columns @ fit.coefficients
    scaled = columns / fitted[:, None]
    expected, left, *_ = np.linalg.lstsq(scaled, y / fitted, rcond=None)
    assert fit.coefficients.tolist() == pytest.approx(expected.tolist())
    row = np.array([1.0, 6.0])
    at = float(row @ expected)
    variance = left[0] / 3 * (at**2 + row @ np.linalg.inv(scaled.T @ scaled) @ row)
    assert fit.at((1.0, 6.0)) == pytest.approx(at)
    assert fit.reach((1.0, 6.0)) == pytest.approx(float(stats.t.ppf(0.975, 3) * np.sqrt(variance)))


def test_runs_of_one_load_count_as_one() -> None:
    """The same runs five times over say nothing more about the line."""
    columns = np.column_stack([np.ones(4), np.array([1.0, 2.0, 3.0, 4.0])])
    y = np.array([2.1, 3.9, 6.2, 7.8])
    once = least_squares(columns, y, range(4))
    often = least_squares(np.tile(columns, (5, 1)), np.tile(y, 5), list(range(4)) * 5)
    assert once is not None and often is not None
    assert often.freedom == once.freedom == 2
    assert often.reach((1.0, 5.0)) == pytest.approx(once.reach((1.0, 5.0)))


def test_light_and_heavy_loads_are_each_as_sure_as_they_scatter() -> None:
    """Runs that scatter by 5 % of their size: an interval of a few tenths about 0.1 GB and about 16 GB."""
    generator = np.random.default_rng(5)
    cases = [
        made_case(
            [
                {"forward_bytes": size * factor, "migration_seconds": size * factor * 8e-9, "link_use": 0.95}
                for factor in 1 + 0.05 * generator.normal(size=3)
            ],
            stressed_mib=mib,
        )
        for mib in (0, 256, 1024, 2048, 4096, 8192)
        for size in [(100 + 2 * mib) * float(MIB)]
    ]
    for stressed in (0, 8 * GIB):
        (found,) = predict([results_of(*cases)], Request(16 * GIB, stressed, 1e9), "hybrid").modes
        for item in (found.data_bytes, found.seconds):
            assert item is not None
            assert 0.05 < item.high / item.value - 1 < 0.3


def test_an_interval_widens_with_the_distance_from_what_was_measured() -> None:
    noise = {0: 1e6, 256: -5e6, 1024: 20e6, 4096: -40e6}
    results = results_of(*(on_the_line("xl", mib, noise=more) for mib, more in noise.items()))
    model = fit_model([results], "hybrid")
    assert model is not None
    inside, outside = (model.data_at(Request(16 * GIB, gib * GIB, 1e9)) for gib in (4, 12))
    far = model.data_at(Request(512 * GIB, 256 * GIB, 1e9))
    shares = [item.high / item.value - 1 for item in (inside, outside, far)]
    # 12 GiB are two spans beyond the 4 GiB measured, 256 GiB are 63, where nothing is known but the order.
    assert shares[1] > 2.9 * shares[0] > 0
    assert shares[2] > 20 * shares[1]


def test_a_run_without_its_data_is_left_out_and_said_so() -> None:
    gap = made_case([{"forward_bytes": None}], stressed_mib=512)
    (found,) = predict([results_of(*EXACT_CASES, gap)], Request(8 * GIB, 2 * GIB, 1e9), "hybrid").modes
    assert found.data_bytes is not None
    assert found.data_bytes.value == pytest.approx((100 + 2 * 2048 + 80) * MIB)
    assert found.notes[0] == "1 completed runs left out: their data or their time is unknown"
    with pytest.raises(InputError, match="nothing to fit a model of any mode to"):
        predict([results_of(gap)], Request(8 * GIB, 2 * GIB, 1e9))


def test_nine_of_ten_further_runs_and_more_lie_in_the_interval() -> None:
    generator = np.random.default_rng(11)
    hits = 0
    for _ in range(200):
        noise = generator.normal(0, 30e6, 9)
        cases = [
            on_the_line("xl", mib, noise=noise[step]) for step, mib in enumerate((0, 512, 1024, 1536) * 2)
        ]
        # Each load's two measurements are cases of their own here: one run of each.
        results = replace(QUICK, runs=tuple(case.runs[0] for case in cases))
        (found,) = predict([results], Request(16 * GIB, 768 * MIB, 1e9), "hybrid").modes
        further = on_the_line("xl", 768, noise=noise[8]).runs[0].metrics
        assert further is not None and found.seconds is not None
        hits += found.seconds.low <= further.migration_seconds <= found.seconds.high
    assert hits / 200 >= 0.9


def test_columns_that_say_the_same_are_no_model() -> None:
    ones = np.ones((5, 1))
    assert least_squares(np.hstack([ones, 3 * ones]), np.arange(1.0, 6.0), range(5)) is None
    assert least_squares(np.ones((2, 2)), np.arange(1.0, 3.0), range(2)) is None


def test_precopy_that_never_ended_is_not_given_a_time() -> None:
    endless = made_case([{"converged": False}], mode="precopy", stressed_mib=512, outcome="not_converged")
    results = results_of(endless, *(on_the_line("xl", mib) for mib in (0, 256, 1024)))
    found = predict([results], Request(16 * GIB, 1 * GIB, 1e9))
    precopy, hybrid = found.modes
    assert (precopy.mode, precopy.seconds, precopy.data_bytes) == ("precopy", None, None)
    assert precopy.notes[0].startswith("not expected to end: in 1 of the measured runs")
    assert hybrid.seconds is not None
    assert found.choice.startswith("hybrid: it always ends, and pre-copy did not")


def test_the_choice_follows_what_precopy_did() -> None:
    hybrids = [on_the_line("xl", mib) for mib in (0, 256, 1024)]
    converged = on_the_line("xl", 1024, mode="precopy")
    with_it = predict([results_of(*hybrids, converged)], Request(16 * GIB, 512 * MIB, 1e9))
    assert with_it.choice.startswith("pre-copy: it converged in 2 measured runs")
    without = predict([results_of(*hybrids)], Request(16 * GIB, 512 * MIB, 1e9))
    assert without.choice.endswith("was not measured")


def test_a_lighter_load_or_a_faster_link_may_still_converge() -> None:
    endless = made_case([{"converged": False}], mode="precopy", stressed_mib=512, outcome="not_converged")
    results = results_of(endless, *(on_the_line("xl", mib) for mib in (0, 256, 1024)))
    for request in (Request(16 * GIB, 256 * MIB, 1e9), Request(16 * GIB, 1 * GIB, 1e10)):
        assert [found.mode for found in predict([results], request).modes] == ["hybrid"]


def test_runs_slower_than_their_link_are_named() -> None:
    model = fit_model([QUICK], "hybrid")
    assert model is not None
    assert (len(model.runs), model.untimed, model.below_link) == (4, 0, 3)
    (hybrid,) = predict([QUICK], Request(2 * GIB, 512 * MIB, 1e9), "hybrid").modes
    assert "3 of 4 runs did not fill their link" in hybrid.notes[0]


@pytest.mark.parametrize(
    ("request_", "mode", "message"),
    [
        (Request(2 * GIB, 2 * GIB, 1e9), None, "stressed memory 2 GiB does not fit into RAM 2 GiB"),
        (Request(2 * GIB, 1 * GIB, 1e9), "teleport", r"mode 'teleport' is not allowed \(allowed: precopy"),
        (Request(2 * GIB, 1 * GIB, 1e9), "postcopy", r"3 different loads \(hybrid: 4\)"),
    ],
)
def test_what_cannot_be_predicted_is_one_line(request_: Request, mode: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        predict([QUICK], request_, mode)
    assert "\n" not in str(caught.value)


def test_document_is_plain_json() -> None:
    document = json.loads(
        json.dumps(prediction_document(predict([QUICK], Request(16 * GIB, 8 * GIB, 1e9))), allow_nan=False)
    )
    hybrid = document["modes"][-1]
    assert document["schema"] == 2
    assert document["results"] == [
        {"directory": str(QUICK.directory), "study": "quick", "lab": "local", "release": "epoxy"}
    ]
    assert hybrid["migration_seconds"]["low"] < hybrid["migration_seconds"]["value"]
    assert len(hybrid["extrapolated"]) == 2
    assert all(run.startswith(f"{QUICK.directory}/runs/hybrid-") for run in hybrid["runs"])


def elsewhere(results: Results, name: str) -> Results:
    """The same runs in another results directory."""
    return replace(results, directory=results.directory.with_name(name))


def test_several_sets_make_one_model_and_each_run_names_its_set() -> None:
    small = elsewhere(results_of(*(on_the_line(flavor, 0) for flavor in ("s", "m", "l"))), "small")
    large = results_of(*(on_the_line("xl", mib) for mib in (0, 256, 1024, 4096)))
    (found,) = predict([small, large], Request(8 * GIB, 2 * GIB, 1e9), "hybrid").modes
    assert found.model is not None and found.model.with_ram
    assert found.model.data.coefficients.tolist() == pytest.approx([100 * MIB, 2.0, 10 / 1024])
    assert {run.partition("/runs/")[0] for run in found.model.runs} == {
        str(small.directory),
        str(large.directory),
    }


def test_sets_of_several_releases_are_refused() -> None:
    other = replace(EXACT, labs=(replace(EXACT.lab, release="icehouse"),))
    with pytest.raises(
        InputError, match=r"runs of several releases .* no model \(epoxy by libvirt in .*, ice"
    ):
        predict([EXACT, other], Request(8 * GIB, 2 * GIB, 1e9))


def test_sets_of_several_backends_are_refused() -> None:
    other = replace(EXACT, labs=(replace(EXACT.lab, backend="nova"),))
    with pytest.raises(InputError, match=r"no model \(epoxy by libvirt in .*, epoxy by nova in"):
        held_against([EXACT, other], EXACT)


def test_runs_that_something_else_slowed_say_nothing_of_the_time() -> None:
    slow = made_case(
        [{"forward_bytes": (100 + 2 * 2048 + 160) * MIB, "migration_seconds": 90.0, "link_use": 0.4}],
        flavor="xl",
        stressed_mib=2048,
    )
    (found,) = predict([results_of(*EXACT_CASES, slow)], Request(8 * GIB, 2 * GIB, 1e9), "hybrid").modes
    assert found.seconds is not None
    assert found.seconds.value == pytest.approx(1.5 + 1.05 * (100 + 2 * 2048 + 80) * MIB * 8 / 1e9)
    assert found.notes[0] == "1 of 15 runs say nothing of the time: something else than the link slowed them"


def test_errors_are_shares_of_what_was_measured() -> None:
    """A run that sent a tenth more than the line says was predicted 9 % too low, out of any interval."""
    more = 0.1 * (100 + 2 * 512 + 160) * MIB
    cases = (on_the_line("xl", 512), on_the_line("xl", 512, noise=more))
    unseen = elsewhere(results_of(*(replace(case, runs=case.runs[:1]) for case in cases)), "unseen")
    (held,) = held_against([EXACT], unseen)
    assert (held.mode, held.data.runs, held.data.within) == ("hybrid", 2, 1)
    assert held.data.worst == pytest.approx(-1 / 11)
    assert held.data.median == pytest.approx(-1 / 22)
    document = json.loads(json.dumps(held_document([EXACT], unseen, [held]), allow_nan=False))
    assert document["against"]["directory"] == str(unseen.directory)
    assert document["modes"][0]["forward_bytes"] == {**vars(held.data)}


@pytest.mark.parametrize(
    ("unseen", "message"),
    [
        (EXACT, "the model was fitted to these runs; give others"),
        (
            elsewhere(results_of(on_the_line("xl", 0, mode="precopy")), "unseen"),
            r"no completed run of a mode that can be predicted \(hybrid\)",
        ),
    ],
)
def test_what_cannot_be_held_is_one_line(unseen: Results, message: str) -> None:
    with pytest.raises(InputError, match=message):
        held_against([EXACT], unseen)
