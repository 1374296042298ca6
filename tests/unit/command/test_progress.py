"""What is shown of recorded event streams, line by line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from postcopy_lab.board import LiveBoard, PlainBoard, clock, open_board
from postcopy_lab.checks import CheckProgress
from postcopy_lab.project import Project
from postcopy_lab.steps import StepProgress, first_time_seconds, read_durations, write_durations
from tests.unit.command.conftest import ROOT, events_of


def console(width: int = 100, terminal: bool = False) -> Console:
    return Console(
        file=io.StringIO(), width=width, force_terminal=terminal, markup=False, highlight=False, emoji=False
    )


def printed(target: Console) -> str:
    assert isinstance(target.file, io.StringIO)
    return target.file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.9, "59.9 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3600 * 2 + 180, "2 h 03 min"),
    ],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_each_step_says_what_it_does_and_how_long_it_took() -> None:
    target = console()
    progress = StepProgress(PlainBoard(target), {})
    for event in events_of("provision"):
        progress(event)
    lines = printed(target).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("✓ first: The first thing  ")
    assert lines[0].endswith(" s  changed")
    assert lines[1].startswith("✓ second: The second thing  ")
    assert list(progress.seconds) == ["first", "second"]


def test_a_failed_step_is_marked() -> None:
    target = console()
    progress = StepProgress(PlainBoard(target), {})
    for event in events_of("failed"):
        progress(event)
    assert [line[0] for line in printed(target).splitlines()] == ["✗", "✗"]


def test_time_left_comes_from_the_last_time_and_shrinks() -> None:
    expected = {"first": 30.0, "second": 10.0}
    now = [0.0]
    progress = StepProgress(PlainBoard(console()), expected, clock=lambda: now[0])
    assert progress.progress() == (0.0, 40.0)
    seen = []
    for event in events_of("provision"):
        progress(event)
        now[0] += 0.1
        share, left = progress.progress()
        assert share is not None
        assert left is not None
        seen.append((share, left))
    assert seen[-1] == (1.0, 0.0)
    # The first step took about a second instead of 30: what is left is corrected downwards.
    assert seen[-2][1] < 10.0


def test_durations_are_kept_per_playbook(tmp_path: Path) -> None:
    folder, project = tmp_path, Project(ROOT)
    expected = first_time_seconds(project, "provision")
    assert set(expected) <= {path.name for path in project.roles.iterdir()} and min(expected.values()) > 0
    assert read_durations(project, folder, "provision") == expected
    assert read_durations(project, folder, "destroy") == {}
    write_durations(folder, "provision", {"a": 1.26})
    write_durations(folder, "destroy", {"c": 2.0})
    assert read_durations(project, folder, "provision") == {"a": 1.3}
    (folder / "durations.json").write_text("[]", encoding="utf-8")
    assert read_durations(project, folder, "provision") == expected


def test_a_step_that_never_comes_does_not_hold_the_time_left() -> None:
    expected = {"gone": 100.0, "first": 5.0, "second": 5.0}
    progress = StepProgress(PlainBoard(console()), expected, clock=lambda: 0.0)
    for event in events_of("provision"):
        progress(event)
    assert progress.progress() == (1.0, 0.0)


def test_checks_are_lines_with_nodes_and_times() -> None:
    target = console()
    progress = CheckProgress(PlainBoard(target))
    for event in events_of("refused"):
        progress(event)
    lines = printed(target).splitlines()
    assert lines[0].startswith("✓ The nodes answer  ")
    assert lines[0].endswith("3 nodes")
    assert lines[1].startswith("✗ Only wanted nodes are there  ")
    assert lines[1].endswith("node2: node2 is not wanted; allowed: node0, node1")
    assert (progress.passed, progress.failed) == (1, 1)


def test_the_live_line_fits_the_terminal_and_disappears() -> None:
    target = console(width=60, terminal=True)
    with open_board(target) as board:
        assert isinstance(board, LiveBoard)
        board.follow(lambda: (0.25, 90.0))
        board.refresh()
        board.now("run 3/12 hybrid-s-stress-2x256mib-1gbit 01: wait until the memory is resident")
        board.live.refresh()
        board.line("ok", "run 2/12", 12.0, "completed in 5.4 s")
    text = printed(target)
    assert "about 1 min 30 s left" in text
    assert "completed in 5.4 s" in text
    assert text.rstrip().endswith("\x1b[2K") or "\x1b[2K" in text.splitlines()[-1]


def test_without_a_terminal_there_are_only_finished_lines() -> None:
    target = console()
    with open_board(target) as board:
        board.now("something long")
        board.follow(lambda: (0.5, 1.0))
        board.line("changed", "done", 1.0, "changed")
    assert printed(target) == "✓ done  1.0 s  changed\n"
