"""`predict` as a user calls it, on recorded runs; units are strict."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable

import pytest

from postcopy_lab.errors import InputError
from postcopy_lab.project import Project
from postcopy_lab.quantities import parse_memory, parse_rate
from tests.unit.command.conftest import ROOT

Call = Callable[..., tuple[int, str, str]]
QUICK = str(ROOT / "tests" / "data" / "results" / "quick" / "local")
GUEST = ("--ram", "16G", "--stressed", "8G", "--rate", "1G")


def test_time_data_bound_and_extrapolation(call: Call) -> None:
    code, out, err = call("predict", *GUEST, "--from", QUICK)
    assert (code, err) == (0, "")
    assert out.startswith("Guest of 16 GiB RAM, 8 GiB of it stressed (GiB = 2^30 bytes), link of 1 Gbit/s")
    assert "275 s" in out and "34,360 MB" in out
    assert "hybrid: EXTRAPOLATED: stressed memory 8 GiB is outside of the measured 0 GiB to 1 GiB" in out
    assert "precopy: not expected to end" in out
    assert out.splitlines()[-1].startswith("Choice: hybrid")


def test_within_what_was_measured_nothing_is_extrapolated(call: Call) -> None:
    code, out, _err = call("predict", "--ram", "2G", "--stressed", "512M", "--rate", "1gbit", "--from", QUICK)
    assert code == 0
    assert "EXTRAPOLATED" not in out


def test_json_for_machines(call: Call) -> None:
    code, out, err = call("predict", *GUEST, "--from", QUICK, "--mode", "hybrid", "--format", "json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    (hybrid,) = document["modes"]
    assert hybrid["forward_bytes"]["value"] == pytest.approx(
        (2.07 * 8 * 2**30 + 176e6) * 1514 / 1448, rel=0.01
    )
    # Eight times what was measured: nothing is known but the order.
    assert (hybrid["forward_bytes"]["low"], hybrid["forward_bytes"]["high"] > 40e9) == (0.0, True)
    assert document["request"]["rate_bits_per_second"] == 1e9


def test_the_newest_results_are_taken(call: Call, checkout: Project) -> None:
    for age, study in enumerate(("quick", "modes")):
        folder = checkout.root / "results" / study / "tiny"
        lab = {"quick": "local", "modes": "loop"}[study]
        shutil.copytree(ROOT / "tests" / "data" / "results" / study / lab, folder)
        os.utime(folder / "study.json", (2_000_000_000 - age, 2_000_000_000 - age))
    code, out, err = call("predict", *GUEST)
    assert (code, err) == (0, "")
    assert "From results/quick/tiny: study quick" in out
    code, out, err = call("predict", *GUEST, "--from", "modes")
    assert (code, out) == (2, "")
    assert "nothing to fit a model of any mode to" in err and "(postcopy: 1)" in err


def test_a_lab_without_results_takes_all_that_are_shipped_of_its_release(
    call: Call, checkout: Project
) -> None:
    results = ROOT / "tests" / "data" / "results"
    for study, lab in (("quick", "local"), ("modes", "loop")):
        shutil.copytree(results / study / lab, checkout.root / "examples" / study / lab)
    code, out, err = call("predict", *GUEST)
    assert (code, err) == (0, "")
    assert "From examples/modes/loop: study modes" in out and "From examples/quick/local: study quick" in out
    assert call("predict", *GUEST, "--release", "epoxy")[1] == out
    code, out, err = call("predict", *GUEST, "--release", "zed")
    assert (code, out) == (2, "")
    line = "release 'zed': no runs of it in examples (allowed: epoxy by libvirt); --from names others"
    assert err == f"error: {line}\n"


def test_shipped_runs_that_predictions_are_held_against_are_left_out(call: Call, checkout: Project) -> None:
    shipped = checkout.root / "examples"
    shutil.copytree(ROOT / "tests/data/results/quick/local", shipped / "quick" / "local")
    shutil.copytree(ROOT / "examples/probe-cost/local", shipped / "probe-cost" / "local")
    against = str(shipped / "probe-cost" / "local")
    code, out, err = call("predict", "--release", "epoxy", "--against", against)
    assert (code, err) == (0, "")
    assert "From examples/quick/local" in out and "From examples/probe-cost/local" not in out
    # Those of the other backend are left out as well.
    by_nova = shipped / "switchovers" / "zedn"
    shutil.copytree(ROOT / "examples/switchovers/zedn", by_nova)
    (by_nova / "lab.json").write_text(
        (by_nova / "lab.json").read_text().replace('"zed-backports"', '"epoxy"')
    )
    assert call("predict", "--release", "epoxy", "--against", against)[1] == out
    err = call("predict", "--release", "epoxy", "--backend", "nova", *GUEST)[2]
    assert f"{by_nova}: nothing to fit a model of any mode to" in err
    shutil.rmtree(shipped / "quick")
    code, out, err = call("predict", "--release", "epoxy", "--against", against)
    assert (code, out) == (2, "")
    assert err == f"error: release 'epoxy': {against} are all shipped runs of it; --from names others\n"


def test_how_far_predictions_are_off_other_runs(call: Call) -> None:
    example = str(ROOT / "examples" / "probe-cost" / "local")
    code, out, err = call("predict", "--from", QUICK, "--against", example)
    assert (code, err) == (0, "")
    assert f"Held against {example}: study probe-cost" in out
    code, out, err = call("predict", "--from", QUICK, "--against", example, "--format", "json")
    (held,) = json.loads(out)["modes"]
    assert (code, held["mode"], held["forward_bytes"]["runs"]) == (0, "hybrid", 12)
    assert abs(held["forward_bytes"]["median"]) < 0.1


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--ram", "16GB", "--stressed", "8G", "--rate", "1G"], ["--ram '16GB'", "MiB, GiB and TiB"]),
        (["--ram", "16", "--stressed", "8G", "--rate", "1G"], ["--ram '16'", "for example 16G"]),
        (["--ram", "16G", "--stressed", "8g", "--rate", "1G"], ["--stressed '8g'"]),
        (["--ram", "16G", "--stressed", "8G", "--rate", "1GiB"], ["--rate '1GiB'", "10^9 bit/s"]),
        (["--ram", "16G", "--stressed", "8G", "--rate", "0G"], ["--rate '0G'", "above 0"]),
        (["--ram", "4G", "--stressed", "8G", "--rate", "1G"], ["8 GiB does not fit into RAM 4 GiB"]),
        (["--ram", "16G", "--stressed", "8G"], ["--rate"]),
        ([*GUEST, "--mode", "fast"], ["mode 'fast'", "precopy, hybrid, postcopy"]),
        ([*GUEST, "--format", "md"], ["--format", "'md'", "json"]),
        ([*GUEST, "--from", "nope"], ["nope: no results"]),
        ([*GUEST, "--from", QUICK, "--release", "epoxy"], ["--from and --release: give one"]),
        ([*GUEST, "--against", QUICK], ["--against takes each run's own"]),
        (["--against", QUICK], ["the model was fitted to these runs"]),
    ],
)
def test_bad_input_is_one_line(call: Call, words: list[str], parts: list[str]) -> None:
    source = [] if "--from" in words else ["--from", QUICK]
    code, out, err = call("predict", *words, *source)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1, err
    for part in parts:
        assert part in err


@pytest.mark.parametrize(
    ("text", "size"),
    [("16G", 16 * 2**30), ("1.5GiB", 1.5 * 2**30), ("0M", 0), ("2T", 2**41), ("256MiB", 2**28)],
)
def test_sizes_are_binary(text: str, size: float) -> None:
    assert parse_memory("--ram", text) == size


@pytest.mark.parametrize(("text", "rate"), [("1G", 1e9), ("2.5gbit", 2.5e9), ("100M", 1e8), ("10Gbit", 1e10)])
def test_rates_are_decimal(text: str, rate: float) -> None:
    assert parse_rate("--rate", text) == rate


@pytest.mark.parametrize("text", ["", "G", "-1G", "1 G", "1e3M", "1GB", "1kbit", "\u0661G", "9" * 400 + "G"])
def test_neither_is_guessed(text: str) -> None:
    for parse in (parse_memory, parse_rate):
        with pytest.raises(InputError):
            parse("--x", text)
