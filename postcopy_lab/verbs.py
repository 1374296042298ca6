"""What each verb does, from checked input to the exit code."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postcopy_lab.board import Board, clock, make_console, open_board
from postcopy_lab.checks import CheckProgress
from postcopy_lab.errors import InputError, InterruptedByUserError
from postcopy_lab.events import Event
from postcopy_lab.inventory import Inventory, load_inventory
from postcopy_lab.lock import lab_lock
from postcopy_lab.project import Project, find_project
from postcopy_lab.runner import Invocation, Outcome, Stop, run_playbook
from postcopy_lab.steps import StepProgress, read_durations, role_description, write_durations


@dataclass(frozen=True)
class Lab:
    """What every verb begins with."""

    project: Project
    inventory: Inventory
    release: str | None = None
    plain_strategy: bool = False

    @property
    def extra_vars(self) -> dict[str, Any]:
        """Extra variables that every playbook of this call gets."""
        return {"lab_release": self.release} if self.release else {}

    @property
    def title(self) -> str:
        names = ", ".join(node.name for node in self.inventory.nodes)
        return f"lab {self.inventory.lab} (release {self.release or self.inventory.release}): {names}"


def open_lab(inventory: str, release: str | None = None, plain_strategy: bool = False) -> Lab:
    """Check what every verb needs, before anything is changed.

    Raises:
        InputError: unknown or unfit inventory, unknown release.
    """
    project = find_project()
    loaded = load_inventory(project, inventory)
    project.release(release or loaded.release)
    return Lab(project, loaded, release, plain_strategy)


def provision(inventory: str, *, release: str | None, plain_strategy: bool) -> None:
    """Make the lab ready.

    Raises:
        CommandError: a step failed, or bad input.
    """
    lab = open_lab(inventory, release, plain_strategy)
    console = make_console()
    console.print(f"Provisioning {lab.title}", style="bold", soft_wrap=True)
    with lab_lock(lab.inventory.state_dir):
        started_at = time.monotonic()
        seconds = run_steps(lab, "provision", lab.extra_vars, resume_with="postcopy-lab provision")
        write_durations(lab.inventory.state_dir, "provision", seconds)
    console.print(
        f"Lab {lab.inventory.lab} is ready, in {clock(time.monotonic() - started_at)}.", soft_wrap=True
    )


def check(inventory: str, *, release: str | None, plain_strategy: bool) -> None:
    """Run all checks of the lab.

    Raises:
        CommandError: a check failed, or bad input.
    """
    lab = open_lab(inventory, release, plain_strategy)
    console = make_console()
    console.print(f"Checking {lab.title}", style="bold", soft_wrap=True)
    with lab_lock(lab.inventory.state_dir), open_board(console) as board:
        progress = CheckProgress(board)
        outcome = _run(lab, board, "verify", lab.extra_vars, progress)
    _raise_if_stopped(outcome, "postcopy-lab check")
    outcome.raise_for_failure()
    console.print(f"All {progress.passed} checks passed.", style="green", soft_wrap=True)


def destroy(inventory: str, *, images: bool, yes: bool, plain_strategy: bool) -> None:
    """Remove the lab; results stay.

    Raises:
        CommandError: a step failed, not confirmed, or bad input.
    """
    lab = open_lab(inventory, plain_strategy=plain_strategy)
    console = make_console()
    what = f"{lab.title}, its keys and logs in {lab.project.shown(lab.inventory.state_dir)}"
    if images:
        what += ", and the image its nodes run on"
    if not yes:
        _confirm(f"Remove {what}? Results in {lab.project.shown(lab.inventory.results_dir)} stay.")
    console.print(f"Removing {what}", style="bold", soft_wrap=True)
    # The lab's own folder goes away: the log is elsewhere, and is kept only if something fails.
    logs = Path(tempfile.mkdtemp(prefix="postcopy-lab-destroy-"))
    with lab_lock(lab.inventory.state_dir):
        run_steps(
            lab,
            "destroy",
            {**lab.extra_vars, "local_nodes_absent_images": images},
            resume_with="postcopy-lab destroy",
            logs=logs,
        )
    shutil.rmtree(logs, ignore_errors=True)
    console.print(f"Lab {lab.inventory.lab} is gone.", soft_wrap=True)


def run_steps(
    lab: Lab, playbook: str, extra_vars: dict[str, Any], *, resume_with: str, logs: Path | None = None
) -> dict[str, float]:
    """Run a playbook of roles, one line per step; returns how long each took.

    Raises:
        CommandError: a step failed, or it was interrupted.
    """
    with open_board(make_console()) as board:
        progress = StepProgress(
            board,
            describe=lambda role: role_description(lab.project, role),
            expected_seconds=read_durations(lab.inventory.state_dir, playbook),
        )
        outcome = _run(lab, board, playbook, extra_vars, progress, logs)
    _raise_if_stopped(outcome, resume_with)
    outcome.raise_for_failure()
    return progress.seconds


def _run(
    lab: Lab,
    board: Board,
    playbook: str,
    extra_vars: dict[str, Any],
    on_event: Callable[[Event], None],
    logs: Path | None = None,
) -> Outcome:
    invocation = Invocation(
        playbook=lab.project.playbook(playbook),
        extra_vars=extra_vars,
        logs=logs or lab.inventory.runner_dir,
        plain_strategy=lab.plain_strategy,
    )
    stop = Stop()
    with stop.listening(lambda: board.now("stopping ...")):
        return run_playbook(lab.project, lab.inventory, invocation, on_event, stop)


def _raise_if_stopped(outcome: Outcome, command: str) -> None:
    if outcome.cancelled:
        raise InterruptedByUserError(f"go on with `{command}` (the same options)")


def _confirm(question: str) -> None:
    """Ask on the terminal.

    Raises:
        InputError: the answer is no, or there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise InputError("nothing was removed: there is no terminal to ask on; say --yes")
    answer = input(f"{question} [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise InputError("nothing was removed")
