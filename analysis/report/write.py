"""Writes the report: one self-contained page, the tables as CSV, the pictures as SVG and PNG."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from analysis import figures
from analysis.claims import NOT_TESTABLE, REPRODUCED
from analysis.evidence import read_evidence
from analysis.report import comparisons, evidence_tables
from analysis.report.cells import Cell, Table
from analysis.report.overview import Summary, summarise
from analysis.results import RunResult, load_measured
from analysis.study import Analysis, analyse
from analysis.tables import CaseSummary, cases_frame, fits_frame, readings_frame, runs_frame
from analysis.timeline import Timeline

_TEMPLATES = Path(__file__).parent / "templates"
_PNG_DPI = 160


@dataclass(frozen=True)
class ReportPaths:
    """What was written; `summary` is what the terminal shows."""

    html: Path
    csv: tuple[Path, ...]
    pictures: tuple[Path, ...]
    summary: Summary


@dataclass(frozen=True)
class Picture:
    """One picture of the page with its files."""

    identifier: str
    title: str
    caption: str
    svg: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class TimelinePicture:
    """The picture of one case's most typical run."""

    case: str
    run: str
    run_link: str
    moments: tuple[tuple[str, str], ...]
    picture: Picture


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
    links = _run_links(analysis, output)
    with figures.styled():
        article = list(_article_pictures(analysis, output))
        timelines = list(_timelines(analysis, output, links))
    html = output / "report.html"
    html.write_text(_page(analysis, summary, article, timelines, links, output), encoding="utf-8")
    return ReportPaths(
        html=html,
        csv=tuple(_write_csv(analysis, output / "csv")),
        pictures=tuple(
            file for item in [*article, *(item.picture for item in timelines)] for file in item.files
        ),
        summary=summary,
    )


def _run_links(analysis: Analysis, output: Path) -> dict[str, str]:
    """From the page to each run's directory, relative so that both can be moved together."""
    directory = analysis.results.directory
    return {
        run.path: Path(os.path.relpath(directory / run.path, output)).as_posix() + "/"
        for run in analysis.results.runs
    }


def _article_pictures(analysis: Analysis, output: Path) -> Iterator[Picture]:
    published = analysis.published
    unloaded = [case for case in analysis.cases if case.spec.table == "table2"]
    series = {
        table: [line for line in analysis.series if line.table == table] for table in ("table3", "table4")
    }
    draw: list[tuple[str, Callable[[], Figure]]] = [
        ("Migration time and outage, unloaded guests", lambda: figures.unloaded_time(published, unloaded)),
        ("Data transferred, unloaded guests", lambda: figures.unloaded_data(published, unloaded)),
        (
            "Migration time, steps of 256 MiB",
            lambda: figures.stressed_time("table3", published, series["table3"]),
        ),
        (
            "Data transferred, steps of 256 MiB",
            lambda: figures.stressed_data("table3", published, series["table3"]),
        ),
        (
            "Migration time, steps of 1024 MiB",
            lambda: figures.stressed_time("table4", published, series["table4"]),
        ),
        (
            "Data transferred, steps of 1024 MiB",
            lambda: figures.stressed_data("table4", published, series["table4"]),
        ),
    ]
    for number, (title, make) in enumerate(draw, start=1):
        yield _picture(f"figure-{number}", f"Figure {number}: {title}", "", make(), output)


def _timelines(analysis: Analysis, output: Path, links: dict[str, str]) -> Iterator[TimelinePicture]:
    lab = analysis.results.lab
    for case in analysis.cases:
        run = _typical(case)
        if run is None:
            continue
        measured = load_measured(analysis.results.directory, run.path, lab)
        ping = read_evidence(analysis.results.directory / run.path).ping
        figure = figures.timeline_picture(measured, ping, lab.offset_seconds(run.record.prober))
        picture = _picture(f"timeline-{case.case}", f"Timeline of {case.case}", "", figure, output)
        yield TimelinePicture(
            case.case, run.path, links[run.path], tuple(_moments(measured.timeline)), picture
        )


