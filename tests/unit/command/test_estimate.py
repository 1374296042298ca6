"""The time left: a simple model, corrected by what really happened."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contract.modes import Mode
from contract.records import Spec
from postcopy_lab.estimate import FILL_BYTES_PER_SECOND, FIXED_SECONDS, IDLE_BYTES, Forecast, run_seconds

MIB = 2**20


def spec(**changes: Any) -> Spec:
    hybrid = Spec(
        mode=Mode.HYBRID,
        flavor="s",
        vcpus=1,
        ram_bytes=2048 * MIB,
        stress_threads=2,
        stressed_bytes=512 * MIB,
        link_rate="1gbit",
        link_rate_bits_per_second=1_000_000_000,
        limit_seconds=120,
        backend="libvirt",
    )
    return replace(hybrid, **changes)


def test_a_hybrid_run_sends_stressed_memory_twice() -> None:
    stressed = 512 * MIB
    expected = FIXED_SECONDS + stressed / FILL_BYTES_PER_SECOND + (2 * stressed + IDLE_BYTES) * 8 / 1e9
    assert run_seconds(spec()) == pytest.approx(expected)


def test_a_stressed_precopy_takes_its_whole_limit() -> None:
    fill = 512 * MIB / FILL_BYTES_PER_SECOND
    assert run_seconds(spec(mode=Mode.PRECOPY, limit_seconds=30)) == pytest.approx(FIXED_SECONDS + fill + 30)


def test_no_migration_takes_longer_than_its_limit() -> None:
    slow = run_seconds(spec(link_rate_bits_per_second=1_000_000))
    assert slow == pytest.approx(FIXED_SECONDS + 512 * MIB / FILL_BYTES_PER_SECOND + 120)


def test_an_idle_precopy_ends_by_itself() -> None:
    assert run_seconds(spec(mode=Mode.PRECOPY, stressed_bytes=0, limit_seconds=120)) < FIXED_SECONDS + 3


def test_before_any_run_the_model_counts() -> None:
    forecast = Forecast({"a": 10.0, "b": 20.0}, {})
    assert forecast.seconds_left(["a", "b"]) == 30.0
    assert forecast.seconds_left(["a", "b"], 4.0) == 26.0
    assert forecast.share_done(["a", "b"]) == 0.0


def test_finished_runs_correct_the_model() -> None:
    forecast = Forecast({"a": 10.0, "b": 10.0, "c": 10.0}, {}).done("a", 30.0)
    # (30 measured + 10 prior) / (10 modelled + 10 prior)
    assert forecast.correction == 2.0
    assert forecast.seconds_left(["b", "c"]) == 40.0
    assert forecast.share_done(["b", "c"]) == pytest.approx(1 / 3)


def test_a_piece_that_takes_longer_than_expected_never_counts_backwards() -> None:
    forecast = Forecast({"a": 10.0, "b": 10.0}, {})
    assert forecast.seconds_left(["a", "b"], 50.0) == 10.0
    assert forecast.share_done(["a", "b"], 50.0) == 0.5


def test_nothing_to_do_is_no_division_by_zero() -> None:
    forecast = Forecast({}, {})
    assert forecast.correction == 1.0
    assert forecast.seconds_left([]) == 0.0
    assert forecast.share_done([]) == 0.0
