"""The shipped results of real studies: whole, and saying what their README says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.compare.prediction import Request, fit_model, held_against, predict
from analysis.evidence.units import MB, MIB
from analysis.reference.recorded import load_recorded
from analysis.report.analysis import Analysis, analyse
from analysis.run.causes import Cause
from analysis.study.results import EXCLUDED, RunResult
from analysis.study.stability import UNSTEADY
from contract.outcomes import EndedIn
from tools.answers import README, REFERENCE, document, in_readme, page, recorded

EXAMPLES = Path(__file__).parents[3] / "examples"
LIMIT_BYTES = 20_000_000
SIZES = {"unloaded": 0, "up to 1 GiB": 1 << 30, "up to 2 GiB": 2 << 30, "up to 8 GiB": 8 << 30}
# Results directories, each with its number of runs.
SETS = {
    "guest-networks/linuxbridge": 12,
    "guest-networks/linuxbridge-stays": 12,
    "guest-networks/nova-network": 12,
    "guest-networks/openvswitch": 12,
    "guest-networks/today": 12,
    "icclab-2014/local": 105,
    "icclab-2014-10gbit/local": 120,
    "icclab-2014-ping/epon": 62,
    "icclab-2014-ping/icef": 36,
    "icclab-2014-ping/icen": 60,
    "icclab-2014-scaled/local": 60,
    "outage-causes/local": 6,
    "probe-cost/local": 12,
    "rates/local": 20,
    "scale-probe/local": 6,
    "switchovers/zedn": 24,
}
# Runs that the study itself marked invalid: idle guests at 5 and 10 Gb/s that are through before the
# switchover, and one that nova switched over in its fourth pass.
INVALID = {"rates/local": 2, "switchovers/zedn": 1}
# Runs whose ping did not end when it was asked to, and was killed.
PING_KILLED = {"icclab-2014-scaled/local": 1}
# Runs that failed before any migration: guests whose kernel stalled, one whose QEMU ended by an assertion of
# TCG, and one for which was no room.
NEVER_ASKED = {"icclab-2014-10gbit/local": 2, "icclab-2014-ping/epon": 2}


@pytest.fixture(scope="module")
def studies() -> dict[str, Analysis]:
    return {name: analyse(EXAMPLES / name) for name in SETS}


@pytest.mark.parametrize("name", sorted(SETS))
def test_each_is_small_enough_for_a_repository(name: str) -> None:
    files = [path for path in (EXAMPLES / name).rglob("*") if path.is_file()]
    # "report" is what a reader makes of them.
    assert sum(path.stat().st_size for path in files if "report" not in path.parts) < LIMIT_BYTES


@pytest.mark.parametrize("name", sorted(SETS))
def test_every_run_is_whole_and_its_guest_intact(studies: dict[str, Analysis], name: str) -> None:
    study = studies[name]
    assert len(study.results.runs) == SETS[name]
    assert study.guests_looked_at == SETS[name] - NEVER_ASKED.get(name, 0) and not study.guests_not_intact
    # Pre-copy that was aborted at its limit: these guests never left their source.
    assert study.guests_never_left == (6 if name == "icclab-2014/local" else 0)
    excluded = [notice for notice in study.results.notices if notice.effect == EXCLUDED]
    assert Counter(notice.message.split(":")[0] for notice in excluded) == (
        {"invalid": INVALID[name]} if name in INVALID else {}
    )


def test_the_one_answer_is_what_the_runs_say(studies: dict[str, Analysis]) -> None:
    """recorded.json and the pages made of it are what `make docs` makes of these runs."""
    found = recorded(studies)
    assert load_recorded(REFERENCE) == found
    assert (EXAMPLES.parent / "docs" / "answers.md").read_text(encoding="utf-8") == page(found)
    readme = README.read_text(encoding="utf-8")
    assert in_readme(found, readme) == readme and readme.count(found.labs[0].name) >= 1
    assert document(found).endswith("}\n")


def test_the_articles_study_shows_what_it_shows(studies: dict[str, Analysis]) -> None:
    verdicts = {verdict.identifier: verdict.verdict for verdict in studies["icclab-2014/local"].verdicts}
    for claim in ("reliable", "finite", "precopy-does-not-converge", "bounded", "switchover-downtime"):
        assert verdicts[claim] == "reproduced", claim
    # Outages in post-copy are alike here.
    refuted = {identifier for identifier, verdict in verdicts.items() if verdict == "not reproduced"}
    assert refuted == {"unpredictable-ping-in-postcopy"}
    # 64 MiB are too much for pre-copy already.
    reasons = {verdict.identifier: verdict.reason for verdict in studies["icclab-2014/local"].verdicts}
    assert (
        "did not converge either: here the border lies under 64 MiB" in reasons["precopy-does-not-converge"]
    )


@pytest.mark.parametrize(
    ("name", "rows", "verdicts"),
    [
        ("icclab-2014-ping/icen", 16, {"reproduced": 8, "not testable here": 6}),
        ("icclab-2014-ping/icef", 8, {"reproduced": 8, "not reproduced": 1, "not testable here": 5}),
    ],
)
def test_the_articles_own_cloud_gives_its_figures(
    studies: dict[str, Analysis], name: str, rows: int, verdicts: dict[str, int]
) -> None:
    study = studies[name]
    assert Counter(verdict.verdict for verdict in study.verdicts) == verdicts
    lab, published = study.results.lab, study.published
    assert published is not None and lab.release == published.release
    idle = [run for run in study.results.runs if not run.record.spec.stress_threads]
    # One of 24 was switched over, and stood still as shortly as guests under stress do.
    ends = Counter(run.record.ended_in for run in idle)
    assert (len(idle), ends[EndedIn.PRECOPY]) == (12, {"icen": 12, "icef": 11}[lab.lab])
    assert all(run.metrics is not None and 1 <= run.metrics.ping_lost <= 5 for run in idle)
    shares = []
    for case in study.cases:
        for step in published.stressed.get(case.spec.table or "", ()):
            sent = case.estimate("forward_bytes")
            if step.stressed_mb == case.spec.stressed_bytes / MIB and sent is not None:
                shares.append(sent.median / (step.transferred_mb * MB))
    assert len(shares) == rows and min(shares) > 0.9 and max(shares) < 1.09


def test_libvirt_beside_nova_switches_over_after_one_pass_and_nova_itself_later(
    studies: dict[str, Analysis],
) -> None:
    found: dict[str, Counter[object]] = {"libvirt": Counter(), "nova": Counter()}
    for run in studies["switchovers/zedn"].results.runs:
        asked, check = run.record.spec.switchover_by, run.record.switchover_check
        assert asked is not None and check is not None
        found[asked][check.iteration if run.record.ended_in == EndedIn.POSTCOPY else "in pre-copy"] += 1
    assert found == {"libvirt": {2: 12}, "nova": {2: 7, 4: 1, "in pre-copy": 4}}


@pytest.mark.parametrize(
    ("network", "lost", "longest_seconds"),
    [
        ("linuxbridge", {Cause.UNWIRED: 6, Cause.STALE_UNANNOUNCED: 1}, 0.7),
        ("linuxbridge-stays", {}, 0.3),
        ("nova-network", {}, 0.3),
        ("openvswitch", {Cause.STALE_ENTRY: 564}, 8.3),
        ("today", {Cause.UNWIRED: 80, Cause.STALE_UNANNOUNCED: 232}, 21.1),
    ],
)
def test_what_a_guests_network_costs_after_the_switchover(
    studies: dict[str, Analysis], network: str, lost: dict[Cause, int], longest_seconds: float
) -> None:
    found: Counter[Cause] = Counter()
    outages = []
    for run in studies[f"guest-networks/{network}"].results.runs:
        assert run.findings is not None and run.findings.attribution is not None and run.metrics is not None
        found.update(run.findings.attribution.coarse.after_resume)
        outages.append(run.metrics.ping_outage_low_seconds or 0.0)
    assert +found == lost
    assert longest_seconds - 0.2 < max(outages) <= longest_seconds


def test_with_tunnels_an_outage_is_as_long_as_the_post_copy(studies: dict[str, Analysis]) -> None:
    """From the resume until the forwarding entry moves, which is after nova's own end."""
    for run in studies["guest-networks/openvswitch"].results.runs:
        assert run.metrics is not None
        postcopy, outage = run.metrics.postcopy_seconds or 0.0, run.metrics.ping_outage_low_seconds or 0.0
        assert outage > 1.5 and -1.2 < outage - postcopy < 3.6, run.path


