"""`postcopy-lab compare` of any number of results directories, by the article's claims."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING

from postcopy_lab.board import make_console
from postcopy_lab.errors import InputError
from postcopy_lab.project import Project
from postcopy_lab.verbs.compare import side
from postcopy_lab.verbs.report import open_results, reading

if TYPE_CHECKING:
    from analysis.reference.claims import Verdict
    from analysis.report.answers import Answer, Answers

STYLES = {"good": "green", "bad": "red", "warn": "yellow", "muted": "dim"}


def compare_claims(inventory: str, targets: Sequence[str], *, backend: str | None, form: str) -> None:
    """Print what each results directory says of the article's statements and of the slopes of its tables.

    Raises:
        InputError: a directory cannot be analysed, it has no claims or those of another article, too many.
    """
    if len(targets) > len(ascii_uppercase):
        raise InputError(f"{len(targets)} results directories (allowed: {len(ascii_uppercase)} at most)")
    opened = [open_results(inventory, target, backend) for target in targets]
    project = opened[0][0]
    from analysis.report.answers import answers_document, side_by_side

    with reading():
        found = side_by_side([directory for _, directory in opened])
    if form == "json":
        print(json.dumps(answers_document(found), indent=1))
    elif form == "md":
        print("\n".join(_markdown(found, project)))
    else:
        _print_table(found, project)


def _sides(found: Answers, project: Project) -> Iterator[str]:
    for name, one in zip(ascii_uppercase, found.analyses, strict=False):
        yield from side(name, one.results, project)


def _heads(found: Answers) -> tuple[str, ...]:
    names = ascii_uppercase[: len(found.analyses)]
    return ("the article says", "its own figure", *names, *(["together"] if len(names) > 1 else []))


def _print_table(found: Answers, project: Project) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from analysis.report.answers import SYMBOLS

    console = make_console()
    for line in _sides(found, project):
        console.print(line, soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=True)
    for head in _heads(found):
        table.add_column(head)
    for row in found.rows:
        said = Text(f"{row.statement} ").append(f"({row.where})", style="dim")
        judged = [Text(_cell(verdict), style=STYLES[SYMBOLS[verdict.verdict][1]]) for verdict in row.verdicts]
        table.add_row(said, row.article, *judged, *_together(row))
    console.print(table)


def _markdown(found: Answers, project: Project) -> Iterator[str]:
    from analysis.report.formats import markdown_text

    for line in _sides(found, project):
        yield f"- {markdown_text(line)}"
    heads = _heads(found)
    yield ""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in found.rows:
        said = f"{row.statement} ({row.where})"
        cells = (said, row.article, *map(_cell, row.verdicts), *_together(row))
        yield f"| {' | '.join(map(markdown_text, cells))} |"


def _cell(verdict: Verdict) -> str:
    """The verdict, and what it rests on."""
    from analysis.report.answers import SYMBOLS, found_words

    symbol, _tone = SYMBOLS[verdict.verdict]
    return f"{symbol} {found_words(verdict)}"


def _together(row: Answer) -> tuple[str, ...]:
    """What several labs say together; nothing of one."""
    from analysis.report.answers import SYMBOLS

    return (f"{SYMBOLS[row.answer][0]} {row.answer}",) if len(row.verdicts) > 1 else ()
