"""Faults in a real lab: each strikes a run of a real study, which must end in a way that names it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.faults.faulty_lab import LINK_RATE, NEXT, NODES, STRUCK, FaultyLab, RunningStudy
from tests.faults.seen import Seen, guest_words, keep, recorded
from tests.faults.steps import FILL, PRECOPY, STEPS, Step
from tests.faults.table import ALONE, CHAINS, DAMAGES, FAULTS, INTERRUPTED, INTERRUPTS, SMALL, Damage, Fault
from tests.lab import provisioned_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyLab]:
    folder = tmp_path_factory.mktemp("faults")
    settings = {"lab_network_link_rate": LINK_RATE}
    # One for each process of pytest.
    name = f"faults-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    with provisioned_lab(folder, name, settings) as made:
        (folder / "studies").mkdir()
        yield FaultyLab(made, folder / "studies")
        for mounted in (made.results_dir).glob("*/*"):
            if mounted.is_mount():
                subprocess.run(["umount", mounted], check=True)


def marked(name: str, quick: bool, *values: Any) -> Any:
    """Parameters of a test; all but the quick third have a target of their own."""
    return pytest.param(*values, id=name, marks=() if quick else pytest.mark.long)


def let_it_happen(lab: FaultyLab, running: RunningStudy, fault: Fault) -> None:
    """The fault, and what an administrator does about it while the study goes on."""
    fault.at.wait(running)
    fault.strike(lab, running)
    if fault.mend is not None:
        if fault.mend_at is None:
            running.wait_until_recorded()
        else:
            fault.mend_at.wait(running)
        fault.mend(lab, running)


def provoke(lab: FaultyLab, fault: Fault) -> Seen:
    """A study of two runs, the first of which is struck; it is made whole if it has stopped."""
    started = time.monotonic()
    name = f"fault-{FAULTS.index(fault):02d}"
    study = lab.write_study(name, **fault.defaults)
    before = lab.digests()
    if fault.prepare is not None:
        fault.prepare(lab, lab.lab.results(name))
    with lab.begin(study) as running:
        let_it_happen(lab, running, fault)
        code = running.end()
    next_run = "by the same command"
    line = line_of(lab, running, code)
    struck = running.struck()
    left = lab.left()
    lab.wait_until_free()
    if fault.mend_after is not None:
        fault.mend_after(lab, running)
    if NEXT not in lab.runs(name):
        next_run = "when the study was resumed"
        with lab.begin(study, *(["--provision"] if fault.unprovisioned else [])) as resumed:
            assert resumed.end() in (0, 3), resumed.text[-3000:]
    assert_unchanged(lab, before)
    assert lab.left() == []
    made = lab.runs(name)[NEXT]
    assert (made["outcome"], made["valid"]) == ("completed", True), made
    return seen_of(
        fault,
        struck,
        exit_code=code,
        line=line,
        left=tuple(left),
        earlier_files=len(before),
        next_run=next_run,
        seconds=round(time.monotonic() - started),
    )


def seen_of(fault: Fault, run: dict[str, Any] | None, **seen: Any) -> Seen:
    """What became of a fault and of the run.json of the run that it struck, None where there is none."""
    return Seen(
        group=fault.group,
        fault=fault.name,
        step=fault.at.name,
        run=recorded(run),
        guest=guest_words(run),
        **seen,
    )


def assert_unchanged(lab: FaultyLab, before: dict[str, str]) -> None:
    after = lab.digests()
    assert {path: after.get(path) for path in before} == before, "files of earlier runs have changed"


def provoke_in_turn(lab: FaultyLab, name: str, faults: Sequence[Fault]) -> list[Seen]:
    """One study, each run of which is struck but the last: the run after a fault is the next one's."""
    struck = []
    study = lab.write_study_of_runs(name, len(faults) + 1)
    with lab.begin(study) as running:
        for fault in faults:
            started = time.monotonic()
            before = lab.digests()
            let_it_happen(lab, running, fault)
            running.wait_until_recorded()
            run = running.struck()
            assert run is not None
            running.turn_to_the_next_run()
            assert_unchanged(lab, before)
            struck.append((fault, run, lab.left_of(run), len(before), round(time.monotonic() - started)))
        code = running.end()
    last = running.struck()
    assert last is not None, running.text
    assert (last["outcome"], last["valid"]) == ("completed", True), last
    assert lab.left() == []
    return [
        seen_of(
            fault,
            run,
            exit_code=code,
            line=shown(lab, running.line_of(run["repetition"])),
            left=tuple(left),
            earlier_files=earlier_files,
            next_run="by the same command",
            seconds=seconds,
        )
        for fault, run, left, earlier_files, seconds in struck
    ]


