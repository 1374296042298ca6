"""What every section needs beside the analysis: the way to the run directories, and a place for pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from jinja2.utils import url_quote
from matplotlib.figure import Figure

from analysis import plots
from analysis.report.analysis import Analysis
from analysis.report.blocks import Cell, Link, Picture
from analysis.report.cells import missing
from analysis.study.results import RunResult

_PNG_DPI = 160


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
    written; drawn: the files of all pictures so far.
    """

    analysis: Analysis
    results_link: str
    pictures: Path
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

    def picture(
        self,
        identifier: str,
        title: str,
        description: str,
        figure: Figure,
        runs: Iterable[RunResult] = (),
        wide: bool = False,
    ) -> Picture:
        """Write the figure as SVG and PNG, and give it for the page. `description`: what is to be seen."""
        svg = plots.svg_file(figure)
        files = (self.pictures / f"{identifier}.svg", self.pictures / f"{identifier}.png")
        files[0].write_text(svg, encoding="utf-8")
        figure.savefig(files[1], dpi=_PNG_DPI, facecolor="white")
        self.drawn.extend(files)
        inline = plots.inline_svg(svg, identifier, f"{title}. {description}")
        return Picture(identifier, title, description, inline, files, self.full_links(runs), wide)
