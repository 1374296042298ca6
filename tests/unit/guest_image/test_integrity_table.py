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


def test_the_document_shows_the_kept_results() -> None:
    document = (PROJECT / "docs/guest-integrity.md").read_text()
    assert with_table(document, markdown_table(table_rows(kept_records()))) == document
