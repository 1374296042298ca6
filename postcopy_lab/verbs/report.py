"""`postcopy-lab report`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.evidence import STUDY_FILE
from postcopy_lab.board import clock, make_console
from postcopy_lab.errors import InputError
from postcopy_lab.inventory import Inventory
from postcopy_lab.lab import open_lab
from postcopy_lab.project import Project, find_project

READING = "Reading the evidence"


@contextmanager
def reading() -> Iterator[None]:
    """Show on stderr that evidence is read, since what is printed may be piped; its errors are bad input.

    Raises:
        InputError: the analysis refused what it was given.
    """
    from analysis.evidence.errors import InputError as AnalysisInputError

    try:
        with make_console(stderr=True).status(READING):
            yield
    except AnalysisInputError as error:
        raise InputError(str(error)) from error


def report(
    inventory: str, target: str | None, *, backend: str | None, form: str = "html", output: Path | None = None
) -> None:
    """Write the report of a results directory, into it or into `output`, and print its summary.

    `form`: html, the page with what lies beside it, or md, the appendix.

    Raises:
        InputError: there is no such study or results directory, it cannot be analysed, or the report not
            written.
    """
    project, results = open_results(inventory, target, backend)
    console = make_console()
    from analysis.report import InputError as AnalysisInputError
    from analysis.report import summary_table, write_appendix, write_report

    started_at = time.monotonic()
    try:
        with console.status(READING) as status:

            def progress(done: int, total: int) -> None:
                status.update(f"{READING}: {done} of {total} runs")

            if form == "md":
                appendix = write_appendix(results, output, progress)
                file, summary = appendix.markdown, appendix.summary
            else:
                written = write_report(results, output, progress)
                file, summary = written.html, written.summary
    except AnalysisInputError as error:
        raise InputError(str(error)) from error
    for line in summary.headline:
        console.print(line, soft_wrap=True)
    console.print(summary_table(summary))
    console.print(
        f"{project.shown(file)}  (written in {clock(time.monotonic() - started_at)})", soft_wrap=True
    )


def open_results(inventory: str, target: str | None, backend: str | None) -> tuple[Project, Path]:
    """The checkout, and the results directory that is meant; one given by its path needs no lab.

    Raises:
        InputError: there is no such study or results directory, or the inventory is unfit.
    """
    if target is not None and (Path(target) / STUDY_FILE).is_file():
        return find_project(), Path(target).resolve()
    lab = open_lab(inventory, backend=backend)
    return lab.project, find_results(lab.project, lab.inventory, target)


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
