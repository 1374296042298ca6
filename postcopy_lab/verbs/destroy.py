"""`postcopy-lab destroy`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from postcopy_lab.board import make_console
from postcopy_lab.errors import InputError
from postcopy_lab.lab import open_lab, run_steps


def destroy(inventory: str, *, images: bool, yes: bool, plain_strategy: bool, backend: str | None) -> None:
    """Remove the lab; results stay.

    Raises:
        CommandError: a step failed, not confirmed, or bad input.
    """
    lab = open_lab(inventory, plain_strategy=plain_strategy, backend=backend)
    console = make_console()
    what = f"{lab.title}, its keys and logs in {lab.project.shown(lab.inventory.state_dir)}"
    if images:
        what += ", and the image its nodes run on"
    if not yes:
        _confirm(f"Remove {what}? Results in {lab.project.shown(lab.inventory.results_dir)} stay.")
    console.print(f"Removing {what}", style="bold", soft_wrap=True)
    # The lab's own folder goes away: the log is elsewhere, and is kept only if something fails.
    logs = Path(tempfile.mkdtemp(prefix="postcopy-lab-destroy-"))
    with lab.locked() as locked:
        run_steps(
            locked,
            "destroy",
            {**lab.extra_vars, "local_nodes_absent_images": images},
            logs=logs,
        )
    shutil.rmtree(logs, ignore_errors=True)
    console.print(f"Lab {lab.inventory.lab} is gone.", soft_wrap=True)


def _confirm(question: str) -> None:
    """Ask on the terminal.

    Raises:
        InputError: the answer is no, or there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise InputError("nothing was removed: there is no terminal to ask on; say --yes")
    from analysis.evidence.console import printable

    answer = input(printable(f"{question} [y/N] "))
    if answer.strip().lower() not in ("y", "yes"):
        raise InputError("nothing was removed")
