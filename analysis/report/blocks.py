"""What the report is made of: sections of text, tables, pictures and folds. Page and appendix share it.

Nothing here knows HTML or Markdown: `page.py` and `appendix.py` do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Link:
    """A short text that leads somewhere: a run's directory, an anchor of the page."""

    text: str
    href: str


@dataclass(frozen=True)
class Cell:
    """Text with an optional second line, a link and a tone (good, bad, warn, muted).

    share: drawn as a meter (0 to 1 and more); runs: the directories that the row comes from.
    """

    text: str
    note: str | None = None
    href: str | None = None
    tone: str | None = None
    share: float | None = None
    runs: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column's head with its unit; numbers are set to the right."""

    text: str
    unit: str | None = None
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A titled table; `caption` says what is in it and in which units.

    The first cell of a row names the row. cards: on a narrow screen each row becomes a card of its own,
    which suits rows of sentences; else the table scrolls inside its own box.
    """

    kind: ClassVar[str] = "table"
    identifier: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str | None = None
    cards: bool = False
    heading: bool = True


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Picture:
    """One picture; `svg` gives it for the page, once it is drawn, `files` stand beside that.

    `description` says what is to be seen in it.
    """

    kind: ClassVar[str] = "picture"
    identifier: str
    title: str
    description: str
    svg: Callable[[], str]
    files: tuple[Path, ...]
    runs: tuple[Link, ...] = ()
    wide: bool = False


@dataclass(frozen=True)
class Pictures:
    """Pictures beside each other where there is room."""

    kind: ClassVar[str] = "pictures"
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Lead:
    """The first sentences of a section, set off; the first of them is the most important."""

    kind: ClassVar[str] = "lead"
    lines: Sequence[str]
    tone: str | None = None


@dataclass(frozen=True)
class Tiles:
    """A few numbers that one sees from the last row: text large, note small."""

    kind: ClassVar[str] = "tiles"
    tiles: Sequence[Cell]


@dataclass(frozen=True)
class Part:
    """One piece of a bar: its colour (a variable of the style sheet), its share of the bar, and a word."""

    colour: str
    share: float
    text: str


@dataclass(frozen=True)
class Bar:
    """A bar of parts in a row; what is missing of 1 stays empty. shown: its label is printed above it."""

    kind: ClassVar[str] = "bar"
    label: str
    parts: Sequence[Part]
    shown: bool = False


@dataclass(frozen=True)
class Key:
    """A legend: colours' names with their meaning."""

    kind: ClassVar[str] = "key"
    entries: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Terms:
    """Terms with what they mean."""

    kind: ClassVar[str] = "terms"
    terms: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Fold:
    """Blocks behind one line that opens them; the line may carry a note and a bar."""

    kind: ClassVar[str] = "fold"
    identifier: str
    title: str
    blocks: Sequence[Block]
    note: str | None = None
    bar: Bar | None = None


Block = Table | Text | Lead | Picture | Pictures | Tiles | Bar | Key | Terms | Fold


@dataclass(frozen=True)
class Section:
    """One section of the report; `short` is its name in the contents."""

    identifier: str
    title: str
    short: str
    blocks: Sequence[Block]


def table_of(
    identifier: str,
    title: str,
    items: Iterable[T],
    columns: Sequence[tuple[Column, Callable[[T], Cell]]],
    caption: str | None = None,
    *,
    cards: bool = False,
    heading: bool = True,
) -> Table:
    """A table with a row per item: each column stands beside what makes its cell."""
    rows = [[cell_of(item) for _, cell_of in columns] for item in items]
    return Table(identifier, title, [column for column, _ in columns], rows, caption, cards, heading)


# Rows from which on a table of cases stands behind a line of its own.
_LONG_TABLE = 14


def folded_if_long(table: Table) -> Table | Fold:
    """The table as it is, or behind a fold where it would bury what comes after it."""
    if len(table.rows) < _LONG_TABLE:
        return table
    return Fold(
        f"fold-{table.identifier}", table.title, [replace(table, heading=False)], f"{len(table.rows)} rows"
    )


def label(text: str, note: str | None = None) -> Column:
    """A column of words."""
    return Column(text, note, numeric=False)
