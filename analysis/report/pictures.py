"""Draws the report's pictures into files and, for the page, as inline SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from analysis import figures
from analysis.report import comparisons
from analysis.report.cells import Table
from analysis.results import RunResult, load_measured
from analysis.study import Analysis
from analysis.tables import CaseSummary
from analysis.timeline import Timeline

_PNG_DPI = 160


@dataclass(frozen=True)
class Picture:
    """One picture of the page with its files."""

    identifier: str
    title: str
    svg: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class ArticleSection:
    """One table of the article with the two figures that draw it."""

    table: Table
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class TimelinePicture:
    """The picture of one case's most typical run; `moments` are (name, time) texts."""

    case: str
    run: str
    run_link: str
    moments: tuple[tuple[str, str], ...]
    picture: Picture


def article_sections(analysis: Analysis, directory: Path) -> Iterator[ArticleSection]:
    """Tables 2 to 4 with figures 1 to 6; a table that is neither published nor measured is left out."""
    published = analysis.published
    unloaded = [case for case in analysis.cases if case.spec.table == "table2"]
    table = comparisons.table_2(analysis)
    if table.rows:
        yield ArticleSection(
            table,
            (
                _figure(
                    1, "Migration time and outage", figures.unloaded_time(published, unloaded), directory
                ),
                _figure(2, "Data transferred", figures.unloaded_data(published, unloaded), directory),
            ),
        )
    for number, name, step in ((3, "table3", 256), (5, "table4", 1024)):
        series = [line for line in analysis.series if line.table == name]
        table = comparisons.stressed_table(analysis, name)
        if table.rows:
            time = figures.stressed_time(name, published, series)
            data = figures.stressed_data(name, published, series)
            yield ArticleSection(
                table,
                (
                    _figure(number, f"Migration time, steps of {step} MiB", time, directory),
                    _figure(number + 1, f"Data transferred, steps of {step} MiB", data, directory),
                ),
            )


def timelines(analysis: Analysis, directory: Path, links: Mapping[str, str]) -> Iterator[TimelinePicture]:
    """One timeline per case that migrated; `links` leads from a run's path to its directory."""
    lab = analysis.results.lab
    for case in analysis.cases:
        run = _typical(case)
        if run is None:
            continue
        measured = load_measured(analysis.results.directory, run.path, lab)
        figure = figures.timeline_picture(measured, lab.offset_seconds(run.record.prober))
        picture = _picture(f"timeline-{case.case}", f"Timeline of {case.case}", figure, directory)
        moments = tuple(_moments(measured.timeline))
        yield TimelinePicture(case.case, run.path, links[run.path], moments, picture)


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


def _figure(number: int, title: str, figure: Figure, directory: Path) -> Picture:
    return _picture(f"figure-{number}", f"Figure {number}: {title}", figure, directory)


def _picture(identifier: str, title: str, figure: Figure, directory: Path) -> Picture:
    svg = figures.svg_file(figure)
    files = (directory / f"{identifier}.svg", directory / f"{identifier}.png")
    files[0].write_text(svg, encoding="utf-8")
    figure.savefig(files[1], dpi=_PNG_DPI, facecolor="white")
    return Picture(identifier, title, figures.inline_svg(svg, identifier, title), files)