def line_of(lab: FaultyLab, study: RunningStudy, code: int) -> str:
    """What a user reads of the fault: the command's error, or its line of the struck run."""
    return shown(lab, (code in (0, 3) and study.line_of(study.repetition)) or study.last_line)


def shown(lab: FaultyLab, line: str) -> str:
    """A line without the names of this machine's folders."""
    return line.replace(os.fspath(lab.studies.parent), "LAB").replace(os.fspath(PROJECT), "CHECKOUT")


@pytest.mark.parametrize(
    "fault",
    [
        *(marked(fault.label, fault.quick, fault) for fault in ALONE),
        *(pytest.param(fault, id=fault.label, marks=pytest.mark.small) for fault in SMALL),
    ],
)
def test_a_run_that_is_struck(lab: FaultyLab, fault: Fault) -> None:
    seen = provoke(lab, fault)
    keep(seen)
    assert_as_expected(fault, seen)


@pytest.mark.long
@pytest.mark.parametrize("group", CHAINS)
def test_runs_that_are_struck_in_turn(lab: FaultyLab, group: str) -> None:
    faults = CHAINS[group]
    made = provoke_in_turn(lab, f"faults-of-{group}", faults)
    for seen in made:
        keep(seen)
    for fault, seen in zip(faults, made, strict=True):
        assert_as_expected(fault, seen)


def assert_as_expected(fault: Fault, seen: Seen) -> None:
    """What the study did is what the table of faults says."""
    assert seen.exit_code == fault.exit_code, seen
    assert seen.left == () or fault.leaves, seen
    assert fault.said in json.dumps([seen.line, seen.run], ensure_ascii=False), seen
    if fault.outcome is None:
        assert seen.run is None
    else:
        assert seen.run is not None, seen
        assert (seen.run["outcome"], seen.run["cause"]) == (fault.outcome, fault.cause), seen
        assert fault.valid in (None, seen.run["valid"]), seen


QUICK_INTERRUPTS = (("Ctrl-C", PRECOPY), ("Ctrl-C twice", FILL))


@pytest.mark.parametrize(
    ("name", "number", "times", "step"),
    [
        marked(
            f"{name} in {step.name}".replace(" ", "-"),
            (name, step) in QUICK_INTERRUPTS,
            name,
            number,
            times,
            step,
        )
        for step in STEPS
        for name, number, times in INTERRUPTS
    ],
)
def test_a_study_that_is_interrupted(
    lab: FaultyLab, name: str, number: signal.Signals, times: int, step: Step
) -> None:
    """Its study is the same for all of them: each goes on where the one before was stopped."""
    started = time.monotonic()
    study = lab.write_study(INTERRUPTED)
    before = lab.digests()
    with lab.begin(study) as running:
        step.wait(running)
        for _ in range(times):
            running.process.send_signal(number)
            running.wait_until(
                "the clean-up", lambda: "Stopping:" in running.text or running.process.poll() is not None
            )
        code = running.end()
    left = lab.left() if times == 1 else lab.left_at_once()
    keep(
        Seen(
            group="interrupt",
            fault=name,
            step=step.name,
            exit_code=code,
            line=shown(lab, running.last_line),
            run=None,
            guest=guest_words(None),
            left=tuple(left),
            earlier_files=len(before),
            next_run="when the study was resumed",
            seconds=round(time.monotonic() - started),
        )
    )
    assert code == 130, running.text
    assert "the same command makes the rest" in running.last_line
    assert STRUCK not in lab.runs(INTERRUPTED)
    assert left == [] or times > 1
    assert_unchanged(lab, before)


