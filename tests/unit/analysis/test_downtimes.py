"""Cases that differ in their allowed downtime: which gives the article's downtimes, and what counts where."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.compare.labs import compare_results
from analysis.evidence.errors import InputError
from analysis.reference.downtimes import CANNOT_TELL, LIKE, LONGER, SHORTER, downtime_fits
from analysis.reference.lines import rows_of, unloaded_case
from analysis.reference.outages import postcopy_outage_unpredictable
from analysis.report import write_report
from analysis.report.analysis import analyse
from analysis.report.cells import outcomes_text
from analysis.report.sections.variants import groups_that_differ_in
from analysis.study.cases import CaseSummary
from contract.outcomes import EndedIn
from tests.unit.analysis.builder import Model, write_study
from tests.unit.analysis.cases import PUBLISHED, made_case, measurements

FORCED = Model(threads=0, table="table2", lost_after_switchover=0)
NATIVE = replace(FORCED, native_downtime=True, ended_early=True, lost_after_switchover=2)
STRESSED = [Model(threads=1), Model(threads=1, native_downtime=True)]


def with_outage(low: float, high: float, fine: tuple[float, float] | None = None) -> CaseSummary:
    """An unloaded guest of flavor s, for which the article printed 0.2 s."""
    metrics = {
        "ping_outage_low_seconds": low,
        "ping_outage_high_seconds": high,
        "fine_outage_low_seconds": fine[0] if fine else None,
        "fine_outage_high_seconds": fine[1] if fine else None,
    }
    return made_case([metrics], flavor="s", table="table2")


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        (with_outage(0.1, 0.3), LIKE),
        (with_outage(0.0, 0.09), SHORTER),
        (with_outage(0.0, 0.2), CANNOT_TELL),
        (with_outage(0.2, 0.4), CANNOT_TELL),
        (with_outage(0.31, 0.5), LONGER),
        # The finer ping tells what the other leaves open.
        (with_outage(0.2, 0.4, (0.24, 0.26)), LIKE),
        (with_outage(0.0, 0.2, (0.02, 0.04)), SHORTER),
    ],
)
def test_a_printed_downtime_stands_for_a_ping_period_to_each_side(case: CaseSummary, verdict: str) -> None:
    (fit,) = downtime_fits(PUBLISHED, [case]).values()
    assert (fit.published_seconds, fit.verdict) == (0.2, verdict)


def test_only_the_articles_unloaded_guests_have_a_printed_downtime() -> None:
    others = [
        made_case([{}], stressed_mib=256, table="table3"),
        made_case([{}], flavor="s", table=None),
        made_case([{}], flavor="s", mode="precopy", table="table2"),
    ]
    assert downtime_fits(PUBLISHED, others) == {}
    assert downtime_fits(None, [with_outage(0.1, 0.3)]) == {}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = [(model, 2) for model in (NATIVE, FORCED, *STRESSED)]
    return write_study(tmp_path_factory.mktemp("downtimes"), models)


def test_the_report_sets_allowed_downtimes_beside_each_other(results: Path) -> None:
    page = write_report(results, None).html.read_text(encoding="utf-8")
    assert "Allowed downtimes compared" in page
    assert "QEMU allows 300" in page
    assert "2 completed (2 in pre-copy)" in page
    assert "native: 0 of 1; 1 ms: 0 of 1." in page
    runs = (results / "report/csv/runs.csv").read_text(encoding="utf-8")
    assert ",max_downtime_ms," in runs and ",ended_in," in runs


def test_modes_are_compared_though_their_usual_allowed_downtimes_differ() -> None:
    cases = [made_case([{}], mode=mode) for mode in ("hybrid", "precopy")]
    assert [case.spec.max_downtime_ms for case in cases] == [1, "native"]
    assert [members for _, members in groups_that_differ_in("mode", cases)] == [cases]
    assert groups_that_differ_in("max_downtime_ms", cases) == []


def test_the_usual_allowed_downtime_counts_for_the_articles_rows(results: Path) -> None:
    found = analyse(results)
    counted = measurements(list(found.cases))
    assert rows_of("table2", counted)["s"].case == FORCED.case
    assert rows_of("table3", counted)["256"].case == STRESSED[0].case
    by_name = {case.case: case for case in found.cases}
    for stressed, unloaded in zip(STRESSED, (FORCED, NATIVE), strict=True):
        origin = unloaded_case(counted, by_name[stressed.case])
        assert origin is not None and origin.case == unloaded.case
    labels = [line.label for line in found.series]
    assert labels == ["hybrid, flavor s, stress, 1gbit", "hybrid, flavor s, stress, 1gbit, native downtime"]
    native = by_name[NATIVE.case]
    assert (native.ended_early, outcomes_text(native)) == (2, "2 completed (2 in pre-copy)")


def test_statements_on_the_switchover_are_not_held_against_runs_without_one(results: Path) -> None:
    (verdict,) = (item for item in analyse(results).verdicts if item.identifier == "switchover-downtime")
    assert "left out: 2 runs that ended in pre-copy" in verdict.reason
    assert len(verdict.outcome.runs) == 6


def test_a_stressed_run_that_ended_in_precopy_says_nothing_of_postcopy() -> None:
    case = made_case([{}, {}], stressed_mib=256)
    early = tuple(replace(run, record=replace(run.record, ended_in=EndedIn.PRECOPY)) for run in case.counted)
    claim = {"mode": "hybrid", "least_spread_seconds": 1.0}
    assert postcopy_outage_unpredictable(claim, measurements([case])).runs
    left = replace(case, runs=early, counted=early)
    assert not postcopy_outage_unpredictable(claim, measurements([left])).runs


def test_compare_matches_by_the_allowed_downtime(results: Path) -> None:
    alike = ("mode", "flavor", "stressed", "rate")
    with pytest.raises(InputError, match="match by downtime too"):
        compare_results(results, results, match=alike)
    found = compare_results(results, results, match=(*alike, "downtime"))
    assert not found.only_first and {row.case for row in found.rows} >= {"hybrid s 0mib 1gbit native"}


def test_a_study_of_before_allowed_downtimes_has_no_such_section(tmp_path: Path) -> None:
    old = write_study(tmp_path, [(FORCED, 1), (STRESSED[0], 1)])
    assert "max_downtime_ms" not in json.loads((old / "study.json").read_text())["cases"][0]["spec"]
    assert "Allowed downtimes" not in write_report(old, None).html.read_text(encoding="utf-8")
