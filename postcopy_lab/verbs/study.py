"""`postcopy-lab study`."""

from __future__ import annotations

from typing import Any

from postcopy_lab.board import make_console, open_board
from postcopy_lab.errors import CommandError, ExitCode, InputError, InterruptedByUserError, count
from postcopy_lab.journal import read_journal
from postcopy_lab.lab import Lab, open_lab, run_and_clean
from postcopy_lab.runner import Outcome
from postcopy_lab.scaling import PROBE_STUDY, scale_of
from postcopy_lab.status import answering
from postcopy_lab.studies import Plan, find_study, load_plan, study_variable
from postcopy_lab.study_progress import StudyProgress, describe_totals
from postcopy_lab.verbs.provision import provision_lab
from postcopy_lab.verbs.support_bundle import names_support_bundle

# Ansible takes the tasks of all runs of a call in before the first one begins, and frees them with the call.
RUNS_A_CALL = 50


@names_support_bundle
def study(
    inventory: str,
    name: str,
    *,
    backend: str | None,
    repetitions: int | None,
    only: str | None,
    resume: bool,
    provision: bool,
    release: str | None,
    plain_strategy: bool,
) -> ExitCode:
    """Make what is missing of a study, and say how its runs ended.

    Raises:
        CommandError: the playbook failed, it was interrupted, or bad input.
    """
    lab = open_lab(inventory, release, plain_strategy, backend)
    console = make_console()

    def make_probe() -> None:
        study(
            inventory, PROBE_STUDY, backend=backend, repetitions=None, only=None, resume=True,
            provision=provision, release=release, plain_strategy=plain_strategy,
        )  # fmt: skip

    scale = scale_of(
        lab,
        find_study(lab.project, name),
        make_probe,
        lambda text: console.print(text, style="bold", soft_wrap=True),
    )
    plan = load_plan(
        lab.project,
        lab.inventory,
        name,
        repetitions=repetitions,
        only=only,
        release=release,
        scale=scale,
    )
    shown_results = lab.project.shown(plan.results)
    if not resume and read_journal(plan.results, plan.order):
        raise InputError(
            f"{shown_results}: has runs of this study already; go on with --resume, "
            "or move the directory away to begin anew (allowed with --no-resume: no run yet)"
        )
    finished = read_journal(plan.results, plan.wanted)
    missing = [key for key in plan.wanted if key not in finished]
    console.print(f"Study {plan.name} on {lab.title}", style="bold", soft_wrap=True)
    console.print(
        f"{count(len(plan.wanted), 'run')} of {count(len(plan.selected), 'case')}: "
        f"{len(finished)} done, {len(missing)} to make. Evidence goes to {shown_results}.",
        soft_wrap=True,
    )
    if missing:
        extra_vars = {**lab.extra_vars, "study": study_variable(lab.project, plan), "most_runs": RUNS_A_CALL}
        optional = {"repetitions": repetitions, "only": only, "scale": scale}
        extra_vars.update({key: value for key, value in optional.items() if value is not None})
        if provision and len(answering(lab.inventory.nodes)) < len(lab.inventory.nodes):
            provision_lab(lab)
        outcome = _make_runs(lab, plan, extra_vars)
        if provision and outcome.needs_provisioning:
            console.print(str(outcome.failure), style="yellow", soft_wrap=True)
            provision_lab(lab)
            outcome = _make_runs(lab, plan, extra_vars)
        outcome.raise_for_failure()
    records = read_journal(plan.results, plan.wanted)
    console.print(describe_totals(list(records.values())), soft_wrap=True)
    if len(records) < len(plan.wanted):
        raise CommandError(f"{shown_results}: {count(len(plan.wanted) - len(records), 'run')} still missing")
    bad = [record for record in records.values() if not record.good]
    if bad:
        console.print(
            f"{count(len(bad), 'run')} failed or invalid: kept, with the cause. A run is made again "
            f"if its directory in {lab.project.shown(plan.results / 'runs')} is moved away. "
            f"`{lab.command('support-bundle', plan.name)}` packs what helps to understand the last of them.",
            style="yellow",
            soft_wrap=True,
        )
    console.print(f"Report: {lab.command('report', plan.name)}", soft_wrap=True)
    return ExitCode.RUNS_FAILED if bad else ExitCode.OK


def _make_runs(lab: Lab, plan: Plan, extra_vars: dict[str, Any]) -> Outcome:
    """Call the playbook of the study until nothing is missing or a call fails; returns the last call's end.

    Raises:
        InterruptedByUserError: Ctrl-C.
    """
    with lab.locked() as locked, open_board(make_console()) as board:
        progress = StudyProgress(board, plan.specs, plan.wanted, read_journal(plan.results, plan.wanted))
        while True:
            made_before = len(progress.made)
            outcome = run_and_clean(locked, board, "study", extra_vars, progress)
            made = len(progress.made) - made_before
            if outcome.cancelled or outcome.failure or made < RUNS_A_CALL or not progress.pending:
                break
    if outcome.cancelled:
        done = len(read_journal(plan.results, plan.wanted))
        raise InterruptedByUserError(
            f"{done} of {count(len(plan.wanted), 'run')} done and kept; the same command makes the rest"
        )
    return outcome
