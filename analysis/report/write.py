"""Writes the report: one self-contained page or a Markdown appendix, the tables as CSV, the pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from analysis import figures
from analysis.report.appendix import render_appendix
from analysis.report.context import Context
from analysis.report.overview import Summary, summarise
from analysis.report.page import render_page
from analysis.report.sections import all_sections
from analysis.study import Analysis, analyse
from analysis.tables import cases_frame, fits_frame, readings_frame, runs_frame


@dataclass(frozen=True)
class ReportPaths:
    """What was written; `html` is the page, `summary` is what the terminal shows."""

    html: Path
    csv: tuple[Path, ...]
    pictures: tuple[Path, ...]
    summary: Summary


@dataclass(frozen=True)
class AppendixPath:
    """The written Markdown file, and what the terminal shows."""

    markdown: Path
    summary: Summary


def write_report(results_dir: Path, output_dir: Path | None = None) -> ReportPaths:
    """Write report.html, csv/ and pictures/ into `output_dir` (default: report/ in the results directory).

    Everything written is derived: an old report is overwritten, raw results are only read. InputError (one
    line) if `results_dir` is not a results/<study>/<lab> directory.
    """
    analysis = analyse(results_dir)
    output = output_dir if output_dir is not None else results_dir / "report"
    (output / "csv").mkdir(parents=True, exist_ok=True)
    (output / "pictures").mkdir(parents=True, exist_ok=True)
    context = _context(analysis, output)
    with figures.styled():
        sections = all_sections(context)
    html = output / "report.html"
    html.write_text(render_page(analysis, sections), encoding="utf-8")
    return ReportPaths(
        html=html,
        csv=tuple(_write_csv(analysis, output / "csv")),
        pictures=tuple(context.drawn),
        summary=summarise(analysis),
    )


def write_appendix(results_dir: Path, output_dir: Path | None = None) -> AppendixPath:
    """Write report.md, a paper's appendix in plain Markdown, where `write_report` would write its page.

    InputError as there.
    """
    analysis = analyse(results_dir)
    output = output_dir if output_dir is not None else results_dir / "report"
    output.mkdir(parents=True, exist_ok=True)
    markdown = output / "report.md"
    markdown.write_text(render_appendix(_context(analysis, output)), encoding="utf-8")
    return AppendixPath(markdown, summarise(analysis))


def _context(analysis: Analysis, output: Path) -> Context:
    # Relative, so that results and report can be moved together.
    results_link = Path(os.path.relpath(analysis.results.directory, output)).as_posix() + "/"
    return Context(analysis, results_link, output / "pictures")


def _write_csv(analysis: Analysis, directory: Path) -> Iterator[Path]:
    published = analysis.published.numbers if analysis.published else {}
    frames = {
        "runs": runs_frame(analysis.results),
        "cases": cases_frame(analysis.cases),
        "sources": readings_frame(analysis.results),
        "fits": fits_frame(analysis.series, analysis.published),
        "claims": pd.DataFrame([asdict(verdict) for verdict in analysis.verdicts]),
        "warnings": pd.DataFrame([asdict(notice) for notice in analysis.results.notices]),
        "stability": pd.DataFrame([asdict(check) for check in analysis.stability]),
        "published": pd.DataFrame(list(published.items()), columns=["number", "value"]),
    }
    for name, frame in frames.items():
        path = directory / f"{name}.csv"
        frame.to_csv(path, index=False)
        yield path
