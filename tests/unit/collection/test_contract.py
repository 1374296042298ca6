"""What the collection writes is what the analysis reads: each writer's own document through its reader."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.evidence.records import read_lab, read_run, read_study
from analysis.run.metrics import RunMetrics
from analysis.study.results import RunResult, load_results
from contract.records import LabRecord, RunRecord
from control import lab_description, run_document, study
from control.study_files import read_study as read_study_file
from tests.unit.analysis.builder import MIB, Model, write_study

PROJECT = Path(__file__).parents[3]
WORDS = yaml.safe_load((PROJECT / "playbooks/vars/deviations.yml").read_text())["study_deviations"]
RECORDED = PROJECT / "tests" / "data" / "run-results"


def lab_document(boot_ids: dict[str, str], link: dict[str, Any] | None = None) -> dict[str, Any]:
    """lab.json of nodes of which next to nothing is known."""
    nodes = {name: {"boot_id": boot_id, "mtu_bytes": {"eth1": 9000}} for name, boot_id in boot_ids.items()}
    groups = {name: ["lab", "compute" if name.startswith("compute") else "prober"] for name in nodes}
    document: dict[str, Any] = lab_description.lab_document(
        "racks", "epoxy", "libvirt", None, nodes, groups, link, "controller", 1.0, WORDS, "epoxy", 0, False
    )
    return document


SEPARATE_KERNELS = {"controller": "a", "compute1": "b", "compute2": "c"}


def lab_of(tmp_path: Path, document: dict[str, Any]) -> LabRecord:
    (tmp_path / "lab.json").write_text(json.dumps(document))
    return read_lab(tmp_path / "lab.json")


def test_a_lab_of_separate_kernels_has_clocks_that_nobody_measured(tmp_path: Path) -> None:
    lab = lab_of(tmp_path, lab_document(SEPARATE_KERNELS))
    assert lab.clock_of("controller") == (0.0, 0.0)
    assert lab.clock_of("compute1") is None
    assert lab.clock_offsets_seconds["compute1"].uncertainty_seconds is None
    assert (lab.kit_commit, lab.links) == (None, ())
    assert "operating system" in [deviation.what for deviation in lab.deviations]


def test_a_lab_on_one_kernel_has_one_clock(tmp_path: Path) -> None:
    link = {
        "schema": 1,
        "measured": [
            {
                "source": "compute1",
                "destination": "compute2",
                "configured_bits_per_second": 1000000000,
                "measured_bits_per_second": 955651151,
                "measured_at": 1,
            }
        ],
    }
    lab = lab_of(tmp_path, lab_document(dict.fromkeys(SEPARATE_KERNELS, "a"), link))
    assert lab.clock_of("compute2") == (0.0, 0.0)
    assert lab.mtu_bytes("compute2", "eth1") == 9000
    assert lab.measured_rate("compute1", "compute2", 1e9) == 955651151


def recorded(name: str) -> dict[str, Any]:
    run: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    return copy.deepcopy(run)


def written_run(tmp_path: Path, run: dict[str, Any]) -> RunRecord:
    item = run["run"]
    names = {"source": item["source"], "destination": item["destination"], "prober": run["prober"]}
    logs: dict[str, list[str]] = {"source": [], "destination": [], "guest": []}
    document = run_document.run_document(item, run["results"], logs, [], names, run["recorded_at"])
    (tmp_path / "run.json").write_text(json.dumps(document))
    return read_run(tmp_path / "run.json")


@pytest.mark.parametrize("name", ["hybrid-completed", "postcopy-completed", "precopy-not-converged"])
def test_a_recorded_run_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    run = written_run(tmp_path, recorded(name))
    assert run.outcome == ("not_converged" if name.startswith("precopy") else "completed")
    assert run.driver is not None
    assert run.integrity is not None
    assert run.integrity.pattern is not None


@pytest.mark.parametrize("reached", [(), ("boot",), ("boot", "fill"), ("boot", "fill", "migration")])
def test_a_run_that_ended_at_any_step_is_read(tmp_path: Path, reached: tuple[str, ...]) -> None:
    run = recorded("hybrid-completed")
    results = run["results"]
    run["results"] = {key: results[key] for key in reached} | {"fault": {"step": "x", "detail": "lost"}}
    read = written_run(tmp_path, run)
    assert (read.outcome, read.cause) == ("aborted", "lab_fault")
    assert (read.driver is None) == ("migration" not in reached)
    assert read.guest.fill_seconds is None or "fill" in reached


@pytest.mark.parametrize("key", ["resident_bytes", "memory_total_bytes"])
def test_a_guest_whose_resident_memory_is_unknown_leaves_its_run_readable(tmp_path: Path, key: str) -> None:
    run = recorded("hybrid-completed")
    run["results"]["fill"][key] = None
    read = written_run(tmp_path, run)
    assert read.switchover_check is not None
    assert (read.switchover_check.resident_bytes, read.switchover_check.ratio, read.valid) == (
        None,
        None,
        False,
    )


def test_a_guest_that_cannot_verify_its_pattern_leaves_its_run_readable(tmp_path: Path) -> None:
    run = recorded("hybrid-completed")
    for item in run["results"]["check"]["answers"]:
        if item["request"] == "pattern verify":
            item["answer"] = {"ok": False, "error": "no pattern"}
    read = written_run(tmp_path, run)
    assert read.integrity is not None
    assert (read.outcome, read.cause, read.integrity.pattern) == ("failed", "guest_unchecked", None)


@pytest.mark.parametrize("path", sorted((PROJECT / "studies").glob("*.yml")), ids=lambda path: path.stem)
def test_every_shipped_study_is_read_as_it_is_planned(tmp_path: Path, path: Path) -> None:
    loaded = read_study_file(path)
    if loaded.scale == study.PROBE:
        loaded = study.at_scale(loaded, 4, str(path))
    cases = study.resolve_cases(loaded, str(path))
    names = [case.case for case in cases]
    order = study.run_order(names, loaded.repetitions, loaded.order_seed)
    (tmp_path / "study.json").write_text(json.dumps(study.plan_document(loaded, cases, order)))
    read = read_study(tmp_path / "study.json")
    assert len(read.order) == len(order)
    assert set(read.specs) == {case.case for case in cases}


def made_results(root: Path, document: dict[str, Any], model: Model) -> RunResult:
    """A made run on a lab with the writer's own lab.json, analysed."""
    results = write_study(root / "results", [(model, 1)])
    (results / "lab.json").write_text(json.dumps(document))
    loaded = load_results(results, workers=1)
    (run,) = loaded.runs
    notices = [notice.message for notice in loaded.notices if "clock" in notice.message]
    assert len(notices) == 1
    assert notices[0].startswith("neither this file nor lab.json says how far the clock of compute1 and comp")
    return run


