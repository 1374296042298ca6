"""The scale of a study that leaves it to a probe of the lab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from control.study import PROBE, StudyError
from control.study_files import read_study
from postcopy_lab.errors import InputError
from postcopy_lab.journal import read_scale
from postcopy_lab.lab import Lab
from postcopy_lab.studies import results_of

PROBE_STUDY = "scale-probe"


def scale_of(
    lab: Lab, path: Path, make_probe: Callable[[], None], say: Callable[[str], None]
) -> float | None:
    """The scale for a study's file; None where it has its own.

    What is begun keeps its scale. Else it is that of the runs of PROBE_STUDY in this lab, which `make_probe`
    makes where they are missing. `say` is told what they show.

    Raises:
        InputError: the study's file or the probe's runs cannot be used.
    """
    try:
        study = read_study(path)
    except StudyError as error:
        raise InputError(str(error)) from error
    if study.scale != PROBE:
        return None
    recorded = read_scale(results_of(lab.inventory, study.name))
    if recorded is not None:
        return recorded
    say(f"{study.name} leaves its scale to a probe of the lab: study {PROBE_STUDY}.")
    make_probe()
    # Only now: the analysis takes a second to load, and other studies need none of it.
    from analysis.evidence.errors import InputError as UnfitResultsError
    from analysis.study.results import load_results
    from analysis.study.similarity import read_probe

    try:
        probe = read_probe(load_results(results_of(lab.inventory, PROBE_STUDY)))
    except UnfitResultsError as error:
        raise InputError(str(error)) from error
    say(probe.words)
    return probe.scale
