"""Warnings about an unsteady lab: each provoked, and silent where all is well."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.report.analysis import Analysis, analyse
from analysis.study.results import load_results
from analysis.study.stability import CANNOT_TELL, STEADY, UNSTEADY, Check, stability_checks, stability_notices
from tests.unit.analysis.builder import Model, with_summary, write_run, write_study, write_sums

HYBRID = Model(threads=1)
PRECOPY = Model(mode="precopy", outcome="not_converged", table=None)


def checks_of(results: Path) -> dict[str, list[Check]]:
    analysis = analyse(results)
    found: dict[str, list[Check]] = {}
    for check in stability_checks(analysis.results, analysis.cases):
        found.setdefault(check.name, []).append(check)
    return found


def messages(analysis: Analysis) -> list[str]:
    return [notice.message for notice in analysis.results.notices]


def paced(results: Path, factors: list[float]) -> Path:
    """One case whose rounds, an hour apart, take these multiples of its time."""
    write_study(results, [(HYBRID, len(factors))])
    for number, factor in enumerate(factors, start=1):
        model = replace(HYBRID, base_bytes=400e6 * factor, requested_at=HYBRID.requested_at + 3600 * number)
        write_run(results, model, number)
    return results


def test_a_steady_lab_has_no_warning(tmp_path: Path) -> None:
    analysis = analyse(paced(tmp_path, [1.0, 1.004, 0.997, 1.002, 0.999, 1.001]))
    assert messages(analysis) == []
    assert {check.state for check in analysis.stability} == {STEADY}


def test_a_drift_is_named_with_its_size(tmp_path: Path) -> None:
    found = checks_of(paced(tmp_path, [1.0, 1.03, 1.05, 1.08, 1.11, 1.14]))["drift"][0]
    assert found.state == UNSTEADY
    assert found.message.startswith("migration time changed by +")
    assert "over the 5.0 h of the study, p = 0.003" in found.message


def test_three_rounds_cannot_show_a_drift(tmp_path: Path) -> None:
    found = checks_of(paced(tmp_path, [1.0, 1.1, 1.2]))["drift"][0]
    assert found.state == CANNOT_TELL
    assert found.message.startswith("too few repetitions to see migration time drift (3 runs, ")


def test_a_noisy_case_is_a_warning_in_the_report(tmp_path: Path) -> None:
    analysis = analyse(paced(tmp_path, [1.0, 1.9]))
    (message,) = messages(analysis)
    assert message.startswith("noisy machine: migration time of 2 runs from ")


def test_one_run_shows_no_spread(tmp_path: Path) -> None:
    models = [(replace(HYBRID, threads=count), 1) for count in (1, 2)]
    (found,) = checks_of(write_study(tmp_path, models))["noisy machine"]
    assert found.state == CANNOT_TELL
    assert found.message == "2 cases have one counted run, which shows no spread"


@pytest.mark.parametrize(("pages_per_second", "state"), [(40_000, STEADY), (10_000, UNSTEADY)])
def test_a_stressor_slower_than_the_link(tmp_path: Path, pages_per_second: int, state: str) -> None:
    """The link carries 940 Mbit/s; 10,000 pages of 4 KiB a second are 328 Mbit/s."""
    results = write_study(tmp_path, [(PRECOPY, 1)])
    (run,) = (results / "runs").glob("*/01")
    job = run / "source/job.jsonl"
    rows = [json.loads(line) for line in job.read_text().splitlines()]
    for row in rows:
        row["job"]["memory_dirty_rate"] = pages_per_second
    job.write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_sums(run)
    (found,) = checks_of(results)["stressor"]
    assert found.state == state
    assert found.message.startswith("dirties at most")


def test_a_stressor_of_unknown_pace(tmp_path: Path) -> None:
    (found,) = checks_of(write_study(tmp_path, [(PRECOPY, 1)]))["stressor"]
    assert found.state == CANNOT_TELL


def test_a_dead_pinger(tmp_path: Path) -> None:
    results = write_study(tmp_path, [(HYBRID, 2)])
    run = results / "runs" / HYBRID.case / "02"
    log = run / "prober/ping.log"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:20]))
    write_sums(run)
    (found,) = checks_of(results)["pinger"]
    assert (found.state, found.message) == (UNSTEADY, "died in 1 of 2 runs: they are excluded")
    assert found.file == f"runs/{HYBRID.case}/02/prober/ping.log"


def test_a_rate_that_was_never_measured(tmp_path: Path) -> None:
    results = write_study(tmp_path, [(HYBRID, 1)])
    lab = json.loads((results / "lab.json").read_text())
    for link in lab["link"]["measured"]:
        link["configured_bits_per_second"] = 5e9
    (results / "lab.json").write_text(json.dumps(lab))
    found = checks_of(results)["link rate"]
    assert [check.state for check in found] == [UNSTEADY] * 3
    assert "1gbit was never measured" in found[-1].message
    assert found[0].message == "link compute1 to compute2 gives 19% of its configured 5 Gbit/s"


def test_only_warnings_become_notices() -> None:
    checks = [Check("drift", "runs", state, "text") for state in (STEADY, CANNOT_TELL, UNSTEADY)]
    assert [notice.message for notice in stability_notices(checks)] == ["drift: text"]


def test_nothing_measured_nothing_checked(tmp_path: Path) -> None:
    results = write_study(tmp_path, [(HYBRID, 1)])
    (results / "runs" / HYBRID.case / "01" / "run.json").unlink()
    assert {check.name for check in analyse(results).stability} == {"link rate"}


def ping_notices(results: Path) -> list[str]:
    return [
        notice.message for notice in load_results(results).notices if notice.file.endswith("prober/ping.log")
    ]


def edit_pings(results: Path, keep: Callable[[float], bool], lose: Callable[[float], bool]) -> None:
    """Leave out or lose pings of the one run, by their time after the request."""
    (run,) = (results / "runs").glob("*/01")
    log = run / "prober/ping.log"
    lines = []
    for line in log.read_text().splitlines():
        found = re.match(r"\[([0-9.]+)\] 64 bytes .*icmp_seq=(\d+)", line)
        after = float(found[1]) - HYBRID.requested_at if found else 0.0
        if found and not keep(after):
            continue
        if not found and "no answer" not in line:
            continue
        lines.append(f"[{found[1]}] no answer yet for icmp_seq={found[2]}" if found and lose(after) else line)
    log.write_text("\n".join(with_summary(lines)) + "\n")
    write_sums(run)


def test_a_log_that_ends_with_the_migration_may_hide_an_outage(tmp_path: Path) -> None:
    results = write_study(tmp_path, [(HYBRID, 1)])
    assert ping_notices(results) == []
    edit_pings(results, lambda after: after < HYBRID.completed + 0.4, lambda _after: False)
    (message,) = ping_notices(results)
    assert re.match(
        r"ends 0\.[0-9] s after the migration: an outage at its end may have lasted longer", message
    )


def test_a_log_that_ends_in_an_outage_says_so(tmp_path: Path) -> None:
    results = write_study(tmp_path, [(HYBRID, 1)])
    edit_pings(results, lambda _after: True, lambda after: after > HYBRID.completed + 0.2)
    assert "ends with lost pings: the outage may have lasted longer" in ping_notices(results)


def test_a_pinger_that_paused_was_blind(tmp_path: Path) -> None:
    """Stopped for 1.2 s in pre-copy; its sequence numbers go on where they stopped."""
    results = write_study(tmp_path, [(replace(HYBRID, base_bytes=400e6), 1)])
    (run,) = (results / "runs").glob("*/01")
    log = run / "prober/ping.log"
    shifted = []
    for line in log.read_text().splitlines():
        found = re.match(r"\[([0-9.]+)\](.*)", line)
        late = found is not None and float(found[1]) > HYBRID.requested_at + 1.0
        shifted.append(f"[{float(found[1]) + 1.2:.6f}]{found[2]}" if found and late else line)
    log.write_text("\n".join(shifted) + "\n")
    write_sums(run)
    assert any(message.startswith("sent no ping for 1.3 s") for message in ping_notices(results))
