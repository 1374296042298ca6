"""`export`, and reports on what it wrote, on recorded evidence of a real study."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from postcopy_lab.project import Project
from tests.unit.command.conftest import ROOT

Call = Callable[..., tuple[int, str, str]]
RECORDED = ROOT / "tests" / "data" / "results" / "quick" / "local"


def test_exported_results_are_reported_without_any_lab(call: Call, checkout: Project, tmp_path: Path) -> None:
    code, out, err = call("export", str(RECORDED), str(tmp_path / "shared"))
    assert (code, err) == (0, "")
    assert "5 runs, 68 files, 0.1 MB of 1.1 MB; every checksum holds" in out
    shutil.rmtree(checkout.inventories)
    code, out, err = call("report", str(tmp_path / "shared"), "--output", str(tmp_path / "elsewhere"))
    assert (code, err) == (0, "")
    assert "4 completed, 1 not converged" in out
    assert (tmp_path / "elsewhere" / "report.html").is_file()
    assert not (tmp_path / "shared" / "report").exists()


def test_what_cannot_be_written_is_one_line(call: Call, checkout: Project, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    for words in (
        ("export", str(RECORDED), str(tmp_path / "taken")),
        ("export", str(RECORDED), str(tmp_path / "taken" / "below")),
        ("report", str(RECORDED), "--output", str(tmp_path / "taken")),
    ):
        code, out, err = call(*words)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert str(tmp_path / "taken") in err
    assert (tmp_path / "taken").read_text() == "mine"
