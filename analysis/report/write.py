"""Writes the report: one self-contained page, the tables as CSV, the pictures as SVG and PNG."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from analysis import figures
from analysis.report.overview import Summary, summarise
from analysis.report.page import render_page
from analysis.report.pictures import article_sections, timelines
from analysis.study import Analysis, analyse
from analysis.tables import cases_frame, fits_frame, readings_frame, runs_frame


@dataclass(frozen=True)
class ReportPaths:
    """What was written; `summary` is what the terminal shows."""

    html: Path
    csv: tuple[Path, ...]
    pictures: tuple[Path, ...]
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
    summary = summarise(analysis)
    # Relative, so that results and report can be moved together.
    results_link = Path(os.path.relpath(results_dir, output)).as_posix() + "/"
    run_links = {run.path: f"{results_link}{run.path}/" for run in analysis.results.runs}
    with figures.styled():
        sections = list(article_sections(analysis, output / "pictures"))
        lines = list(timelines(analysis, output / "pictures", run_links))
    html = output / "report.html"
    html.write_text(
        render_page(analysis, summary, sections, lines, run_links, results_link), encoding="utf-8"
    )
    drawn = [picture for section in sections for picture in section.pictures]
    drawn += [line.picture for line in lines]
    return ReportPaths(
        html=html,
        csv=tuple(_write_csv(analysis, output / "csv")),
        pictures=tuple(file for picture in drawn for file in picture.files),
        summary=summary,
    )


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
