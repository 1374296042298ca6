"""nova-compute.log: recorded of one hybrid migration on Zed, and Icehouse's texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.parsers.nova_log import parse_nova_log, patterns_of

INSTANCE = "0e73e074-3f4f-447b-a668-674b4eda5719"
ANOTHER = "b01fcafc-d8ec-45d8-b5ce-6f958d38efa2"


@pytest.fixture(scope="module")
def recorded(project: Path) -> dict[str, list[bytes]]:
    folder = project / "tests/data/nova-logs/zed"
    return {role: (folder / f"{role}.log").read_bytes().splitlines() for role in ("source", "destination")}


def test_the_source_tells_of_its_part(recorded: dict[str, list[bytes]]) -> None:
    marks = parse_nova_log(recorded["source"], "zed", INSTANCE).marks
    order = ["source_prepared", "source_switches", "source_operation_ends", "source_ends"]
    assert sorted(marks, key=lambda mark: marks[mark]) == order
    assert marks["source_ends"] - marks["source_prepared"] == pytest.approx(9.2, abs=0.1)


def test_the_destination_tells_of_its_part(recorded: dict[str, list[bytes]]) -> None:
    marks = parse_nova_log(recorded["destination"], "zed", INSTANCE).marks
    assert marks["destination_begins"] == pytest.approx(1795526116.946)
    assert marks["destination_ends"] > marks["destination_begins"]


def test_lines_of_other_instances_do_not_count(recorded: dict[str, list[bytes]]) -> None:
    assert not parse_nova_log(recorded["destination"], "zed", ANOTHER).marks


def test_icehouses_texts_are_found() -> None:
    text = "2014-11-05 10:00:0%d.000 4711 %s nova.compute.manager [req-1 - -] [instance: %s] %s"
    lines = [
        text % (1, "INFO", INSTANCE, "Instance launched has CPU info:"),
        text % (8, "INFO", INSTANCE, "Migrating instance to compute2 finished successfully."),
        text
        % (
            9,
            "ERROR",
            INSTANCE,
            "Live Migration failure: operation failed: migration job: unexpectedly failed",
        ),
    ]
    log = parse_nova_log([line.encode() for line in lines], "icehouse", INSTANCE)
    assert log.marks["source_ends"] - log.marks["destination_begins"] == pytest.approx(7.0)
    assert log.failure == "operation failed: migration job: unexpectedly failed"
    assert log.errors == 1


def test_a_release_without_patterns_is_none() -> None:
    assert patterns_of("epoxy") is None


def test_garbage_is_passed_over() -> None:
    assert parse_nova_log([b"", b"\xff\xfe", b"Traceback (most recent call last):"], "zed").marks == {}
