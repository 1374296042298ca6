"""What the runs of a study were made with: those that differ from their fellows are named."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.compare.labs import compare_results, comparison_document
from analysis.evidence.errors import InputError
from analysis.report import write_report
from analysis.study.results import NOTED, load_results
from postcopy_lab.export import export_results
from tests.unit.analysis.builder import Model, write_study

MODEL = Model(threads=1)
RUNS = f"runs/{MODEL.case}"
OLD_KIT = "fedcba9876543210"


def sessions(
    directory: Path, of_runs: Sequence[int | None], run: Mapping[int, Any], lab: Mapping[int, Any]
) -> list[tuple[str, str]]:
    """A study whose runs are of these sessions; `run`, `lab`: what run.json and lab.json then say otherwise.

    Returns the warnings: (file, message).
    """
    write_study(directory, [(MODEL, len(of_runs))])
    last = max(number or 1 for number in of_runs)
    described = json.loads((directory / "lab.json").read_text())
    for number in range(1, last + 1):
        changed = {**described, "session": number, **lab.get(number, {})}
        name = "lab.json" if number == last else f"lab-{number}.json"
        (directory / name).write_text(json.dumps(changed))
    for repetition, number in enumerate(of_runs, start=1):
        path = directory / RUNS / f"{repetition:02d}" / "run.json"
        told = {"session": number, **run.get(number or 1, {})}
        path.write_text(json.dumps({**json.loads(path.read_text()), **told}))
    results = load_results(directory, workers=1)
    assert {notice.effect for notice in results.notices} <= {NOTED}
    assert results.mixed == results.notices
    return [(notice.file, notice.message) for notice in results.notices]


def nodes_with(directory: Path, **changes: Any) -> dict[str, Any]:
    """What lab.json says of its nodes, changed."""
    write_study(directory, [(MODEL, 1)])
    nodes = json.loads((directory / "lab.json").read_text())["nodes"]
    return {name: {**node, **changes} for name, node in nodes.items()}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Three runs of one QEMU and kit, two of another, made before."""
    old = nodes_with(tmp_path / "words", qemu_version="7.2.0")
    sessions(
        tmp_path / "mixed",
        [1, 1, 2, 2, 2],
        run={1: {"qemu_version": "7.2.0"}},
        lab={1: {"kit_commit": OLD_KIT, "nodes": old}},
    )
    return tmp_path / "mixed"


def test_one_session_or_equal_ones_have_no_warning(tmp_path: Path) -> None:
    assert sessions(tmp_path / "one", [1, 1, 1], {}, {}) == []
    assert sessions(tmp_path / "two", [1, 2], {}, {}) == []


def test_runs_of_another_qemu_and_kit_are_named(mixed: Path) -> None:
    warnings = [(notice.file, notice.message) for notice in load_results(mixed, workers=1).notices]
    which = f"{MODEL.case}/01, 02"
    assert warnings == [
        (f"{RUNS}/01/run.json", f"2 of 5 runs were made with QEMU 7.2.0, most with 10.0.6: {which}"),
        (
            f"{RUNS}/01/run.json",
            f"2 of 5 runs were made with kit commit {OLD_KIT}, most with 0123456789abcdef: {which}",
        ),
    ]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("libvirt_version", "libvirt 9.0.0, most with 11.3.0"),
        ("accelerator", "accelerator kvm, most with tcg"),
    ],
)
def test_what_run_json_tells_needs_no_session(tmp_path: Path, key: str, words: str) -> None:
    """As in results of before sessions were counted, whose lab.json was written anew each time."""
    write_study(tmp_path, [(MODEL, 3)])
    path = tmp_path / RUNS / "02" / "run.json"
    other = {"libvirt_version": "9.0.0", "accelerator": "kvm"}[key]
    path.write_text(json.dumps({**json.loads(path.read_text()), key: other}))
    messages = [notice.message for notice in load_results(tmp_path, workers=1).notices]
    assert messages[0] == f"1 of 3 runs were made with {words}: {MODEL.case}/02"
    assert messages[1].startswith("says ") and messages[1].endswith(f"which had {other} in: {MODEL.case}/02")


