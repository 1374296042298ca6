"""nova-compute.log: recorded of hybrid migrations on Zed and Icehouse, in other forms, and what it lacks."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analysis.evidence.nova_log import parse_nova_log, patterns_of
from analysis.study.results import NOTED, RunResult, load_results
from contract.evidence import DESTINATION_AGENT_LOG
from tests.unit.analysis.builder import EPOCH, Model, write_study, write_sums

INSTANCE = "0e73e074-3f4f-447b-a668-674b4eda5719"
ANOTHER = "b01fcafc-d8ec-45d8-b5ce-6f958d38efa2"
ICEHOUSE_INSTANCE = "b667cbc8-8882-4272-ad99-8b5306f53238"
MIGRATED = "Migrating instance to compute2 finished successfully."


@pytest.fixture(scope="module")
def recorded(project: Path) -> dict[str, list[bytes]]:
    folder = project / "tests/data/nova-logs/zed"
    return {role: (folder / f"{role}.log").read_bytes().splitlines() for role in ("source", "destination")}


def test_the_source_tells_of_its_part(recorded: dict[str, list[bytes]]) -> None:
    marks = parse_nova_log(recorded["source"], "zed", INSTANCE).marks
    order = ["source_prepared", "source_switches_over", "source_operation_ends", "source_ends"]
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


def test_a_release_without_patterns_is_none() -> None:
    assert patterns_of("epoxy") is None


def test_garbage_is_passed_over() -> None:
    assert parse_nova_log([b"", b"\xff\xfe", b"Traceback (most recent call last):"], "zed").marks == {}


def in_form(form: str, second: int = 1, text: str = "Switching to post-copy migration mode") -> bytes:
    """One line of nova's at 2026-11-23 10:00:0`second`.250 UTC."""
    body = f"4711 INFO nova.compute.manager [-] [instance: {INSTANCE}] {text}"
    return form.format(second=second, body=body).encode()


AT = 1795428001.25


@pytest.mark.parametrize(
    "form",
    [
        "2026-11-23 10:00:0{second}.250 {body}",
        "2026-11-23T10:00:0{second}.250 {body}",
        "2026-11-23T10:00:0{second}.250Z {body}",
        "2026-11-23 11:00:0{second}.250+01:00 {body}",
        "2026-11-23T15:30:0{second}.250+0530 {body}",
        "2026-11-23 15:30:0{second}.250 +0530 {body}",
        "2026-11-23 10:00:0{second}.250 UTC {body}",
        "2026-11-23 10:00:0{second},250 {body}",
        "2026-11-23 10:00:0{second}.250000 {body}",
        "Nov 23 11:00:0{second} np1 nova_compute[129891]: 2026-11-23 10:00:0{second}.250 {body}#033[00m",
        "2026-11-23T11:00:09+0100 np1 nova-compute[1]: 2026-11-23 10:00:0{second}.250 {body}",
        "<30>1 2026-11-23T11:00:09.1+01:00 np1 nova-compute 1 - - 2026-11-23 10:00:0{second}.250 {body}",
        '{{"log": "2026-11-23 10:00:0{second}.250 {body}\\n", "time": "2026-11-23T11:00:09.1Z"}}',
        "\x1b[00;36m2026-11-23 10:00:0{second}.250 \x1b[01;35m{body}\x1b[00m",
    ],
)
def test_a_line_in_other_forms_has_novas_own_time(form: str) -> None:
    log = parse_nova_log([in_form(form)], "zed", INSTANCE)
    assert log.marks == {"source_switches_over": AT}
    assert (log.lines, log.read, log.unread) == (1, 1, 0)
    assert not parse_nova_log([in_form(form)], "zed", ANOTHER).marks


def test_without_a_process_number_and_without_a_fraction() -> None:
    line = b"2026-11-23 10:00:01 INFO nova.compute.manager [-] Switching to post-copy migration mode"
    log = parse_nova_log([line], "zed", INSTANCE)
    assert log.marks == {"source_switches_over": 1795428001.0}
    assert log.whole_seconds


@pytest.mark.parametrize(
    "dates", [{"created": AT, "asctime": "2026-11-23 11:00:01"}, {"time": "2026-11-23T10:00:01.250"}]
)
def test_novas_json_formatters(dates: dict[str, object]) -> None:
    text = "Switching to post-copy migration mode"
    record = {"message": text, "levelname": "INFO", "extra": {"instance": {"uuid": INSTANCE}}, **dates}
    lines = [json.dumps(record).encode()]
    assert parse_nova_log(lines, "zed", INSTANCE).marks == {"source_switches_over": AT}
    assert not parse_nova_log(lines, "zed", ANOTHER).marks


@pytest.mark.parametrize(
    "line",
    [
        "23/11/2026 10:00:01 4711 INFO nova.compute.manager [-] Switching to post-copy migration mode",
        "Nov 23 10:00:01 np1 nova-compute[1]: 4711 INFO nova.compute.manager [-] Switching to post-copy",
        "2026-13-45 10:00:01.250 4711 INFO oslo_service.periodic_task [-] of no such day",
        "INFO nova.compute.manager [-] Switching to post-copy migration mode",
    ],
)
def test_a_record_that_no_form_reads_is_counted(line: str) -> None:
    recorded = in_form("2026-11-23 10:00:0{second}.250 {body}")
    traceback = b"Traceback (most recent call last):"
    log = parse_nova_log([line.encode(), recorded, traceback], "zed", INSTANCE)
    assert (log.lines, log.unread) == (3, 1)


