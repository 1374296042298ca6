"""What every section needs beside the analysis: the way to the run directories, and a place for pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from jinja2.utils import url_quote

from analysis import plots
from analysis.evidence.pool import Workers
from analysis.report.analysis import Analysis
from analysis.report.blocks import Cell, Column, Link, Picture
from analysis.report.cells import RUNS_COLUMN, missing
from analysis.report.extracts import Extracts
from analysis.study.results import RunResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

T = TypeVar("T")

# A plot of more runs is drawn in this process: sending them takes longer, and their memory twice.
_MOST_RUNS_SENT = 1000


def url_path(path: Path) -> str:
    """A relative path as a link has it: a name may hold `#`, `%` or bytes that are no text."""
    return url_quote(os.fsencode(path.as_posix()))


def _is_there(path: Path) -> bool:
    """A listed file may have any name, even one that is too long for the disk."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


@dataclass(frozen=True)
class Context:
    """One report that is being made.

    results_link: from the page to the results directory, with a slash at its end; pictures: where they are
    written; extracts: what was taken of single runs; workers: who draws; drawn: the files of all pictures.
    """

    analysis: Analysis
    results_link: str
    pictures: Path
    extracts: Extracts
    workers: Workers
    drawn: list[Path] = field(default_factory=list)

    def run_link(self, run: RunResult, text: str | None = None) -> Link:
        """To the run's directory of raw evidence; by default called by its number."""
        return Link(text or run.path.rsplit("/", 1)[-1], f"{self.results_link}{url_path(Path(run.path))}/")

    def file_link(self, file: str) -> str:
        """To a file of the results, given relative to them; to its run where it lies packed or is missing."""
        path = Path(file)
        directory = self.analysis.results.directory
        found = next((part for part in (path, *path.parents) if _is_there(directory / part)), Path())
        return f"{self.results_link}{url_path(found)}"

    def run_links(self, runs: Iterable[RunResult]) -> tuple[Link, ...]:
        """To several runs: of one case by their numbers, of several cases by case and number."""
        found = list(runs)
        if len({run.record.case for run in found}) > 1:
            return self.full_links(found)
        return tuple(self.run_link(run) for run in found)

    def full_links(self, runs: Iterable[RunResult]) -> tuple[Link, ...]:
        """To several runs, each called by case and number."""
        return tuple(self.run_link(run, run.path.removeprefix("runs/")) for run in runs)

    def paths_cell(self, paths: Iterable[str]) -> Cell:
        """The same of runs given by their paths in the results directory."""
        chosen = set(paths)
        return self.runs_cell(run for run in self.analysis.results.runs if run.path in chosen)

    def runs_cell(self, runs: Iterable[RunResult]) -> Cell:
        """The cell of a row that says which run directories it came from."""
        links = self.run_links(runs)
        return Cell("", runs=links) if links else missing()

    def runs_column(self, runs_of: Callable[[T], Iterable[RunResult]]) -> tuple[Column, Callable[[T], Cell]]:
        """The column of these cells."""
        return RUNS_COLUMN, lambda item: self.runs_cell(runs_of(item))

    def picture(
        self,
        identifier: str,
        title: str,
        description: str,
        draw: Callable[[], Figure],
        runs: Iterable[RunResult] = (),
        wide: bool = False,
    ) -> Picture:
        """Have it drawn and written as SVG and PNG, once. `description`: what is to be seen.

        `draw` makes the plot, which may happen in another process.
        """
        files = (self.pictures / f"{identifier}.svg", self.pictures / f"{identifier}.png")
        self.drawn.extend(files)
        links = self.full_links(runs)
        drawing = partial(_draw, draw, files, identifier, f"{title}. {description}")
        begin = self.workers.begin if len(links) <= _MOST_RUNS_SENT else Workers(1).begin
        return Picture(identifier, title, description, begin(drawing), files, links, wide)


def _draw(draw: Callable[[], Figure], files: tuple[Path, Path], identifier: str, label: str) -> str:
    """Write the picture's files; returns it for the page."""
    return plots.inline_svg(plots.save(draw, *files), identifier, label)
