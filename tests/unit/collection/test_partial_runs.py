"""A run that is cut short while it is recorded is no run: it is kept aside and made anew."""

import errno
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from control import run_files, run_record, study_files
from control.study import StudyError
from tests.unit.collection.test_run_outcome import real_run

CASE = "hybrid-s-unloaded-1gbit"


@pytest.fixture
def recording(tmp_path: Path) -> dict[str, Any]:
    """The arguments of record_run for a real run, with one log of it."""
    (tmp_path / "job.jsonl").write_text("{}\n")
    with tarfile.open(tmp_path / "source.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "job.jsonl", arcname="job.jsonl")
    recorded = real_run("hybrid-completed")
    run = {**recorded["run"], "case": CASE, "repetition": 1}
    run["directory"] = str(study_files.run_directory(tmp_path / "results", CASE, 1))
    return {
        "run": run,
        "prober": recorded["prober"],
        "archives": {"source": str(tmp_path / "source.tar.gz")},
        "results": recorded["results"],
    }


def finished(recording: dict[str, Any]) -> bool:
    results = Path(recording["run"]["directory"]).parents[2]
    return study_files.finished_runs(results, [(CASE, 1)]) == {(CASE, 1)}


@pytest.mark.parametrize(
    ("module", "step"),
    [
        (run_files, "unpack"),
        (run_files, "write_checksums"),
        (run_files, "flush"),
        (run_files, "missing_files"),
        (study_files, "write_json"),
        # The last two: with the file that is to become run.json written, and without its name.
        (study_files, "flush"),
        (Path, "rename"),
    ],
)
def test_a_run_that_is_cut_at_any_step_is_made_anew(
    recording: dict[str, Any], monkeypatch: pytest.MonkeyPatch, module: Any, step: str
) -> None:
    def cut(*_arguments: object, **_more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, step, cut)
        with pytest.raises(KeyboardInterrupt):
            run_record.record_run(**recording)
    assert not finished(recording)
    run_record.record_run(**recording)
    assert finished(recording)
    results = Path(recording["run"]["directory"]).parents[2]
    assert [path.name for path in (results / "partial" / CASE).iterdir()] == ["01-1"]
    assert not (results / "partial" / CASE / "01-1" / "run.json").exists()


def test_a_run_json_that_was_cut_is_none(recording: dict[str, Any]) -> None:
    path = run_record.record_run(**recording).path
    whole = path.read_bytes()
    for number, length in enumerate((0, 1, len(whole) // 2, len(whole) - 2), start=1):
        path.write_bytes(whole[:length])
        assert not finished(recording), length
        run_record.record_run(**recording)
        assert json.loads(path.read_bytes())["case"] == CASE
        assert len(list((path.parents[3] / "partial" / CASE).iterdir())) == number


def test_a_finished_run_is_never_touched(recording: dict[str, Any]) -> None:
    before = run_record.record_run(**recording).path.read_bytes()
    with pytest.raises(run_record.RunFinished, match="finished"):
        run_record.record_run(**recording)
    assert (Path(recording["run"]["directory"]) / "run.json").read_bytes() == before


@pytest.mark.parametrize("step", ["unpack", "write_checksums", "flush"])
def test_a_full_disk_is_named_with_the_directory(
    recording: dict[str, Any], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_files, step, full)
    said = f"{recording['run']['directory']}: cannot be written: No space left on device"
    with pytest.raises(StudyError) as raised:
        run_record.record_run(**recording)
    assert str(raised.value) == said


def test_what_could_not_be_unpacked_is_a_warning_of_the_run(recording: dict[str, Any]) -> None:
    Path(recording["archives"]["source"]).write_bytes(b"no archive")
    document = json.loads(run_record.record_run(**recording).path.read_text())
    assert [line for line in document["warnings"] if line.startswith("source: not all that the node sent")]
