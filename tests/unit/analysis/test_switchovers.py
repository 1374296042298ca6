"""Cases that differ in who was asked to switch over: which of them counts for the article's rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.compare.labs import compare_results
from analysis.evidence.errors import InputError
from analysis.reference.lines import rows_of, unloaded_case
from analysis.report import write_report
from analysis.report.analysis import analyse
from tests.unit.analysis.builder import Model, write_study
from tests.unit.analysis.cases import measurements

IDLE = Model(threads=0, table="table2", switchover_by="libvirt")
STRESSED = Model(threads=1, switchover_by="libvirt")
BY_NOVA = [replace(model, switchover_by="nova") for model in (IDLE, STRESSED)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = [(model, 2) for model in (*BY_NOVA, IDLE, STRESSED)]
    return write_study(tmp_path_factory.mktemp("switchovers"), models)


def test_the_report_sets_both_beside_each_other(results: Path) -> None:
    page = write_report(results, None).html.read_text(encoding="utf-8")
    assert "Who switches over" in page
    assert "which is asked to complete" in page


def test_libvirts_counts_for_the_articles_rows(results: Path) -> None:
    found = analyse(results)
    counted = measurements(list(found.cases))
    assert rows_of("table2", counted)["s"].case == IDLE.case
    assert rows_of("table3", counted)["256"].case == STRESSED.case
    by_name = {case.case: case for case in found.cases}
    for unloaded, stressed in ((IDLE, STRESSED), BY_NOVA):
        origin = unloaded_case(counted, by_name[stressed.case])
        assert origin is not None and origin.case == unloaded.case
    assert [line.label for line in found.series] == [
        "hybrid, flavor s, stress, 1gbit, switched over by nova",
        "hybrid, flavor s, stress, 1gbit",
    ]


def test_compare_matches_by_who_was_asked(results: Path) -> None:
    alike = ("mode", "flavor", "stressed", "rate")
    with pytest.raises(InputError, match="match by switchover too"):
        compare_results(results, results, match=alike)
    found = compare_results(results, results, match=(*alike, "switchover"))
    assert {row.case for row in found.rows} >= {"hybrid s 0mib 1gbit nova", "hybrid s 0mib 1gbit libvirt"}


def test_a_study_that_does_not_say_who_was_asked_has_no_such_section(tmp_path: Path) -> None:
    old = write_study(tmp_path, [(replace(model, switchover_by=None), 1) for model in (IDLE, STRESSED)])
    assert "Who switches over" not in write_report(old, None).html.read_text(encoding="utf-8")
