"""Results of schema 1 are read with today's words, and nothing else of them changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from analysis.evidence.records import read_run
from contract.older import SCHEMA, in_todays_words
from control.study import resolve_cases, validate
from tests.conftest import PROJECT

RESULTS = PROJECT / "tests/data/results"
CASE = "hybrid-s-stress-1x256mib-1gbit"


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
    today = {**in_todays_words(json.loads(path.read_text())), "schema": SCHEMA}
    assert in_todays_words(today) == today and "switch_" not in json.dumps(today)
    (tmp_path / "run.json").write_text(json.dumps(today))
    assert read_run(tmp_path / "run.json") == read_run(path)


@pytest.mark.parametrize(
    ("old", "word"), [("held_entry", "stale_fdb"), ("late_announcement", "delayed_announcement")]
)
def test_a_network_of_a_study_and_of_a_run_is_called_as_today(old: str, word: str) -> None:
    text = (PROJECT / "studies/outage-causes.yml").read_text()
    older = yaml.safe_load(text.replace("schema: 2", "schema: 1").replace(word, old))
    assert old in older["matrix"][0]["network"]
    cases = [
        resolve_cases(validate(document, "x.yml"), "x.yml") for document in (older, yaml.safe_load(text))
    ]
    assert cases[0] == cases[1] and word in {case.spec.network for case in cases[0]}
    path = RESULTS / "outage-causes/local/runs" / f"{CASE}-{old.replace('_', '-')}" / "01/run.json"
    assert json.loads(path.read_text())["spec"]["network"] == old
    assert read_run(path).spec.network == word


@pytest.mark.parametrize(
    ("path", "backend", "allowed"),
    [
        ("hybrid-s-unloaded-1gbit/01", "libvirt", 1),
        ("hybrid-s-unloaded-1gbit/01", "nova", "native"),
        ("precopy-s-stress-2x256mib-1gbit/02", "libvirt", "native"),
    ],
)
def test_a_run_from_before_allowed_downtimes_were_said_had_the_usual_one(
    tmp_path: Path, path: str, backend: str, allowed: int | str
) -> None:
    document = json.loads((RESULTS / "quick/local/runs" / path / "run.json").read_text())
    assert "max_downtime_ms" not in document["spec"]
    document["spec"]["backend"] = backend
    (tmp_path / "run.json").write_text(json.dumps(document))
    run = read_run(tmp_path / "run.json")
    assert (run.spec.max_downtime_ms, run.spec.usual_downtime) == (allowed, True)
    assert (run.ended_in, run.ended_early, run.has_postcopy) == (None, False, run.spec.mode != "precopy")