def test_the_guests_networks_were_measured_by_turns(studies: dict[str, Analysis]) -> None:
    """Three rounds, each with two runs of both cases on every network."""
    began = [
        (run.record.started_at, (run.record.repetition + 1) // 2, name)
        for name, study in studies.items()
        if name.startswith("guest-networks/")
        for run in study.results.runs
    ]
    rounds = [number for _, number, _ in sorted(began)]
    assert rounds == sorted(rounds) and Counter(rounds) == {1: 20, 2: 20, 3: 20}


def test_the_lines_of_the_articles_study_bend(studies: dict[str, Analysis]) -> None:
    """Busy virtual processors on two cores dirty less again within the pass, the more of them there are.

    In bytes with every segment's headers; 1.94 to 1.35 and 2.09 to 1.46 as the interfaces counted them.
    """
    slopes = {
        series.table: (series.data_fit.bend.first_slope, series.data_fit.bend.last_slope)
        for series in studies["icclab-2014/local"].series
        if series.mode == "hybrid" and series.data_fit and series.data_fit.bend
    }
    assert slopes == {
        "table3": (pytest.approx(2.03, abs=0.01), pytest.approx(1.41, abs=0.01)),
        "table4": (pytest.approx(2.18, abs=0.01), pytest.approx(1.52, abs=0.01)),
    }
    verdicts = {verdict.identifier: verdict for verdict in studies["icclab-2014/local"].verdicts}
    for identifier in ("linear-time", "linear-data"):
        assert verdicts[identifier].verdict == "not testable here"
        assert "straddles the border at -0.35" in verdicts[identifier].reason


def test_both_pings_agree_on_every_outage(studies: dict[str, Analysis]) -> None:
    """n lost in a row last n - 1 to n + 1 periods: both intervals hold the one outage that there was."""
    metrics = [run.metrics for run in studies["icclab-2014/local"].results.runs if run.metrics]
    lost = [item for item in metrics if item.ping_lost and item.fine_outage_high_seconds is not None]
    assert len(lost) == 46
    for item in lost:
        assert item.fine_outage_low_seconds is not None and item.fine_outage_high_seconds is not None
        assert item.ping_outage_low_seconds <= item.fine_outage_high_seconds
        assert item.fine_outage_low_seconds <= item.ping_outage_high_seconds


def test_every_ping_is_answered_lost_or_undecided_as_its_own_summary_says(
    studies: dict[str, Analysis],
) -> None:
    for name, study in studies.items():
        without = [notice for notice in study.results.notices if "summary" in notice.message]
        assert len(without) == PING_KILLED.get(name, 0), name


def test_a_ping_that_outlived_its_guest_shows_no_outage(studies: dict[str, Analysis]) -> None:
    """The one that was killed went on for 4 s while the guest was removed: 38 requests without an answer."""
    (run,) = (
        run
        for run in studies["icclab-2014-scaled/local"].results.runs
        if (run.record.case, run.record.repetition) == ("hybrid-xl-stress-5x64mib-250mbit-basic-probes", 3)
    )
    assert run.metrics is not None
    assert (run.metrics.ping_lost, run.metrics.ping_lost_after) == (2, 0)
    assert run.metrics.ping_outage_high_seconds < 0.4 and run.metrics.ping_undecided > 38


def test_the_period_that_the_finer_ping_kept_is_told(studies: dict[str, Analysis]) -> None:
    (check,) = (
        check
        for check in studies["icclab-2014/local"].stability
        if check.name == "ping period" and "10 ms" in check.message
    )
    assert check.state == UNSTEADY
    assert check.message.startswith(
        "the ping of 10 ms was sent every 14.3 ms (median; 11.6 to 16.7 ms, 105 runs)"
    )


def test_the_network_of_the_articles_study_was_never_stale(studies: dict[str, Analysis]) -> None:
    stale = [
        run.metrics and run.metrics.network_stale_seconds for run in studies["icclab-2014/local"].results.runs
    ]
    known = [seconds for seconds in stale if seconds is not None]
    assert len(known) == 99 and max(known) == 0


def test_outages_of_known_cause_are_where_they_were_made(studies: dict[str, Analysis]) -> None:
    for run in studies["outage-causes/local"].results.runs:
        assert run.metrics is not None
        stale = run.metrics.network_stale_seconds or 0.0
        assert stale > 5 if run.record.spec.network != "plain" else stale < 0.1, run.path


def test_predictions_hold_for_loads_that_were_left_out(studies: dict[str, Analysis]) -> None:
    """Each load from all others: its runs, and of data and time how many within the interval, by its size."""
    results = studies["icclab-2014/local"].results
    hits: dict[str, list[tuple[int, int, int]]] = {}
    for stressed, ram in sorted({_load(run) for run in results.runs if run.record.spec.mode == "hybrid"}):
        here = tuple(run for run in results.runs if _load(run) == (stressed, ram))
        others = replace(results, runs=tuple(run for run in results.runs if run not in here))
        model = fit_model([others], "hybrid")
        assert model is not None
        request = Request(ram, stressed, 1e9)
        data, time = model.data_at(request), model.time_at(request)
        assert 0.1 < data.high / data.value - 1 < 0.3 and 0.1 < time.high / time.value - 1 < 0.35
        left_out = replace(results, directory=results.directory / "left-out", runs=here)
        (held,) = held_against([others], left_out, "hybrid")
        size = next(name for name, most in SIZES.items() if stressed <= most)
        hits.setdefault(size, []).append((held.data.runs, held.data.within, held.time.within))
    # Two runs with 512 MiB, whose data lie above any line, miss both. The time is fitted without runs that
    # something else than the link slowed, 17 of all; one of those misses as well.
    assert {name: tuple(map(sum, zip(*found, strict=True))) for name, found in hits.items()} == {
        "unloaded": (12, 12, 12),
        "up to 1 GiB": (15, 13, 12),
        "up to 2 GiB": (15, 14, 14),
        "up to 8 GiB": (18, 18, 18),
    }


def test_the_readmes_example_of_predict_holds_for_the_runs_of_its_load(studies: dict[str, Analysis]) -> None:
    results = studies["icclab-2014/local"].results
    (found,) = predict([results], Request(16 << 30, 8 << 30, 1e9), "hybrid").modes
    measured = [
        run.metrics
        for run in results.runs
        if run.record.spec.mode == "hybrid" and _load(run) == (8 << 30, 16 << 30)
    ]
    assert len(measured) == 3 and found.seconds and found.data_bytes
    for metrics in measured:
        assert metrics is not None
        assert found.seconds.low <= metrics.migration_seconds <= found.seconds.high
        assert found.data_bytes.low <= metrics.forward_bytes <= found.data_bytes.high


def _load(run: RunResult) -> tuple[int, int]:
    return run.record.spec.stressed_bytes, run.record.spec.ram_bytes