def test_an_interrupted_study_is_made_whole(lab: FaultyLab) -> None:
    with lab.begin(lab.write_study(INTERRUPTED)) as running:
        assert running.end() == 0, running.text
    assert [run["outcome"] for run in lab.lab.runs(INTERRUPTED)] == ["completed"] * 2
    assert lab.left() == []


@pytest.mark.long
def test_a_second_study_is_refused(lab: FaultyLab) -> None:
    study = lab.write_study_of_runs("first-of-two", 1)
    with lab.begin(study) as running:
        FILL.wait(running)
        with lab.begin(lab.write_study("second-of-two")) as second:
            code = second.end()
        assert running.end() == 0, running.text
    keep(
        Seen(
            group="command",
            fault="a second study is started",
            step=FILL.name,
            exit_code=code,
            line=shown(lab, second.last_line),
            run=None,
            guest="the first study's is not touched",
            left=(),
            earlier_files=0,
            next_run="the first study's, by its command",
            seconds=0,
        )
    )
    assert code == 2
    assert f"process {running.process.pid}" in second.last_line
    assert {run["outcome"] for run in lab.runs("first-of-two").values()} == {"completed"}


@pytest.mark.long
@pytest.mark.parametrize("name", NODES)
def test_a_node_that_is_restarted_between_two_studies(lab: FaultyLab, name: str) -> None:
    """It has lost its link's rate: no run is made before the lab is provisioned."""
    lab.node[name].restart()
    started = time.monotonic()
    study = lab.write_study_of_runs(f"after-restart-of-{name}", 1)
    with lab.begin(study) as refused:
        code = refused.end()
    with lab.begin(study, "--provision") as running:
        assert running.end() == 0, running.text
    made = lab.runs(study.stem)[STRUCK]
    keep(
        Seen(
            group="node",
            fault=f"{name} is restarted",
            step="between two studies",
            exit_code=code,
            line=shown(lab, refused.last_line),
            run={"outcome": made["outcome"], "cause": made["cause"]},
            guest=guest_words(made),
            left=tuple(lab.left()),
            earlier_files=0,
            next_run="with --provision, as the first one",
            seconds=round(time.monotonic() - started),
        )
    )
    assert code == 2, refused.text
    # It may not be up yet, or a connection from before may still be waited for.
    words = ("not provisioned since its start", "cannot be reached")
    assert refused.last_line.startswith(f"error: {name}")
    assert any(word in refused.last_line for word in words), refused.text
    assert lab.left() == []


@pytest.mark.parametrize("damage", [marked(damage.label, True, damage) for damage in DAMAGES])
def test_a_file_that_is_damaged(lab: FaultyLab, tmp_path: Path, damage: Damage) -> None:
    """The study is through: its command has nothing to make, and still reads what it left."""
    study = lab.write_study(INTERRUPTED)
    if len(lab.runs(INTERRUPTED)) < 2:
        with lab.begin(study) as running:
            assert running.end() == 0, running.text
    path = damage.path(lab.lab)
    kept = tmp_path / "kept"
    shutil.copy2(path, kept)
    before = lab.digests()
    damage.harm(path)
    harmed = path.read_bytes() if path.exists() else None
    done = lab.lab.command(*damage.arguments(study))
    unchanged = (path.read_bytes() if path.exists() else None) == harmed
    shutil.copy2(kept, path)
    line = [line.strip() for line in done.stdout.splitlines() if damage.said in line]
    keep(
        Seen(
            group="files",
            fault=damage.name,
            step=f"postcopy-lab {damage.verb}",
            exit_code=done.returncode,
            line=shown(lab, line[0] if line else done.stdout.strip().splitlines()[-1]),
            run=None,
            guest="",
            left=(),
            earlier_files=len(before),
            next_run="",
            seconds=0,
        )
    )
    assert done.returncode == damage.exit_code, done.stdout
    assert line, done.stdout
    assert "Traceback" not in done.stdout
    assert unchanged
    assert_unchanged(lab, before)
