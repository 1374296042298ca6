"""The report's sentences: templates/words/SECTION.j2, a macro for each text, and its terms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2
import yaml

from analysis.run.formatter import counted, significant

_FOLDER = Path(__file__).parent / "templates" / "words"


def words(name: str, **values: object) -> str:
    """The text SECTION.MACRO with these values, on one line and not escaped: who prints it does that.

    Raises:
        jinja2.TemplateNotFound, AttributeError: there is no such section or text.
    """
    section, _, macro = name.partition(".")
    text = getattr(_environment().get_template(f"{section}.j2").module, macro)(**values)
    return " ".join(text.split())


def terms() -> Sequence[tuple[str, str]]:
    """The terms of the definitions with their meanings, in their order."""
    found: dict[str, str] = yaml.safe_load((_FOLDER / "terms.yml").read_text(encoding="utf-8"))
    return list(found.items())


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["significant"] = significant
    environment.filters["counted"] = counted
    return environment
