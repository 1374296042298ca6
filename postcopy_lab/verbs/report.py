"""`postcopy-lab report`."""

from __future__ import annotations

import time
from pathlib import Path

from postcopy_lab.board import clock, make_console
from postcopy_lab.errors import InputError
from postcopy_lab.inventory import Inventory
from postcopy_lab.lab import open_lab
from postcopy_lab.project import Project


def report(inventory: str, target: str | None, *, backend: str | None) -> None:
    """Write the report of a results directory and print its summary.

    Raises:
        InputError: there is no such study or results directory, or it cannot be analysed.
    """
    lab = open_lab(inventory, backend=backend)
    project = lab.project
    results = find_results(project, lab.inventory, target)
    console = make_console()
    from analysis.report import InputError as AnalysisInputError
    from analysis.report import summary_table, write_report

    started_at = time.monotonic()
    try:
        with console.status("Reading the evidence"):
            written = write_report(results, None)
    except AnalysisInputError as error:
        raise InputError(str(error)) from error
    for line in written.summary.headline:
        console.print(line, soft_wrap=True)
    make_console(markup=True).print(summary_table(written.summary))
    console.print(
        f"{project.shown(written.html)}  (written in {clock(time.monotonic() - started_at)})", soft_wrap=True
    )


def find_results(project: Project, inventory: Inventory, target: str | None) -> Path:
    """The results directory that is meant: a path, a study's results in this lab, or the newest of this lab.

    Raises:
        InputError: there are none.
    """
    states = {
        path.parents[1].name: path for path in inventory.results_dir.glob(f"*/{inventory.lab}/study.json")
    }
    if target is None:
        if not states:
            raise InputError(
                f"{project.shown(inventory.results_dir)}: no results of lab {inventory.lab} yet; "
                "make some with `postcopy-lab study quick`"
            )
        return max(states.values(), key=lambda path: path.stat().st_mtime).parent
    # A study may be given as its file, as to the verb `study`: its name is the file's.
    study = Path(target).stem if Path(target).suffix == ".yml" else target
    if study in states:
        return states[study].parent
    if Path(target).is_dir():
        return Path(target).resolve()
    raise InputError(
        f"{target}: no results; give a results directory or a study that lab {inventory.lab} has run: "
        f"{', '.join(sorted(states)) or 'none yet'}"
    )
