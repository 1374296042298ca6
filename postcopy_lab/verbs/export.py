"""`postcopy-lab export`."""

from __future__ import annotations

from pathlib import Path

from postcopy_lab.board import make_console
from postcopy_lab.errors import InputError, count
from postcopy_lab.verbs.report import open_results

PACKING = "Packing the evidence"


def export(inventory: str, results: str, target: str, *, backend: str | None) -> None:
    """Copy a results directory with its logs packed, to share it, and print how large it is.

    Raises:
        InputError: there is no such study or results directory, or `target` cannot be written.
    """
    project, directory = open_results(inventory, results, backend)
    console = make_console()
    from analysis.evidence.errors import InputError as AnalysisInputError
    from postcopy_lab.export import export_results

    try:
        with console.status(PACKING) as status:
            exported = export_results(
                directory,
                Path(target),
                lambda done, total: status.update(f"{PACKING}: {done} of {total} runs"),
            )
    except AnalysisInputError as error:
        raise InputError(str(error)) from error
    for doubt in exported.doubts:
        console.print(f"not as it was fetched, copied all the same: {doubt}", soft_wrap=True)
    intact = "" if exported.doubts else "; every checksum holds"
    console.print(
        f"{project.shown(Path(target))}: {count(exported.runs, 'run')}, {count(exported.files, 'file')}, "
        f"{exported.bytes_after / 1e6:.1f} MB of {exported.bytes_before / 1e6:.1f} MB{intact}",
        soft_wrap=True,
    )
