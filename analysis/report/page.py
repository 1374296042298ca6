"""Renders the one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import jinja2

from analysis.claims import NOT_TESTABLE, REPRODUCED
from analysis.report import comparisons, evidence_tables
from analysis.report.cells import Cell
from analysis.report.overview import Summary
from analysis.report.pictures import ArticleSection, TimelinePicture
from analysis.statistics import median_estimate
from analysis.study import Analysis

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(
    analysis: Analysis,
    summary: Summary,
    sections: Sequence[ArticleSection],
    timelines: Sequence[TimelinePicture],
    run_links: Mapping[str, str],
    results_link: str,
) -> str:
    """The page as text; links are relative to where it will lie."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    lab_tables = (
        evidence_tables.nodes_table(analysis),
        evidence_tables.link_table(analysis),
        evidence_tables.clocks_table(analysis),
        evidence_tables.deviations_table(analysis),
        evidence_tables.steps_table(analysis),
    )
    return environment.get_template("report.html.j2").render(
        summary=summary,
        lab=analysis.results.lab,
        published=analysis.published,
        written_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        tiles=_tiles(analysis),
        claims=evidence_tables.claims_table(analysis),
        cases=evidence_tables.cases_table(analysis),
        sections=sections,
        fits=comparisons.fits_table(analysis),
        bound=comparisons.bound_table(analysis),
        modes=comparisons.modes_table(analysis),
        timelines=timelines,
        sources=evidence_tables.source_tables(analysis),
        runs=evidence_tables.runs_tables(analysis, run_links),
        lab_tables=[table for table in lab_tables if table.rows],
        warnings=evidence_tables.warnings_table(analysis),
        stability=evidence_tables.stability_table(analysis),
        results_link=results_link,
    )


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
    shares = [run.figures.nova_share_seconds for run in analysis.results.runs if run.counted and run.figures]
    share = median_estimate([seconds for seconds in shares if seconds is not None])
    if share:
        tiles.append(Cell(f"{share.median:.1f} s", "nova's share of a migration's time (median)"))
    if analysis.verdicts:
        tiles.append(Cell(f"{reproduced} of {tested}", "testable claims reproduced"))
    return [*tiles, Cell(comparisons.link_text(analysis), "migration link, measured")]
