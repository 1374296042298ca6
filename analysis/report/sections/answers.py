"""The article's statements as this study judges them, and beside it the labs whose runs are shipped."""

from __future__ import annotations

from analysis.reference.recorded import RecordedLab, load_recorded
from analysis.report.answers import SYMBOLS, found_words, shown_verdicts, together
from analysis.report.blocks import Cell, Column, Section, Table, Text, label
from analysis.report.context import Context
from analysis.report.words import words
from analysis.run.formatter import EMPTY


def section(context: Context) -> Section | None:
    """None for a study without a published reference, or with one that no recorded lab was held against."""
    published = context.analysis.published
    recorded = load_recorded(published.name) if published else None
    if recorded is None:
        return None
    rows = []
    for own in shown_verdicts(context.analysis):
        others = recorded.verdicts[own.identifier]
        rows.append(
            [
                Cell(own.statement, own.where),
                Cell(own.article or EMPTY),
                _judged(own.verdict, found_words(own)),
                *(_judged(other.verdict, other.found) for other in others),
                _judged(together([own.verdict, *(other.verdict for other in others)])),
            ]
        )
    columns = (
        label("the article says"),
        label("its own figure"),
        label("this study"),
        *map(_head, recorded.labs),
        label("together"),
    )
    table = Table("answers-table", "One answer", columns, rows, cards=True, heading=False)
    return Section("answers", "One answer", "Answer", [Text(words("claims.answers")), table])


def _head(lab: RecordedLab) -> Column:
    scaled = "" if lab.scale == 1 else f", x {lab.scale:g}"
    return Column(lab.name, f"{lab.release}, {lab.backend}{scaled}; {lab.runs} runs", numeric=False)


def _judged(verdict: str, found: str | None = None) -> Cell:
    symbol, tone = SYMBOLS[verdict]
    return Cell(f"{symbol} {verdict}", found, tone=tone)
