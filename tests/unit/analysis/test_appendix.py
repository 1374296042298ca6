"""The Markdown appendix: every table whole, every number with its unit, nothing of the page's links."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

import pytest

from analysis.report import write_appendix, write_report
from tests.unit.analysis.builder import Model, write_study


@pytest.fixture(scope="module")
def text(project: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    results = project / "tests" / "data" / "results" / "quick" / "local"
    written = write_appendix(results, tmp_path_factory.mktemp("appendix"))
    assert written.markdown.name == "report.md"
    return written.markdown.read_text(encoding="utf-8")


def tables(text: str) -> list[list[str]]:
    grouped = groupby(text.splitlines(), key=lambda line: line.startswith("|"))
    return [list(rows) for is_table, rows in grouped if is_table]


def test_tables_two_to_four_claims_environment_and_deviations(text: str) -> None:
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
    for head in ("Table 2", "Table 3", "Table 4", "Claims", "Deviations", "Nodes", "Link", "Wall time"):
        assert any(found.startswith(head) for found in heads), head
    for number in ("16.4", "1,202", "16,125", "157.2"):
        assert f"| {number} |" in text


def test_every_row_has_its_tables_columns(text: str) -> None:
    for table in tables(text):
        counts = {len(re.findall(r"(?<!\\)\|", row)) for row in table}
        assert len(counts) == 1, table[0]
        assert len(table) > 2, table[0]


def test_columns_of_figures_name_their_unit(text: str) -> None:
    head = next(table[0] for table in tables(text) if "flavor" in table[0])
    for unit in ("time, measured [s]", "data, measured [MB = 10⁶ B]", "downtime (hypervisor) [ms]"):
        assert unit in head


def test_no_html_no_links_but_every_run_directory(text: str) -> None:
    assert not re.search(r"<\w|\]\(", text)
    assert "- `runs/hybrid-s-stress-2x256mib-1gbit/`: 02" in text


def test_a_study_without_reference(tmp_path: Path) -> None:
    results = write_study(tmp_path / "results", [(Model(threads=1), 1)], reference=None)
    text = write_appendix(results).markdown.read_text(encoding="utf-8")
    assert "## Claims" not in text and "Published:" not in text
    assert "## Nodes" in text
    # The page of the same study.
    assert write_report(results).html.is_file()
