"""`report` on recorded runs with damage: an exit code that is documented, and each file dropped is named."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from analysis.study.results import EXCLUDED, load_results
from postcopy_lab.cli import app
from tests.unit.analysis.builder import write_sums
from tests.unit.analysis.damage import damaged
from tests.unit.command.conftest import ROOT

RECORDED = ROOT / "tests" / "data" / "results" / "quick" / "local"
CASES = ("hybrid-s-unloaded-1gbit", "precopy-s-stress-2x256mib-1gbit")
STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two recorded runs; each example puts back what it damaged."""
    copy = Path(shutil.copytree(RECORDED, tmp_path_factory.mktemp("fuzz") / "results"))
    for case in copy.glob("runs/*"):
        if case.name not in CASES:
            shutil.rmtree(case)
    yield copy


def _report(results: Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["report", str(results)], catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


def _relative(results: Path) -> list[str]:
    return sorted(path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file())


FILES = [name for name in _relative(RECORDED) if name.split("/")[1:2] in ([], [CASES[0]], [CASES[1]])]


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data(), file=st.sampled_from(FILES), other=st.sampled_from(FILES), renewed=st.booleans())
def test_any_damage_to_results_is_reported_on(
    results: Path, data: st.DataObject, file: str, other: str, renewed: bool
) -> None:
    path = results / file
    run = next((parent for parent in path.parents if (parent / "SHA256SUMS").is_file()), None)
    before, sums = path.read_bytes(), (run / "SHA256SUMS").read_bytes() if run else b""
    after = data.draw(damaged(before, (results / other).read_bytes()))
    try:
        path.write_bytes(after)
        if run and renewed and path.name != "SHA256SUMS":
            write_sums(run)
        code, out, err = _report(results)
        page = (results / "report" / "report.html").read_text(encoding="utf-8") if code == 0 else ""
    finally:
        path.write_bytes(before)
        if run:
            (run / "SHA256SUMS").write_bytes(sums)
        shutil.rmtree(results / "report", ignore_errors=True)
    assert code in (0, 2)
    assert not STEERING.search(out + err + page)
    if code == 2:
        assert run is None, "a damaged run costs that run alone"
        assert out == "" and err.count("\n") == 1 and file in err
        return
    assert err == ""
    # What vouches for the others is not in its own list, run.json comes before it.
    if run and not renewed and after != before and path.name not in ("SHA256SUMS", "run.json"):
        assert f">{file}</a>" in page and "checksum differs from SHA256SUMS line" in page
        assert "1 run excluded from the medians" in out


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("source/nic.jsonl", b'{"t": 1e999}\n', "not JSON"),
        ("source/nic.jsonl", b'{"t": NaN}\n', "not JSON"),
        ("source/events.jsonl", b'{"t": ' + b"9" * 400 + b"}\n", "not"),
        ("source/job.jsonl", b'{"t": "\\ud800"}\n', "not JSON"),
        ("source/job.jsonl", b"\xff\xfe\n", "not UTF-8"),
        ("destination/nic.jsonl", b"\0" * 100 + b"\n", "not JSON"),
        ("destination/events.jsonl", b"[" * 100_000 + b"\n", "not JSON"),
        ("destination/events.jsonl", b"x" * (2 << 20), "a line without an end"),
        ("prober/ping.log", b"x" * (2 << 20), "a line without an end"),
        ("prober/ping.log", b"\xff\n", "not"),
        ("guest/progress.jsonl", b'{"guest_epoch_seconds": -1e999}\n', "not JSON"),
    ],
    ids=lambda value: value[:12].hex() if isinstance(value, bytes) else value.replace("/", "-"),
)
def test_an_odd_line_is_named_by_file_and_line(
    results: Path, tmp_path: Path, file: str, line: bytes, message: str
) -> None:
    copy = Path(shutil.copytree(results, tmp_path / "results"))
    run = copy / "runs" / CASES[0] / "01"
    lines = (run / file).read_bytes().splitlines(keepends=True)
    (run / file).write_bytes(b"".join([*lines[:2], line, *lines[2:]]))
    write_sums(run)
    (notice,) = [notice for notice in load_results(copy).notices if notice.effect == EXCLUDED]
    assert (notice.file, notice.line) == (f"runs/{CASES[0]}/01/{file}", 3)
    assert message in notice.message
