"""What all verbs share: a checked lab, and playbooks run on it."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from postcopy_lab.board import Board, make_console, open_board
from postcopy_lab.errors import CommandError, ExitCode, InputError, InterruptedByUserError, system_error
from postcopy_lab.events import Event
from postcopy_lab.inventory import Inventory, check_yaml, load_inventory
from postcopy_lab.lock import lab_lock
from postcopy_lab.project import DEFAULT_INVENTORY, Project, find_project
from postcopy_lab.runner import Invocation, Outcome, Stop, run_playbook
from postcopy_lab.steps import StepProgress, read_durations
from postcopy_lab.storage import scratch_folder, storage_fault
from postcopy_lab.studies import check_backend


@dataclass(frozen=True)
class Lab:
    """What every verb begins with."""

    project: Project
    inventory: Inventory
    inventory_option: str
    release: str | None = None
    plain_strategy: bool = False
    backend: str | None = None
    lock: int | None = None

    @contextmanager
    def locked(self) -> Iterator[Lab]:
        """This lab, which no other command works on until the end; its state folder is there.

        Raises:
            InputError: another command works on it.
        """
        with lab_lock(self.inventory.lab) as lock:
            self.inventory.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            yield replace(self, lock=lock)

    @property
    def extra_vars(self) -> dict[str, Any]:
        """Extra variables that every playbook of this call gets."""
        given = {"lab_release": self.release, "lab_backend": self.backend}
        return {name: value for name, value in given.items() if value is not None}

    def command(self, *words: str) -> str:
        """A call of this command on the same lab, for messages."""
        usual = self.inventory.source == self.project.inventories / DEFAULT_INVENTORY
        option = [] if usual else ["-i", self.inventory_option]
        backend = ["--backend", self.backend] if self.backend else []
        return shlex.join(["postcopy-lab", *words, *option, *backend])

    @property
    def title(self) -> str:
        names = ", ".join(node.name for node in self.inventory.nodes)
        return f"lab {self.inventory.lab} (release {self.release or self.inventory.release}): {names}"


def open_lab(
    inventory: str,
    release: str | None = None,
    plain_strategy: bool = False,
    backend: str | None = None,
) -> Lab:
    """Check what every verb needs, before anything is changed.

    Raises:
        InputError: unknown or unfit inventory, unknown release or backend.
    """
    project = find_project()
    if backend is not None:
        check_backend(project, backend)
    loaded = load_inventory(project, inventory, backend)
    check_backend(project, loaded.backend, f"{project.shown(loaded.source)}: lab_")
    wanted = loaded.release if release is None else release
    if release is None and not wanted:
        raise InputError(f"{project.shown(loaded.source)}: lab_release is missing; give it, or --release")
    check_yaml(project, project.release(wanted))
    return Lab(project, loaded, inventory, release, plain_strategy, backend)


def run(
    lab: Lab,
    board: Board,
    playbook: str,
    extra_vars: dict[str, Any],
    on_event: Callable[[Event], None],
    logs: Path | None = None,
    stop: Stop | None = None,
) -> Outcome:
    """Run a playbook to its end. `stop`: that of a caller who listens to the signals already."""
    invocation = Invocation(
        playbook=lab.project.playbook(playbook),
        extra_vars=extra_vars,
        logs=logs or lab.inventory.runner_dir,
        plain_strategy=lab.plain_strategy,
        lock=lab.lock,
    )
    stop = stop or Stop()
    try:
        with stop.listening(lambda: board.now("stopping ...")):
            return run_playbook(lab.project, lab.inventory, invocation, on_event, stop)
    except OSError as error:
        full = _full_words(lab)
        raise (CommandError(full) if full else system_error(error)) from error


def _with_full_folder(lab: Lab, outcome: Outcome) -> Outcome:
    """The outcome; a folder that cannot be written is its cause, whatever the playbook says."""
    full = _full_words(lab) if outcome.exit_code == ExitCode.FAILED else None
    return replace(outcome, failure=full) if full else outcome


def _full_words(lab: Lab) -> str | None:
    """What to say where results, keys or logs cannot be written; None if they can."""
    fault = storage_fault((lab.inventory.results_dir, lab.inventory.state_dir))
    return f"{fault}; make room there, then the same command goes on" if fault else None


def run_and_clean(
    lab: Lab,
    board: Board,
    playbook: str,
    extra_vars: dict[str, Any],
    on_event: Callable[[Event], None],
) -> Outcome:
    """Run a playbook that migrates guests. Whatever cuts it short, nothing of it is left on the nodes.

    A signal counts between the playbook and its clean-up as well: no moment ends the command without a word.
    """
    between = Stop()
    with between.listening(lambda: None):
        try:
            outcome = _with_full_folder(lab, run(lab, board, playbook, extra_vars, on_event))
        except Exception:
            # An error of this command, such as a log that cannot be written.
            _clean_up(lab, board, Stop())
            raise
        # The first signal asks for the clean-up, a second one gives it up.
        stop = between if outcome.cancelled else Stop()
        if between():
            outcome = replace(outcome, cancelled=True)
        if outcome.cut_short:
            _clean_up(lab, board, stop)
    return outcome


def _clean_up(lab: Lab, board: Board, stop: Stop) -> None:
    """Remove guests and probes from the nodes; what cannot be removed is named. A second Ctrl-C gives up."""
    board.tell("Stopping: guests and probes are removed from the nodes.")
    board.now("cleaning up")
    # Where the lab's own folder cannot be written, the log is elsewhere, and is kept only if something fails.
    full = storage_fault((lab.inventory.state_dir,)) is not None
    logs = scratch_folder() if full else lab.inventory.runner_dir
    outcome = run(lab, board, "cleanup", lab.extra_vars, lambda _event: None, logs, stop)
    if full and not outcome.failure:
        shutil.rmtree(logs, ignore_errors=True)
    if outcome.cancelled:
        board.line("failed", "cleaning up was interrupted too: the next study removes what is left")
    elif outcome.failure:
        where = ", ".join(outcome.failed_hosts) or "the nodes"
        left = f"cleaning up failed; guests or probes may be left on {where}: the next study removes them"
        board.line("failed", left, None, outcome.failure)
    else:
        board.line("ok", "nothing of it is left on the nodes")


def run_steps(
    lab: Lab, playbook: str, extra_vars: dict[str, Any], *, logs: Path | None = None
) -> dict[str, float]:
    """Run the playbook of a verb, one line per step (role); returns how long each took.

    Raises:
        CommandError: a step failed, or it was interrupted.
    """
    with open_board(make_console()) as board:
        progress = StepProgress(
            board,
            expected_seconds=read_durations(lab.project, lab.inventory.state_dir, playbook),
        )
        outcome = run(lab, board, playbook, extra_vars, progress, logs)
    raise_if_stopped(outcome, lab.command(playbook))
    _with_full_folder(lab, outcome).raise_for_failure()
    return progress.seconds


def raise_if_stopped(outcome: Outcome, command: str) -> None:
    if outcome.cancelled:
        raise InterruptedByUserError(f"go on with `{command}` (the same options)")