def test_of_two_equal_parts_the_newer_is_the_usual_one(tmp_path: Path) -> None:
    (warning,) = sessions(
        tmp_path, [1, 2], {2: {"started_at": 1_795_100_000.0}}, {1: {"kit_commit": OLD_KIT}}
    )
    assert warning[1].startswith(f"1 of 2 runs were made with kit commit {OLD_KIT}, most with 0123")


def test_kernels_and_builds_are_told_apart_too(tmp_path: Path) -> None:
    builds = {"qemu": {"origin": "c067e9dd9f23"}}
    other = nodes_with(tmp_path / "words", kernel="4.4", builds=builds)
    warnings = sessions(tmp_path / "x", [1, 2, 2], {}, {1: {"nodes": other}})
    assert [message.partition(": ")[0] for _, message in warnings] == [
        "1 of 3 runs were made with kernel 4.4, most with 6.12"
    ]
    # Of the builds only the first session has any: nothing to be held against.


def test_runs_with_an_encrypted_stream_are_told_from_those_without(tmp_path: Path) -> None:
    (warning,) = sessions(tmp_path / "x", [1, 2, 2], {}, {1: {"migration_stream_tls": True}})
    assert warning[1].startswith("1 of 3 runs were made with migration stream TLS, most with plain: ")
    lab = {1: {"migration_stream_tls": True}}
    assert sessions(tmp_path / "tls", [1], {}, lab) == sessions(tmp_path / "plain", [1], {}, {}) == []
    compared = comparison_document(compare_results(tmp_path / "plain", tmp_path / "tls"))
    assert not compared["first"]["migration_stream_tls"] and compared["second"]["migration_stream_tls"]


def test_a_run_is_measured_by_its_own_sessions_link(tmp_path: Path) -> None:
    write_study(tmp_path, [(MODEL, 1)])
    usual = json.loads((tmp_path / "lab.json").read_text())["link"]["measured"][0]["measured_bits_per_second"]
    slower = [
        {
            "source": "compute1",
            "destination": "compute2",
            "configured_bits_per_second": 1e9,
            "measured_bits_per_second": 470e6,
        }
    ]
    warnings = sessions(tmp_path, [1, 2, 2], {}, {1: {"link": {"measured": slower}}})
    assert warnings == [
        (
            "lab-1.json",
            "the link compute1 to compute2 gave 470 Mbit/s to 1 of 3 runs, "
            f"{usual / 1e6:,.0f} Mbit/s to most: {MODEL.case}/01",
        )
    ]
    rates = [
        run.metrics.link_rate_bits_per_second
        for run in load_results(tmp_path, workers=1).runs
        if run.metrics is not None
    ]
    assert rates == pytest.approx([470e6, usual, usual])


def test_a_description_that_is_gone_is_named(mixed: Path) -> None:
    (mixed / "lab-1.json").unlink()
    messages = {notice.file: notice.message for notice in load_results(mixed, workers=1).notices}
    what = f"stands in for the description of session 1, which is not there, in: {MODEL.case}/01, 02"
    assert messages["lab.json"] == what


def test_a_description_that_cannot_be_read_is_one_line(mixed: Path) -> None:
    (mixed / "lab-1.json").write_text("{")
    with pytest.raises(InputError, match=r"lab-1\.json: garbled: not JSON"):
        load_results(mixed, workers=1)


def test_the_report_shows_each_session(mixed: Path, tmp_path: Path) -> None:
    write_report(mixed, tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    assert "The study ran in 2 sessions" in page
    assert page.count(OLD_KIT) >= 2
    frame = (tmp_path / "report" / "csv" / "runs.csv").read_text().splitlines()
    assert sum(OLD_KIT in line and ",7.2.0," in line for line in frame) == 2


def test_a_copy_and_a_comparison_carry_them(mixed: Path, tmp_path: Path) -> None:
    export_results(mixed, tmp_path / "copy")
    copied = load_results(tmp_path / "copy", workers=1)
    assert [lab.file for lab in copied.labs] == ["lab-1.json", "lab.json"]
    side = comparison_document(compare_results(tmp_path / "copy", mixed))["first"]
    assert side["sessions"] == [1, 2]
    assert len(side["mixed"]) == 2
