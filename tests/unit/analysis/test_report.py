"""The report as its readers get it: self-contained, every link leads somewhere, first things first."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from analysis.__main__ import main
from analysis.report import ReportPaths, summary, summary_table, write_report
from tests.unit.analysis.builder import Model, write_study, write_sums

CORRUPTED = Model(threads=3, outcome="failed", cause="guest_corrupted")


class Page(HTMLParser):
    """Collects what a browser would load, link to and show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.identifiers: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []
        self._hidden = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self._hidden += tag in ("style", "script", "svg")
        if "id" in values:
            self.identifiers.append(values["id"])
        if tag == "a":
            self.links.append(values["href"])
        elif "src" in values or "href" in values or "xlink:href" in values:
            self.loads.append(values.get("src") or values.get("href") or values["xlink:href"])

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script", "svg")

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.text.append(data.strip())


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = [
        (Model(threads=0, table="table2", lost_after_switchover=1), 2),
        *((Model(threads=count), 2) for count in (1, 2, 4)),
        (CORRUPTED, 2),
        (Model(mode="precopy", outcome="not_converged", table=None), 2),
    ]
    directory = write_study(tmp_path_factory.mktemp("results"), models)
    garbled = directory / "runs" / Model(threads=4).case / "02"
    (garbled / "source/nic.jsonl").write_text("no JSON\n")
    write_sums(garbled)
    return directory


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("small"), [(Model(threads=1), 1)], reference=None)


@pytest.fixture(scope="module")
def paths(results: Path) -> ReportPaths:
    return write_report(results, None)


@pytest.fixture(scope="module")
def page(paths: ReportPaths) -> Page:
    return Page(paths.html.read_text(encoding="utf-8"))


def test_written_beside_the_runs(results: Path, paths: ReportPaths) -> None:
    assert paths.html == results / "report" / "report.html"
    assert all(path.is_file() and path.stat().st_size > 0 for path in (*paths.csv, *paths.pictures))
    assert {path.suffix for path in paths.pictures} == {".svg", ".png"}


def test_nothing_is_loaded_from_elsewhere(paths: ReportPaths, page: Page) -> None:
    assert all(load.startswith(("data:", "#")) for load in page.loads)
    text = paths.html.read_text(encoding="utf-8")
    assert not re.search(r"<(script|img|iframe|link)[^>]*(src=|href=(?!.data:))", text)
    assert not re.search(r"@import|url\((?!#)", text)


def test_identifiers_are_unique_and_links_lead_somewhere(paths: ReportPaths, page: Page) -> None:
    assert len(page.identifiers) == len(set(page.identifiers))
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.identifiers, link
        else:
            assert (paths.html.parent / link).exists(), link


def test_every_run_is_reachable(page: Page) -> None:
    for case in ("hybrid-s-unloaded-1gbit", CORRUPTED.case):
        assert f"../runs/{case}/01/" in page.links


def test_outcomes_and_integrity_come_first(page: Page) -> None:
    start = page.text.index("Summary", page.text.index("Definitions"))
    assert page.text[start + 1] == (
        "12 of 12 planned runs have a result: 7 completed, 1 excluded, 2 guest corrupted, 2 not converged."
    )
    assert page.text[start + 2].startswith("Guest integrity: 2 of 12 guests were not shown intact")
    assert page.text[start + 2].endswith("2 of all guests never left the source: aborted at the limit.")


def test_published_and_measured_side_by_side(page: Page) -> None:
    text = " ".join(page.text)
    for number in ("16.4", "1,202", "16,125", "157.2", "0.3"):
        assert number in text
    assert "article, table 3" in text
    assert "11.9" in text and "17.9" in text


def test_the_garbled_run_is_in_the_warnings(page: Page) -> None:
    assert f"runs/{Model(threads=4).case}/02/source/nic.jsonl:1" in page.text
    assert "garbled: not JSON" in page.text


def test_inline_pictures_follow_the_theme(paths: ReportPaths) -> None:
    text = paths.html.read_text(encoding="utf-8")
    body = text[text.index("</style>") :]
    assert "var(--hybrid)" in body
    assert "fill: #ffffff" not in body


def test_all_six_figures_and_one_timeline_per_case(page: Page) -> None:
    assert {f"figure-{number}" for number in range(1, 7)} <= set(page.identifiers)
    assert (
        sum(
            identifier.startswith("timeline-") and identifier.endswith("gbit")
            for identifier in page.identifiers
        )
        == 6
    )


def test_csv_files_hold_what_the_page_shows(paths: ReportPaths) -> None:
    frames = {path.stem: pd.read_csv(path) for path in paths.csv}
    assert set(frames) == {
        "runs",
        "cases",
        "sources",
        "claims",
        "fits",
        "warnings",
        "stability",
        "published",
        "attribution",
        "slowdown",
        "clock",
    }
    assert len(frames["runs"]) == 12
    assert frames["runs"]["counted"].sum() == 7
    assert (frames["sources"]["run"].str.startswith("runs/")).all()


def test_raw_results_are_not_touched(small: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (small / "runs").rglob("*")}
    write_report(small, tmp_path / "elsewhere")
    assert {path: path.stat().st_mtime_ns for path in (small / "runs").rglob("*")} == before
    page = Page((tmp_path / "elsewhere" / "report.html").read_text(encoding="utf-8"))
    runs = [link for link in page.links if "/runs/" in link]
    assert runs and all((tmp_path / "elsewhere" / link).exists() for link in runs)


def test_summary_table_fits_eighty_columns(results: Path) -> None:
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(summary_table(summary(results)))
    lines = console.export_text().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    text = "\n".join(lines)
    assert "hybrid-s-stress-2x256mib-1gbit" in text
    assert "(21.3)" in text
    assert "2 guest corrupted" in text


def test_command_line(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(small), "--output", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert output.startswith("1 of 1 planned runs have a result")
    assert main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1


def test_a_study_with_nothing_done_yet(tmp_path: Path) -> None:
    results = write_study(tmp_path, [(Model(), 1)])
    (results / "runs" / Model().case / "01" / "run.json").unlink()
    text = write_report(results).html.read_text(encoding="utf-8")
    assert "0 of 1 planned runs have a result: none." in text


def test_claims_say_on_which_release_they_were_measured(tmp_path: Path, paths: ReportPaths) -> None:
    said = "Measured on the release epoxy, not on the article's (icehouse)"
    assert any(said in line for line in paths.summary.headline)
    assert said in paths.html.read_text(encoding="utf-8").replace("&#39;", "'")
    directory = write_study(tmp_path / "made" / "local", [(Model(), 1)])
    lab = json.loads((directory / "lab.json").read_text())
    (directory / "lab.json").write_text(json.dumps({**lab, "release": "icehouse"}))
    assert any(
        "Measured on the article's own release (icehouse)" in line for line in summary(directory).headline
    )
