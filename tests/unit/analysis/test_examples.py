"""The shipped results of real studies: whole, and saying what their README says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from analysis.results import EXCLUDED
from analysis.study import Analysis, analyse

EXAMPLES = Path(__file__).parents[3] / "examples"
LIMIT_BYTES = 20_000_000
NAMES = {"icclab-2014": 105, "outage-causes": 6, "probe-cost": 12, "rates": 20}


@pytest.fixture(scope="module")
def studies() -> dict[str, Analysis]:
    return {name: analyse(EXAMPLES / name / "local") for name in NAMES}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_is_small_enough_for_a_repository(name: str) -> None:
    files = [path for path in (EXAMPLES / name / "local").rglob("*") if path.is_file()]
    # "report" is what a reader makes of them.
    assert sum(path.stat().st_size for path in files if "report" not in path.parts) < LIMIT_BYTES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_run_is_whole_and_its_guest_intact(studies: dict[str, Analysis], name: str) -> None:
    study = studies[name]
    assert len(study.results.runs) == NAMES[name]
    assert study.migrated_guests == NAMES[name] and not study.guests_not_intact
    # An idle guest at 5 and 10 Gb/s is through before the switch: kept, and marked invalid by the study.
    excluded = [notice for notice in study.results.notices if notice.effect == EXCLUDED]
    assert Counter(notice.message.split(":")[0] for notice in excluded) == (
        {"invalid": 2} if name == "rates" else {}
    )


def test_the_articles_study_shows_what_it_shows(studies: dict[str, Analysis]) -> None:
    verdicts = {verdict.identifier: verdict.verdict for verdict in studies["icclab-2014"].verdicts}
    for claim in ("reliable", "finite", "precopy-does-not-converge", "bounded", "switch-downtime"):
        assert verdicts[claim] == "reproduced", claim
    # Outages in post-copy are alike here.
    refuted = {identifier for identifier, verdict in verdicts.items() if verdict == "not reproduced"}
    assert refuted == {"unpredictable-ping-in-postcopy"}


def test_the_network_of_the_articles_study_was_never_stale(studies: dict[str, Analysis]) -> None:
    stale = [run.figures and run.figures.network_stale_seconds for run in studies["icclab-2014"].results.runs]
    known = [seconds for seconds in stale if seconds is not None]
    assert len(known) == 99 and max(known) == 0


def test_outages_of_known_cause_are_where_they_were_made(studies: dict[str, Analysis]) -> None:
    for run in studies["outage-causes"].results.runs:
        assert run.figures is not None
        stale = run.figures.network_stale_seconds or 0.0
        assert stale > 5 if run.record.spec.network != "plain" else stale < 0.1, run.path
