"""The report for a paper's appendix: tables 2 to 4, claims, environment and deviations in plain Markdown."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from analysis.report.blocks import Table, Text
from analysis.report.context import Context
from analysis.report.formats import markdown_text
from analysis.report.overview import claim_grounds, summarise
from analysis.report.page import report_template, written_at
from analysis.report.sections.article import article_tables
from analysis.report.sections.claims import claims_table
from analysis.report.sections.environment import environment_tables
from analysis.report.sections.lines import fits_table
from analysis.report.sections.summary import headline_table
from analysis.report.sections.wall_time import floor_table

# Run directories are listed once at the end: a column of links is of no use on paper.
_LEFT_OUT = ("runs", "more in")


def render_appendix(context: Context) -> str:
    """The document as text; run directories are named relative to the results directory."""
    analysis = context.analysis
    grounds = claim_grounds(analysis) if analysis.verdicts else ()
    blocks: list[Table | Text] = [
        headline_table(context),
        *article_tables(context),
        fits_table(context),
        claims_table(context),
        *map(Text, grounds),
        *environment_tables(analysis),
        floor_table(context),
    ]
    return report_template("appendix.md.j2", _escaped, keep_trailing_newline=True).render(
        study=analysis.results.study,
        lab=analysis.results.lab,
        published=analysis.published,
        headline=summarise(analysis).headline,
        blocks=blocks,
        cases=analysis.cases,
        left_out=_LEFT_OUT,
        written_at=written_at(),
        zip=zip,
    )


def _escaped(value: Any) -> Markup:
    """What the template prints, shown as it is; the output of a macro is Markdown already."""
    return value if isinstance(value, Markup) else Markup(markdown_text(str(value)))
