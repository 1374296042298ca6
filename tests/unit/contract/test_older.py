"""Results of schema 1 are read with today's words, and nothing else of them changes."""

from __future__ import annotations

import json
from pathlib import Path

from analysis.evidence.records import read_run
from contract.older import SCHEMA, in_todays_words
from tests.conftest import PROJECT

RESULTS = PROJECT / "tests/data/results"


def test_a_run_of_schema_1_is_read_with_todays_words() -> None:
    path = RESULTS / "quick/local/runs/hybrid-s-stress-2x256mib-1gbit/02/run.json"
    old = json.loads(path.read_text())
    assert (old["schema"], SCHEMA) == (1, 2)
    run = read_run(path)
    assert run.driver is not None and run.switchover_check is not None
    assert run.driver.switchover_requested_at == old["driver"]["switch_requested_at"]
    assert run.switchover_check.bytes_before_switchover == old["switch_check"]["bytes_before_switch"]
    assert run.switchover_check.ratio == old["switch_check"]["ratio"]


def test_a_run_of_today_is_the_same_run(tmp_path: Path) -> None:
    path = RESULTS / "quick/local/runs/hybrid-s-stress-2x256mib-1gbit/02/run.json"
    today = in_todays_words(json.loads(path.read_text()))
    assert in_todays_words(today) == today and "switch_" not in json.dumps(today)
    (tmp_path / "run.json").write_text(json.dumps(today))
    assert read_run(tmp_path / "run.json") == read_run(path)
