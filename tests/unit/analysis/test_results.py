"""A results directory with every kind of damage: the bad run is named and excluded, the rest analysed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.evidence.errors import InputError
from analysis.report.analysis import analyse
from analysis.study.results import EXCLUDED, Notice, load_results
from tests.unit.analysis.builder import Model, write_run, write_study, write_sums

MODEL = Model(threads=1)
RUN = Path("runs") / MODEL.case / "01"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("sound"), [(MODEL, 2)])


@pytest.fixture
def results(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "results"))


def excluded(results: Path) -> list[Notice]:
    return [notice for notice in load_results(results).notices if notice.effect == EXCLUDED]


def test_sound_results_have_no_warnings(sound: Path) -> None:
    results = load_results(sound)
    assert results.notices == ()
    assert [run.counted for run in results.runs] == [True, True]


def _cut_line(run: Path) -> None:
    path = run / "source/nic.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    write_sums(run)


def _garble(run: Path) -> None:
    path = run / "prober/ping.log"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[9] = b"\xff\xfe garbage\n"
    path.write_bytes(b"".join(lines))
    write_sums(run)


def _change(run: Path) -> None:
    path = run / "destination/events.jsonl"
    path.write_bytes(path.read_bytes().replace(b"RESUMED", b"STARTED"))


def _remove(run: Path) -> None:
    (run / "destination/nic.jsonl").unlink()


def _remove_everywhere(run: Path) -> None:
    _remove(run)
    write_sums(run)


def _empty(run: Path) -> None:
    (run / "prober/ping.log").write_bytes(b"")
    write_sums(run)


def _swap(run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "repetition": 7}))


def _schema(run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "schema": 3}))


def _mode(run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    record["spec"]["mode"] = "teleport"
    (run / "run.json").write_text(json.dumps(record))


def _unfinished(run: Path) -> None:
    (run / "run.json").unlink()


@pytest.mark.parametrize(
    ("damage", "file", "line", "message"),
    [
        (_cut_line, "source/nic.jsonl", "last", "truncated"),
        (_garble, "prober/ping.log", 10, "garbled: not UTF-8"),
        (_change, "destination/events.jsonl", None, "checksum differs from SHA256SUMS line 1"),
        (_remove, "destination/nic.jsonl", None, "missing, but listed in SHA256SUMS"),
        (_remove_everywhere, "destination/nic.jsonl", None, "missing"),
        (_empty, "prober/ping.log", None, "fewer than two replies"),
        (_swap, "run.json", None, "mixed up"),
        (_schema, "run.json", None, "unknown schema 3, this version reads 1 and 2"),
        (_mode, "run.json", None, "\"spec.mode\" is 'teleport', expected one of precopy, hybrid, postcopy"),
        (_unfinished, "run.json", None, "the run did not finish"),
    ],
)
def test_damage_is_named_and_the_rest_analysed(
    results: Path, damage: Callable[[Path], None], file: str, line: int | str | None, message: str
) -> None:
    damage(results / RUN)
    (notice,) = excluded(results)
    assert notice.file == f"{RUN}/{file}"
    assert message in notice.message
    if line != "last":
        assert notice.line == line
    else:
        assert notice.line == len((results / RUN / file).read_bytes().splitlines())
    case = analyse(results).cases[0]
    assert len(case.counted) == 1
    assert case.counted[0].path.endswith("/02")


def test_an_invalid_run_is_excluded_with_its_reason(results: Path) -> None:
    path = results / RUN / "run.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "valid": False, "invalid_reason": "switched too early"}))
    (notice,) = excluded(results)
    assert notice.message == "invalid: switched too early"


def test_a_damaged_guest_is_measured_but_never_counted(tmp_path: Path) -> None:
    results = write_study(
        tmp_path, [(Model(outcome="failed", cause="guest_corrupted"), 2), (Model(threads=1), 2)]
    )
    analysis = analyse(results)
    damaged = analysis.cases[0]
    assert damaged.outcomes == {"guest corrupted": 2}
    assert damaged.counted == ()
    assert damaged.runs[0].metrics is not None
    assert damaged.estimate("migration_seconds") is None
    assert analysis.guests_not_intact == {"guest corrupted": 2}
    verdicts = {verdict.identifier: verdict.verdict for verdict in analysis.verdicts}
    assert verdicts["reliable"] == "not reproduced"


def test_a_run_that_never_migrated_needs_no_logs(tmp_path: Path) -> None:
    results = write_study(tmp_path, [(MODEL, 2)])
    run = results / RUN
    record = json.loads((run / "run.json").read_text())
    record |= {"outcome": "failed", "cause": "boot_failed", "driver": None, "integrity": None}
    shutil.rmtree(run)
    run.mkdir()
    (run / "run.json").write_text(json.dumps(record))
    analysis = analyse(results)
    assert analysis.outcomes == {"boot failed": 1, "completed": 1}
    assert analysis.results.notices == ()


def test_warnings_of_a_run_are_passed_on(results: Path) -> None:
    path = results / RUN / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "warnings": ["probe started late"]}))
    (notice,) = load_results(results).notices
    assert (notice.message, notice.effect) == ("probe started late", "noted")


def test_claims_of_a_good_study(tmp_path: Path) -> None:
    models = [Model(threads=count) for count in (1, 2, 4)]
    endless = Model(mode="precopy", outcome="not_converged", table=None)
    analysis = analyse(write_study(tmp_path, [(model, 2) for model in [*models, endless]]))
    others = {verdict.identifier for verdict in analysis.verdicts if verdict.verdict != "reproduced"}
    # No unloaded guest, nothing above 2 GiB, no faster link; pings are lost alike.
    assert others == {
        "only-allocated-memory",
        "total-twice-stressed",
        "ten-gigabit-under-ten-seconds",
        "unpredictable-ping-in-postcopy",
    }
    (series,) = analysis.series
    assert series.data_fit is not None and series.data_fit.slope == pytest.approx(2.0, abs=0.02)


def test_claims_without_their_measurement_are_not_testable(sound: Path) -> None:
    verdicts = {verdict.identifier: verdict for verdict in analyse(sound).verdicts}
    assert verdicts["data-twice-stressed"].verdict == "not testable here"
    assert verdicts["precopy-does-not-converge"].verdict == "not testable here"


def test_a_precopy_aborted_in_its_first_pass_proves_nothing(tmp_path: Path) -> None:
    results = write_study(tmp_path, [(Model(mode="precopy", outcome="not_converged", table=None), 1)])
    (run,) = (results / "runs").glob("*/01")
    events = run / "source/events.jsonl"
    events.write_text("".join(events.read_text().splitlines(keepends=True)[:2]))
    job = run / "source/job.jsonl"
    job.write_text(job.read_text().replace('"memory_iteration": 3', '"memory_iteration": 1'))
    write_sums(run)
    verdicts = {verdict.identifier: verdict for verdict in analyse(results).verdicts}
    assert verdicts["precopy-does-not-converge"].verdict == "not testable here"
    assert "aborted before its second pass had ended" in verdicts["precopy-does-not-converge"].reason


def test_a_study_without_reference_has_no_claims(tmp_path: Path) -> None:
    analysis = analyse(write_study(tmp_path, [(MODEL, 1)], reference=None))
    assert analysis.published is None
    assert analysis.verdicts == ()


def test_not_a_results_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no study\.json here; give a directory results/<study>/<lab>"):
        load_results(tmp_path)


def test_the_directory_above_is_told_where_to_look(tmp_path: Path) -> None:
    write_study(tmp_path / "quick" / "local", [(MODEL, 1)])
    with pytest.raises(InputError, match=r"for example .*quick/local$"):
        load_results(tmp_path / "quick")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 9}', '{"schema": 1}'])
def test_bad_study_json_is_one_line(results: Path, content: str) -> None:
    (results / "study.json").write_text(content)
    with pytest.raises(InputError) as caught:
        load_results(results)
    assert "study.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_reference_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="allowed: icclab-2014 or null"):
        analyse(write_study(tmp_path, [(MODEL, 1)], reference="other"))


def test_a_run_of_a_case_that_the_study_lacks(results: Path) -> None:
    write_run(results, Model(threads=8))
    (notice,) = excluded(results)
    assert "is not in study made" in notice.message