def test_without_any_measured_clock_only_what_needs_two_of_them_is_unknown(tmp_path: Path) -> None:
    # Were the clocks taken for equal, the guest would have resumed 7 s before it stopped.
    model = Model(destination_clock_ahead=-7.0, prober_clock_ahead=900.0, lost_after_switchover=3)
    run = made_results(tmp_path, lab_document(SEPARATE_KERNELS), model)
    metrics = run.metrics
    assert isinstance(metrics, RunMetrics), run.excluded_because
    assert run.counted
    alike = write_study(
        tmp_path / "alike", [(replace(model, destination_clock_ahead=0, prober_clock_ahead=0), 1)]
    )
    known = load_results(alike, workers=1).runs[0].metrics
    assert known is not None
    for name in ("migration_seconds", "first_pass_seconds", "precopy_seconds", "forward_bytes", "ping_lost"):
        assert getattr(metrics, name) == pytest.approx(getattr(known, name)), name
    for name in ("forward_bytes_received", "backward_bytes"):
        assert getattr(metrics, name) == pytest.approx(getattr(known, name), rel=0.001), name
    for name in (
        "clock_uncertainty_seconds",
        "downtime_seconds",
        "switchover_seconds",
        "postcopy_seconds",
        "border_by_events_seconds",
        "border_by_traffic_seconds",
        "borders_agree",
        "last_page_seconds",
        "ping_lost_precopy",
        "ping_lost_switchover",
        "ping_lost_postcopy",
        "ping_lost_after",
    ):
        assert getattr(metrics, name) is None, name
        assert name == "last_page_seconds" or getattr(known, name) is not None, name
    assert metrics.ping_lost_before == 0
    assert model.stressed == 512 * MIB
