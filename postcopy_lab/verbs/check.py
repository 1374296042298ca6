"""`postcopy-lab check`."""

from __future__ import annotations

from postcopy_lab.board import make_console, open_board
from postcopy_lab.certificates import ending_soon
from postcopy_lab.checks import CheckProgress
from postcopy_lab.errors import count
from postcopy_lab.lab import open_lab, raise_if_stopped, run_and_clean
from postcopy_lab.verbs.provision import RENEWAL
from postcopy_lab.verbs.support_bundle import names_support_bundle


@names_support_bundle
def check(inventory: str, *, release: str | None, plain_strategy: bool, backend: str | None) -> None:
    """Run all checks of the lab.

    Raises:
        CommandError: a check failed, or bad input.
    """
    opened = open_lab(inventory, release, plain_strategy, backend)
    console = make_console()
    console.print(f"Checking {opened.title}", style="bold", soft_wrap=True)
    with opened.locked() as lab, open_board(console) as board:
        progress = CheckProgress(board)
        outcome = run_and_clean(lab, board, "check", lab.extra_vars, progress)
    for line in ending_soon(opened.inventory.state_dir, opened.command(*RENEWAL)):
        console.print(line, style="yellow", soft_wrap=True)
    raise_if_stopped(outcome, lab.command("check"))
    outcome.raise_for_failure()
    console.print(f"All is well: {count(progress.passed, 'check')} passed.", style="green", soft_wrap=True)