def _typical(case: CaseSummary) -> RunResult | None:
    """The run with the middle migration time: of the counted, else of the aborted, else of any."""
    for runs in (case.counted, case.not_converged, case.runs):
        timed = sorted(
            (run.figures.migration_seconds, run.path, run) for run in runs if run.figures is not None
        )
        if timed:
            return timed[(len(timed) - 1) // 2][2]
    return None


def _moments(timeline: Timeline) -> Iterator[tuple[str, str]]:
    moments = (
        ("first bytes", timeline.started),
        ("first pass done", timeline.first_pass_done),
        ("source stopped", timeline.source_stopped),
        ("destination resumed", timeline.destination_resumed),
        ("post-copy seen in reverse traffic", timeline.border_by_traffic),
        ("completed" if timeline.converged else "aborted at its limit", timeline.completed),
    )
    for name, moment in moments:
        if moment is not None:
            yield name, f"{moment - timeline.requested:.2f} s"


def _picture(identifier: str, title: str, caption: str, figure: Figure, output: Path) -> Picture:
    svg = figures.svg_file(figure)
    files = (output / "pictures" / f"{identifier}.svg", output / "pictures" / f"{identifier}.png")
    files[0].write_text(svg, encoding="utf-8")
    figure.savefig(files[1], dpi=_PNG_DPI, facecolor="white")
    return Picture(identifier, title, caption, figures.inline_svg(svg, identifier, title), files)


def _write_csv(analysis: Analysis, directory: Path) -> Iterator[Path]:
    published = analysis.published.numbers if analysis.published else {}
    frames = {
        "runs": runs_frame(analysis.results),
        "cases": cases_frame(analysis.cases),
        "sources": readings_frame(analysis.results),
        "fits": fits_frame(analysis.series, analysis.published),
        "claims": pd.DataFrame([asdict(verdict) for verdict in analysis.verdicts]),
        "warnings": pd.DataFrame([asdict(notice) for notice in analysis.results.notices]),
        "published": pd.DataFrame(list(published.items()), columns=["number", "value"]),
    }
    for name, frame in frames.items():
        path = directory / f"{name}.csv"
        frame.to_csv(path, index=False)
        yield path


def _tiles(analysis: Analysis) -> list[Cell]:
    """The few figures that one sees from the last row."""
    completed = sum(run.counted for run in analysis.results.runs)
    endless = sum(len(case.not_converged) for case in analysis.cases)
    damaged, migrated = sum(analysis.guests_not_intact.values()), analysis.migrated_guests
    reproduced = sum(verdict.verdict == REPRODUCED for verdict in analysis.verdicts)
    tested = sum(verdict.verdict != NOT_TESTABLE for verdict in analysis.verdicts)
    tiles = [
        Cell(f"{len(analysis.results.runs)} of {analysis.planned}", "planned runs done"),
        Cell(str(completed), "completed, guest intact", tone="good" if completed else None),
        Cell(str(endless), "did not converge in time"),
        Cell(
            f"{migrated - damaged} of {migrated}",
            "migrated guests intact",
            tone="bad" if damaged else "good" if migrated else None,
        ),
    ]
    if analysis.verdicts:
        tiles.append(Cell(f"{reproduced} of {tested}", "testable claims reproduced"))
    return [*tiles, Cell(comparisons.link_text(analysis), "migration link, measured")]


def _page(
    analysis: Analysis,
    summary: Summary,
    article: Sequence[Picture],
    timelines: Sequence[TimelinePicture],
    links: dict[str, str],
    output: Path,
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    lab_tables: list[Table] = [
        evidence_tables.nodes_table(analysis),
        evidence_tables.link_table(analysis),
        evidence_tables.clocks_table(analysis),
        evidence_tables.deviations_table(analysis),
        evidence_tables.steps_table(analysis),
    ]
    return environment.get_template("report.html.j2").render(
        summary=summary,
        lab=analysis.results.lab,
        published=analysis.published,
        written_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        link=comparisons.link_text(analysis),
        tiles=_tiles(analysis),
        claims=evidence_tables.claims_table(analysis),
        cases=evidence_tables.cases_table(analysis),
        pairs=[
            (comparisons.table_2(analysis), article[0:2]),
            (comparisons.stressed_table(analysis, "table3"), article[2:4]),
            (comparisons.stressed_table(analysis, "table4"), article[4:6]),
        ],
        fits=comparisons.fits_table(analysis),
        bound=comparisons.bound_table(analysis),
        modes=comparisons.modes_table(analysis),
        timelines=timelines,
        sources=evidence_tables.source_tables(analysis),
        runs=evidence_tables.runs_tables(analysis, links),
        lab_tables=[table for table in lab_tables if table.rows],
        warnings=evidence_tables.warnings_table(analysis),
        results_link=Path(os.path.relpath(analysis.results.directory, output)).as_posix() + "/",
    )