@pytest.mark.parametrize(("role", "read"), [("source", 18), ("destination", 13)])
def test_icehouses_recorded_lines_are_read(project: Path, role: str, read: int) -> None:
    """One line of the destination's is no record: the second of `Instance launched has CPU info`."""
    lines = (project / f"tests/data/nova-logs/icehouse/{role}.log").read_bytes().splitlines()
    log = parse_nova_log(lines, "icehouse", ICEHOUSE_INSTANCE)
    assert (log.read, log.unread, log.failure) == (read, 0, None)
    ends = {"source_ends": 1795884177.439}
    begins = {"destination_begins": 1795884168.065, "destination_ends": 1795884177.396}
    assert log.marks == (ends if role == "source" else begins)


def novas_lines(role: str, hours: float = 0.0) -> bytes:
    """What a host's nova writes of the builder's hybrid migration, in a time zone."""
    texts = {
        "source": [(10.3, "Migration operation has completed"), (10.9, MIGRATED)],
        "destination": [(0.5, "VM Started (Lifecycle Event)"), (10.5, "Post operation of migration started")],
    }[role]
    lines = []
    for after, text in texts:
        time = datetime.fromtimestamp(EPOCH + after + hours * 3600, UTC)
        date = time.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        lines.append(f"{date} 1922 INFO nova.compute.manager [-] [instance: {INSTANCE}] {text}\n")
    return "".join(lines).encode()


def by_nova(
    directory: Path, agent: bytes | None = None, **logs: bytes | None
) -> tuple[RunResult, dict[str, str]]:
    """A run that nova made, with these logs; its warnings by file."""
    write_study(directory, [(Model(), 1)])
    lab = json.loads((directory / "lab.json").read_text())
    (directory / "lab.json").write_text(json.dumps({**lab, "backend": "nova", "log_patterns": "zed"}))
    run_dir = directory / "runs" / Model().case / "01"
    run = json.loads((run_dir / "run.json").read_text())
    run["spec"]["backend"], run["nova"] = "nova", {"server_id": INSTANCE}
    (run_dir / "run.json").write_text(json.dumps(run))
    for role in ("source", "destination"):
        content = logs.get(role, novas_lines(role))
        if content is not None:
            (run_dir / role / "nova-compute.log").write_bytes(content)
    if agent is not None:
        (run_dir / DESTINATION_AGENT_LOG.path).write_bytes(agent)
    write_sums(run_dir)
    results = load_results(directory, workers=1)
    assert {notice.effect for notice in results.notices} <= {NOTED}
    return results.runs[0], {
        notice.file.removeprefix(f"runs/{Model().case}/01/"): notice.message for notice in results.notices
    }


def by_the_logs(run: RunResult) -> float | None:
    assert run.metrics is not None
    return run.metrics.migration_seconds_nova_logs


def test_two_whole_logs_give_a_time_and_no_warning(tmp_path: Path) -> None:
    run, warnings = by_nova(tmp_path)
    assert by_the_logs(run) == pytest.approx(10.4)
    assert warnings == {}


@pytest.mark.parametrize(
    ("hours", "words"),
    [(1, "1:00 h ahead of"), (-3.5, "3:30 h behind"), (5.75, "5:45 h ahead of"), (-11, "11:00 h behind")],
)
@pytest.mark.parametrize("role", ["source", "destination"])
def test_a_log_in_local_time_is_put_right(tmp_path: Path, role: str, hours: float, words: str) -> None:
    run, warnings = by_nova(tmp_path, **{role: novas_lines(role, hours)})
    assert by_the_logs(run) == pytest.approx(10.4)
    assert warnings == {
        f"{role}/nova-compute.log": f"its times are {words} its host's clock (local time?): corrected by that"
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "missing"),
        (b"", "empty"),
        (b"23/11/2026 11:00 INFO nova.x y\n" * 3, "none of its 3 lines could be read"),
        (novas_lines("source", 0.1), r"its times are \+\d+ s off the time in which its host was watched"),
        (novas_lines("source").splitlines(keepends=True)[0], "no line of it says that the migration ended"),
        (novas_lines("source").replace(INSTANCE.encode(), ANOTHER.encode()), "no line of it says"),
    ],
)
def test_what_a_log_cannot_tell_is_said(tmp_path: Path, content: bytes | None, words: str) -> None:
    run, warnings = by_nova(tmp_path, source=content)
    assert by_the_logs(run) is None
    assert re.match(words, warnings["source/nova-compute.log"])


def test_a_log_of_which_a_part_is_unread(tmp_path: Path) -> None:
    content = novas_lines("source") + b"Nov 23 10:00:01 4711 INFO nova.compute.manager [-] x\n"
    run, warnings = by_nova(tmp_path, source=content)
    assert by_the_logs(run) == pytest.approx(10.4)
    assert warnings["source/nova-compute.log"].startswith("1 of its 3 lines could not be read")


def test_a_nova_without_patterns_is_told_once(tmp_path: Path) -> None:
    by_nova(tmp_path)
    lab = json.loads((tmp_path / "lab.json").read_text())
    (tmp_path / "lab.json").write_text(json.dumps({**lab, "log_patterns": "epoxy"}))
    (notice,) = load_results(tmp_path, workers=1).notices
    assert (notice.file, notice.message) == (
        "lab.json",
        'there are no patterns "epoxy" for nova\'s logs: they are not read',
    )
