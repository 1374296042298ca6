"""CSV as every spreadsheet and notebook reads it: no formulas, empty fields for what is not known."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from analysis.evidence.console import printable
from analysis.run.formatter import EMPTY


def write_csv(path: Path, rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()) -> None:
    """Write the rows below a head of these columns, by default of all that any row has.

    A column of numbers is of one kind: with a fraction or a gap in it, whole numbers are written as 3.0.
    """
    names = columns or list(dict.fromkeys(chain.from_iterable(rows)))
    fields = [list(_fields([row.get(name) for row in rows])) for name in names]
    with path.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(zip(*fields, strict=True))


def _fields(values: Sequence[object]) -> Iterator[object]:
    """One column's fields."""
    known = [value for value in values if value is not None]
    numbers = [value for value in known if isinstance(value, int | float) and not isinstance(value, bool)]
    whole = len(known) == len(values) and all(isinstance(value, int) for value in numbers)
    fractions = len(numbers) == len(known) and not whole
    for value in values:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            yield ""
        elif fractions and isinstance(value, int | float):
            yield float(value)
        else:
            yield csv_text(value)


def csv_text(value: object) -> object:
    """A text that no spreadsheet takes for a formula (https://owasp.org/www-community/attacks/CSV_Injection).

    What is not a text, or the text of a number, is left alone.
    """
    if not isinstance(value, str):
        return value
    text = printable(value)
    if text == EMPTY or not text.startswith(("=", "+", "-", "@", "\t")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
