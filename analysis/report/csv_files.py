"""CSV as every spreadsheet and notebook reads it: no formulas, empty fields for what is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.evidence.console import printable
from analysis.run.formatter import EMPTY

# What a spreadsheet may begin a formula with, in full width too, and behind white space.
_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def write_csv(path: Path, rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()) -> None:
    """Write the rows below a head of these columns, by default of all that any row has.

    A column of numbers is of one kind: with a fraction or a gap in it, whole numbers are written as 3.0.
    """
    # Here, since the processes that read and draw need csv_text alone, and pandas takes half a second.
    import pandas as pd

    frame = pd.DataFrame(list(rows), columns=list(columns) or None)
    frame.map(csv_text).to_csv(path, index=False)


def csv_text(value: object) -> object:
    """A text that no spreadsheet takes for a formula (https://owasp.org/www-community/attacks/CSV_Injection).

    What is not a text, or the text of a number, is left alone.
    """
    if not isinstance(value, str):
        return value
    text = printable(value)
    if text == EMPTY or not (text.lstrip().startswith(_FORMULA_STARTS) or text.startswith(("\t", "\n"))):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
