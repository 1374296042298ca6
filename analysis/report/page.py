"""Renders the sections as one self-contained page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from analysis.evidence.console import printable
from analysis.report.analysis import Analysis
from analysis.report.blocks import Section
from contract.modes import Mode

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(analysis: Analysis, sections: Sequence[Section]) -> str:
    """The page as text; nothing in it is loaded from elsewhere."""
    return report_template("report.html.j2", _printable).render(
        study=analysis.results.study,
        lab=analysis.results.lab,
        sections=sections,
        modes=tuple(Mode),
        written_at=written_at(),
    )


def report_template(
    name: str, finalize: Callable[[Any], Any], keep_trailing_newline: bool = False
) -> jinja2.Template:
    """A template of the report, escaped; `finalize` makes of each value what is printed."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=keep_trailing_newline,
    )
    return environment.get_template(name)


def _printable(value: Any) -> Any:
    """What the template prints, before it is escaped; pictures and macros are markup already."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def written_at() -> str:
    """Now, as the report's head says it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
