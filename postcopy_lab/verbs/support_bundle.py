"""`postcopy-lab support-bundle`."""

from __future__ import annotations

import functools
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from contract.evidence import STUDY_FILE
from postcopy_lab.board import make_console
from postcopy_lab.errors import CommandError, ExitCode, count, system_error
from postcopy_lab.inventory import Inventory
from postcopy_lab.journal import read_journal, read_order, run_directory
from postcopy_lab.lab import open_lab
from postcopy_lab.project import DEFAULT_INVENTORY, Project
from postcopy_lab.verbs.report import find_results

P = ParamSpec("P")
T = TypeVar("T")


def names_support_bundle(verb: Callable[Concatenate[str, P], T]) -> Callable[Concatenate[str, P], T]:
    """Have each failure of a verb name the call that packs what one needs to understand it.

    Bad input and Ctrl-C explain themselves.
    """

    @functools.wraps(verb)
    def called(inventory: str, /, *words: P.args, **options: P.kwargs) -> T:
        try:
            return verb(inventory, *words, **options)
        except (CommandError, OSError) as error:
            failure = system_error(error) if isinstance(error, OSError) else error
            if failure.exit_code != ExitCode.FAILED:
                raise
            given = {"-i": inventory, "--backend": options.get("backend")}
            usual = (None, DEFAULT_INVENTORY)
            option = [
                str(word) for name, value in given.items() if value not in usual for word in (name, value)
            ]
            call = shlex.join(["postcopy-lab", "support-bundle", *option])
            raise CommandError(f"{failure}; `{call}` packs what helps to understand it") from error

    return called


def support_bundle(inventory: str, target: str | None, *, backend: str | None, output: Path | None) -> None:
    """Write an archive with what is needed to understand a failed run or a failed provisioning.

    Raises:
        InputError: there is no such run, study or inventory, or the archive cannot be written.
    """
    lab = open_lab(inventory, backend=backend)
    results, run = find_run(lab.project, lab.inventory, target)
    console = make_console()
    from postcopy_lab.bundle import INDEX_FILE, write_bundle

    name = f"support-{lab.inventory.lab}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.tar.gz"
    file = Path(name) if output is None else output
    with console.status("Packing"):
        bundle = write_bundle(file, lab.project, lab.inventory, results, run)
    told = f"run {run.parent.name} {run.name}" if run else "no run: this lab has made none"
    console.print(
        f"{told}; {count(bundle.cut, 'file')} cut, secrets removed; {INDEX_FILE} lists all.", soft_wrap=True
    )
    console.print(f"{lab.project.shown(file)}: {bundle.size_bytes / 1e6:.1f} MB", soft_wrap=True)


def find_run(project: Project, inventory: Inventory, target: str | None) -> tuple[Path | None, Path | None]:
    """The results directory and the run that are meant.

    A run is given by its directory. Of a study, or of the newest results where nothing is given, it is the
    last run that was begun and not recorded, or failed, or is invalid; or else the last one.

    Raises:
        InputError: there are none such.
    """
    if target is not None:
        run = Path(target).resolve()
        if len(run.parents) > 2 and run.is_dir() and (run.parents[2] / STUDY_FILE).is_file():
            return run.parents[2], run
    elif not any(inventory.results_dir.glob(f"*/{inventory.lab}/{STUDY_FILE}")):
        return None, None
    results = find_results(project, inventory, target)
    order = read_order(results) or ()
    records = read_journal(results, order)
    begun = [key for key in order if key in records or run_directory(results, key).is_dir()]
    bad = [key for key in begun if key not in records or not records[key].good]
    chosen = bad or begun
    return results, run_directory(results, chosen[-1]) if chosen else None
