"""Writes the report: one self-contained page or a Markdown appendix, the tables as CSV, the pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from analysis import plots
from analysis.evidence.errors import InputError
from analysis.evidence.pool import Workers
from analysis.reference.claims import Verdict
from analysis.reference.document import claim_record, claims_document
from analysis.reference.fits import fits_rows
from analysis.report.analysis import Analysis, analyse
from analysis.report.appendix import render_appendix
from analysis.report.context import Context, url_path
from analysis.report.csv_files import write_csv
from analysis.report.extracts import Extracts
from analysis.report.overview import Summary, summarise
from analysis.report.page import render_page
from analysis.report.sections import all_sections
from analysis.study.frames import CASES_COLUMNS, READINGS_COLUMNS, Row, cases_rows, readings_rows, runs_rows

_PUBLISHED = ("number", "value")


@dataclass(frozen=True)
class ReportPaths:
    """What was written; `html` is the page, `claims` claims.json, `summary` is what the terminal shows."""

    html: Path
    claims: Path
    csv: tuple[Path, ...]
    pictures: tuple[Path, ...]
    summary: Summary


@dataclass(frozen=True)
class AppendixPath:
    """The written Markdown file, and what the terminal shows."""

    markdown: Path
    summary: Summary


def write_report(
    results_dir: Path,
    output_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> ReportPaths:
    """Write report.html, csv/ and pictures/ into `output_dir` (default: report/ in the results directory).

    Everything written is derived: an old report is overwritten, raw results are only read. `progress` is told
    how many runs are read, and of how many. `workers`: how many processes read and draw, see Workers.
    InputError (one line) if `results_dir` is not a results/<study>/<lab> directory, or `output_dir` cannot be
    written.
    """
    # This module brings what reads runs.
    with Workers(workers, (__name__, *plots.MODULES)) as pool, Extracts() as extracts:
        pool.prepare(plots.load)
        # They take as long to start as the statistics take to be imported.
        import_module("scipy.stats")
        analysis = analyse(results_dir, progress, pool, extracts)
        with _writing(results_dir, output_dir) as output:
            (output / "csv").mkdir(exist_ok=True)
            (output / "pictures").mkdir(exist_ok=True)
            context = _context(analysis, output, extracts, pool)
            sections = all_sections(context)
            # While the pictures are drawn.
            csv = tuple(write_tables(analysis, extracts, output / "csv"))
            html = output / "report.html"
            html.write_text(render_page(analysis, sections), encoding="utf-8")
            return ReportPaths(
                html=html,
                claims=_write_claims(analysis, output / "claims.json"),
                csv=csv,
                pictures=tuple(context.drawn),
                summary=summarise(analysis),
            )


def write_appendix(
    results_dir: Path,
    output_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> AppendixPath:
    """Write report.md, a paper's appendix in plain Markdown, where `write_report` would write its page.

    `progress` and InputError as there.
    """
    analysis = analyse(results_dir, progress)
    with _writing(results_dir, output_dir) as output, Extracts() as extracts:
        markdown = output / "report.md"
        context = _context(analysis, output, extracts, Workers(1))
        markdown.write_text(render_appendix(context), encoding="utf-8")
        return AppendixPath(markdown, summarise(analysis))


@contextmanager
def _writing(results_dir: Path, output_dir: Path | None) -> Iterator[Path]:
    """Where to write, made if it is not there; what the disk refuses becomes an InputError."""
    output = output_dir if output_dir is not None else results_dir / "report"
    try:
        output.mkdir(parents=True, exist_ok=True)
        yield output
    except OSError as error:
        reason = f"{error.filename or output}: {error.strerror}"
        raise InputError(f"{reason}; --output writes the report to another place") from error


def _context(analysis: Analysis, output: Path, extracts: Extracts, workers: Workers) -> Context:
    # Relative, so that results and report can be moved together.
    results_link = url_path(Path(os.path.relpath(analysis.results.directory, output))) + "/"
    return Context(analysis, results_link, output / "pictures", extracts, workers)


def _all_verdicts(analysis: Analysis) -> tuple[Verdict, ...]:
    return (*analysis.verdicts, *analysis.number_verdicts)


def _write_claims(analysis: Analysis, path: Path) -> Path:
    results, lab = analysis.results, analysis.results.lab
    document = claims_document(
        results.study.name, lab.lab, lab.release, lab.kit_commit, results.scale, _all_verdicts(analysis)
    )
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _claim_row(verdict: Verdict) -> dict[str, Any]:
    """The record of claims.json, flat."""
    record = claim_record(verdict)
    low, high = record.pop("interval") or (None, None)
    return {**record, "low": low, "high": high, "runs": " ".join(record["runs"])}


def write_tables(analysis: Analysis, extracts: Extracts, directory: Path) -> Iterator[Path]:
    """Write each table as CSV into the directory; yields the files."""
    published = analysis.published.numbers if analysis.published else {}
    tables: Mapping[str, tuple[Sequence[Row], Sequence[str]]] = {
        "runs": (runs_rows(analysis.results), ()),
        "cases": (cases_rows(analysis.cases), CASES_COLUMNS),
        "sources": (readings_rows(analysis.results), READINGS_COLUMNS),
        "fits": (fits_rows(analysis.series, analysis.published), ()),
        "claims": ([_claim_row(verdict) for verdict in _all_verdicts(analysis)], ()),
        "warnings": ([asdict(notice) for notice in analysis.results.notices], ()),
        "stability": ([asdict(check) for check in analysis.stability], ()),
        "published": ([{"number": name, "value": value} for name, value in published.items()], _PUBLISHED),
    }
    for name, (rows, columns) in tables.items():
        path = directory / f"{name}.csv"
        write_csv(path, rows, columns)
        yield path
    yield from extracts.write_tables(analysis.results.runs, directory)
