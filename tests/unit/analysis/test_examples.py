"""The shipped results of real studies: whole, and saying what their README says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from analysis.results import EXCLUDED
from analysis.study import Analysis, analyse

EXAMPLES = Path(__file__).parents[3] / "examples"
LIMIT_BYTES = 20 * 1000 * 1000
NAMES = {"icclab-2014": 35, "outage-causes": 6, "probe-cost": 12, "rates": 20}


@pytest.fixture(scope="module")
def studies() -> dict[str, Analysis]:
    return {name: analyse(EXAMPLES / name / "local") for name in NAMES}


def test_they_are_small_enough_for_a_repository() -> None:
    assert sum(path.stat().st_size for path in EXAMPLES.rglob("*") if path.is_file()) < LIMIT_BYTES


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
    assert "not reproduced" not in verdicts.values()


def test_outages_of_known_cause_are_where_they_were_made(studies: dict[str, Analysis]) -> None:
    for run in studies["outage-causes"].results.runs:
        assert run.figures is not None
        stale = run.figures.network_stale_seconds or 0.0
        assert stale > 5 if run.record.spec.network != "plain" else stale < 0.1, run.path
