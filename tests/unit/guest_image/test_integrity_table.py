"""Counts and intervals of the integrity bench."""

from __future__ import annotations

import json
from typing import Any

import pytest
from integrity_table import markdown_table, table_rows, wilson_interval, with_table

from tests.conftest import PROJECT

RESULTS = PROJECT / "tests/bench/results/integrity"


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval(hits: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(hits, trials) == pytest.approx((low, high), abs=5e-5)


def test_no_trials_say_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def kept_records() -> list[dict[str, Any]]:
    lines = [line for path in sorted(RESULTS.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def test_every_kept_run_is_counted_once() -> None:
    records = kept_records()
    rows = table_rows(records)
    assert records
    assert sum(row["judged"] + row["not_judged"] for row in rows) == len(records)
    assert sum(row["corrupted"] for row in rows) == sum(r["verdict"] == "corrupted" for r in records)


def test_a_corrupted_run_has_a_reason() -> None:
    for record in kept_records():
        assert bool(record["reasons"]) == (record["verdict"] != "intact")


def record(qemu: str, verdict: str = "intact", *reasons: str, **more: Any) -> dict[str, Any]:
    cell = {"accelerator": "tcg,thread=multi", "mode": "precopy", "load": "stressed", "variant": "no-pattern"}
    known = {"qemu": qemu, "guest_kernel": "6.12.117+deb13-cloud-amd64", "verdict": verdict}
    return {**known, **cell, "reasons": list(reasons), "pattern": None, **more}


@pytest.mark.parametrize(
    ("reasons", "silent"),
    [
        (["stressor_stalled"], 1),
        (["agent_unreachable"], 1),
        (["stressor_dead", "kernel_log"], 0),
        (["agent_unreachable", "console"], 0),
        (["pattern"], 0),
    ],
)
def test_silent_damage_left_neither_a_kernel_line_nor_a_wrong_page(reasons: list[str], silent: int) -> None:
    (row,) = table_rows([record("7.2.22 (Debian 1)", "corrupted", *reasons)])
    assert row["silent"] == silent


PACKAGE, OTHER = "7.2.22 (Debian 1:7.2-7)", "10.0.13 (Debian 1:10.0.13)"
UNCHANGED, RESET = "7.2.22 (built, unchanged)", "7.2.22 (built, TLB reset)"


def summary_of(records: list[dict[str, Any]]) -> list[list[str]]:
    lines = markdown_table(table_rows(records)).partition("<details>")[0].splitlines()
    return [[part.strip() for part in line.strip("|").split("|")] for line in lines if line.startswith("|")][
        2:
    ]


def test_the_summary_tells_builds_of_one_version_apart() -> None:
    rows = summary_of([record(qemu) for qemu in (OTHER, UNCHANGED, RESET, PACKAGE)])
    assert [row[0] for row in rows] == ["7.2.22", RESET, UNCHANGED, "10.0.13"]


def test_the_summary_counts_judged_guests_with_the_interval_under_load() -> None:
    stressed = [record(PACKAGE, "corrupted", "console"), record(PACKAGE), record(PACKAGE, "not_judged")]
    idle = [record(PACKAGE, load="idle", mode="postcopy")]
    left_out = [record(PACKAGE, variant="default"), record(PACKAGE, load="rewrite")]
    other_kernel = [record(PACKAGE, "corrupted", "console", guest_kernel="6.1.0-50-cloud-amd64")]
    (row,) = summary_of([*stressed, *idle, *left_out, *other_kernel])
    assert row == ["7.2.22", "multi", "1 of 2 (9 to 91%)", "-", "-", "-", "-", "0 of 1"]


def test_the_document_shows_the_kept_results() -> None:
    document = (PROJECT / "docs/guest-integrity.md").read_text()
    assert with_table(document, markdown_table(table_rows(kept_records()))) == document
