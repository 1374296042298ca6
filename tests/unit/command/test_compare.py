"""`compare` as a user and as CI calls it: what is printed, and the exit code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from analysis.reference.published import DIRECTORY
from analysis.report.formats import markdown_text
from postcopy_lab.project import Project
from tests.unit.analysis.builder import Model, write_study
from tests.unit.command.conftest import ROOT

Call = Callable[..., tuple[int, str, str]]
RECORDED = ROOT / "tests" / "data" / "results"
MODEL = Model(threads=1)
CLAIMS = yaml.safe_load((DIRECTORY / "icclab-2014" / "claims.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two labs with seven runs each of one case, the second with half as much data again."""
    folder = tmp_path_factory.mktemp("labs")
    write_study(folder / "before", [(MODEL, 7)])
    write_study(folder / "after", [(replace(MODEL, base_bytes=MODEL.base_bytes + 300e6), 7)])
    return folder


@pytest.fixture
def without_reference(tmp_path: Path) -> Path:
    """Results of a study that is held against no article."""
    copied = shutil.copytree(RECORDED / "quick" / "local", tmp_path / "own" / "local")
    document = json.loads((copied / "study.json").read_text())
    document["study"] |= {"name": "own", "reference": None}
    (copied / "study.json").write_text(json.dumps(document))
    return copied


def test_a_slower_lab_fails_and_is_named(call: Call, labs: Path) -> None:
    code, out, err = call("compare", str(labs / "before"), str(labs / "after"))
    assert code == 1, err
    assert out.startswith(f"A: {labs}/before, study made, lab local, release epoxy")
    assert "migration s" in out and "forward MB" in out
    assert "beyond 1.10" in out
    assert "2 of 2 ratios lie beyond 1.10 with their whole interval." in out


def test_runs_of_two_kits_in_one_directory_are_named(call: Call, labs: Path, tmp_path: Path) -> None:
    mixed = shutil.copytree(labs / "before", tmp_path / "mixed")
    path = mixed / "runs" / MODEL.case / "03" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "qemu_version": "7.2.0"}))
    _code, out, _err = call("compare", str(mixed), str(labs / "after"))
    what = f"1 of 7 runs were made with QEMU 7.2.0, most with 10.0.6: {MODEL.case}/03"
    assert f"A is mixed: runs/{MODEL.case}/03/run.json: {what}" in out


def test_the_other_way_round_it_passes(call: Call, labs: Path) -> None:
    code, out, _err = call("compare", str(labs / "after"), str(labs / "before"))
    assert code == 0
    assert "No ratio lies beyond 1.10 with its whole interval." in out
    assert "differ" in out


def test_a_threshold_and_a_metric_of_ones_own(call: Call, labs: Path) -> None:
    words = ("compare", str(labs / "before"), str(labs / "after"))
    assert call(*words, "--threshold", "3")[0] == 0
    code, out, _err = call(*words, "--metric", "downtime_seconds", "--metric", "ping_outage_seconds")
    assert code == 0
    assert "downtime s" in out and "ping outage s" in out and "migration s" not in out


def test_json_for_machines(call: Call, labs: Path) -> None:
    code, out, err = call("compare", str(labs / "before"), str(labs / "after"), "--format", "json")
    document = json.loads(out)
    assert (code, err) == (1, "")
    assert document["beyond"] == 2
    (row,) = (row for row in document["rows"] if row["metric"] == "migration_seconds")
    assert row["low"] > 1.1 and row["beyond"] is True
    assert (row["first_count"], row["second_count"]) == (7, 7)


def test_markdown_for_a_merge_request(call: Call, labs: Path) -> None:
    code, out, _err = call("compare", str(labs / "before"), str(labs / "after"), "--format", "md")
    assert code == 1
    lines = out.splitlines()
    head = lines.index("| case | metric | A | B | B / A | n | p | verdict |")
    assert lines[head + 1] == "|---|---|---:|---:|---:|---:|---:|---|"
    assert lines[head + 2].startswith(f"| {MODEL.case} | migration s | ")


@pytest.fixture
def three(labs: Path) -> list[str]:
    return [str(labs / "before"), str(labs / "after"), str(RECORDED / "quick" / "local")]


