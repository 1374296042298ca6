"""The JSON Schemas accept what the kit writes and ships, and refuse what its readers refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from contract.older import SCHEMA, in_todays_words
from tests.conftest import PROJECT

SCHEMAS = PROJECT / "docs" / "schemas"
STUDIES = sorted((PROJECT / "studies").glob("*.yml"))
DOCUMENTS = [
    *sorted((PROJECT / "examples").glob("*/*/*.json")),
    *sorted((PROJECT / "tests/data/results").glob("*/*/*.json")),
    *sorted((PROJECT / "tests/data/results").glob("*/*/runs/*/01/run.json")),
]


def refused(name: str, document: object) -> list[str]:
    """Where a document is not as its schema says, by path."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    faults = jsonschema.Draft202012Validator(schema).iter_errors(document)
    return [fault.json_path for fault in faults]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_shipped_study_names_its_schema_and_is_valid(path: Path) -> None:
    text = path.read_text()
    modeline = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / modeline).resolve() == SCHEMAS / "study-file.json"
    assert refused("study-file", yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"colour": "red"}, "$"),
        ({"repetitions": 0}, "$.repetitions"),
        ({"defaults": {"link_rate": "0gbit"}}, "$.defaults"),
        ({"matrix": []}, "$.matrix"),
        ({"matrix": [{"mode": "hybird", "flavor": "s", "stress_threads": 0}]}, "$.matrix[0].mode"),
    ],
)
def test_a_mistake_in_a_study_is_seen_by_editors(change: dict[str, Any], where: str) -> None:
    study = yaml.safe_load((PROJECT / "studies" / "quick.yml").read_text())
    assert refused("study-file", {**study, **change}) == [where]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"matrix": []}, "$"),
        ({"only": 3}, "$.only"),
        ({"defaults": {"link_rate": "0gbit"}}, "$.defaults.link_rate"),
    ],
)
def test_so_is_one_in_a_study_that_is_based_on_another(change: dict[str, Any], where: str) -> None:
    study = yaml.safe_load((PROJECT / "studies" / "icclab-2014-ping.yml").read_text())
    assert refused("study-file", {**study, **change}) == [where]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: "-".join(path.parts[-5:]))
def test_recorded_documents_are_valid(path: Path) -> None:
    document = {**in_todays_words(json.loads(path.read_text())), "schema": SCHEMA}
    name = path.stem.split("-")[0]
    # A run that ended before its migration, or whose guest did not verify its pattern, says so by nulls.
    if document.get("driver") and document["driver"]["requested_at"] is None:
        document["driver"] = None
    assert refused(name, without_nulls(document)) == []


def without_nulls(value: Any) -> Any:
    """As the readers take it: null says nothing."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