def test_the_claims_of_three_labs_side_by_side(call: Call, three: list[str]) -> None:
    code, out, err = call("compare", *three, "--format", "md")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line[:5] for line in lines[:3]] == ["- A: ", "- B: ", "- C: "]
    head = lines.index("| the article says | its own figure | A | B | C | together |")
    rows = lines[head + 2 :]
    statements = [claim["statement"] for claim in CLAIMS["claims"]]
    slopes = [claim["statement"] for claim in CLAIMS["shapes"] if claim["rule"] == "slope_like_published"]
    assert (len(statements), len(slopes), len(rows)) == (14, 4, 18)
    for row, statement in zip(rows, statements + slopes, strict=True):
        assert row.startswith(f"| {markdown_text(' '.join(statement.split()))} (")
        _said, own, *judged, together = row.removesuffix(" |").split(" | ")
        assert own and all(cell[0] in "✓✗?" for cell in judged) and together[0] in "✓✗?±", row
    (reliable,) = (row for row in rows if "very reliable" in row)
    assert "✓ 7 of 7 completed with an intact guest" in reliable


def test_the_claims_say_why_one_is_not_testable(call: Call, three: list[str]) -> None:
    code, out, _err = call("compare", "--claims", three[0])
    assert code == 0
    assert "? not measured: " in " ".join(out.split())


def test_the_claims_for_machines_have_each_verdict_with_its_interval(call: Call, three: list[str]) -> None:
    code, out, err = call("compare", *three, "--format", "json")
    document = json.loads(out)
    assert (code, err, document["results"]) == (0, "", three)
    (reliable,) = (claim for claim in document["claims"] if claim["id"] == "reliable")
    before, after, _recorded = reliable["records"]
    assert before["verdict"] == "reproduced" and before["measured"] == 1.0 and 0.5 < before["interval"][0] < 1
    assert len(before["runs"]) == 7 and after["verdict"] == "reproduced"


def test_recorded_runs_are_too_few_and_pass(call: Call, checkout: Project) -> None:
    shutil.copytree(RECORDED / "quick" / "local", checkout.root / "results" / "quick" / "tiny")
    code, out, err = call("compare", "quick", str(RECORDED / "quick" / "local"))
    assert (code, err) == (0, "")
    assert out.startswith("A: results/quick/tiny, study quick, lab local")
    assert "too few repetitions" in out
    assert "could not be judged: a ratio takes 7 counted runs on each side" in out


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["compare"], ["A"]),
        (["compare", "QUICK"], ["one results directory", "another"]),
        (["compare", *["QUICK"] * 27], ["27 results directories", "26"]),
        (["compare", "QUICK", "QUICK", "OWN"], ["study own", "key reference"]),
        (["compare", *["QUICK"] * 3, "--match", "case"], ["--match is of cases", "article's claims"]),
        (
            ["compare", "QUICK", "QUICK", "--claims", "--metric", "forward_bytes", "--threshold", "1.1"],
            ["--metric and --threshold are of cases"],
        ),
        (["compare", "QUICK", "playbooks", "QUICK"], ["playbooks", "study.json"]),
        (["compare", "nope", "nope"], ["nope: no results", "none yet"]),
        (["compare", "QUICK", "playbooks"], ["playbooks", "study.json"]),
        (["compare", "QUICK", "MODES"], ["no case in common", "--match"]),
        (["compare", "QUICK", "MODES", "--match", "flavor"], ["alike by flavor", "match by stressor too"]),
        (["compare", "QUICK", "QUICK", "--match", "size"], ["match 'size'", "case, mode, flavor"]),
        (["compare", "QUICK", "QUICK", "--metric", "speed"], ["metric 'speed'", "forward_bytes"]),
        (["compare", "QUICK", "QUICK", "--threshold", "0.5"], ["threshold 0.5", "1 or more"]),
        (["compare", "QUICK", "QUICK", "--threshold", "much"], ["--threshold", "number"]),
        (["compare", "QUICK", "QUICK", "--format", "pdf"], ["--format", "'pdf'", "json"]),
    ],
)
def test_bad_input_is_one_line(
    call: Call, words: list[str], parts: list[str], without_reference: Path
) -> None:
    names = {
        "QUICK": str(RECORDED / "quick" / "local"),
        "MODES": str(RECORDED / "modes" / "loop"),
        "OWN": str(without_reference),
    }
    code, out, err = call(*(names.get(word, word) for word in words))
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1, err
    for part in parts:
        assert part in err
