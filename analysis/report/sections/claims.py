"""What the article states, with its verdict, what was measured, and why."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.reference.claims import NUMBER, SHAPE, Verdict
from analysis.report.answers import SYMBOLS
from analysis.report.blocks import Block, Cell, Fold, Section, Table, Text, label
from analysis.report.cells import RUNS_COLUMN
from analysis.report.context import Context
from analysis.report.overview import claim_grounds, measured_words, verdict_counts
from analysis.report.words import words


def section(context: Context) -> Section | None:
    """None for a study without a published reference."""
    if not context.analysis.verdicts:
        return None
    blocks: list[Block] = [claims_table(context)]
    blocks[:0] = map(Text, claim_grounds(context.analysis))
    blocks.append(_numbers_fold(context))
    return Section("claims", "Claims of the article", "Claims", blocks)


def _numbers_fold(context: Context) -> Fold:
    """The columns and numbers of tables 2 to 4, each held against the measurement as a shape."""
    verdicts = context.analysis.number_verdicts
    shapes = [verdict for verdict in verdicts if verdict.group == SHAPE]
    numbers = [verdict for verdict in verdicts if verdict.group == NUMBER]
    return Fold(
        "claims-numbers",
        "Every number of tables 2 to 4, as a shape",
        [
            Text(words("claims.numbers")),
            _verdicts_table(context, "claims-shapes", "Columns", shapes),
            _verdicts_table(context, "claims-rows", "Numbers", numbers),
        ],
        note=verdict_counts(verdicts),
    )


def claims_table(context: Context) -> Table:
    """The article's sentences."""
    return _verdicts_table(context, "claims-table", "Claims", context.analysis.verdicts, heading=False)


def _verdicts_table(
    context: Context, identifier: str, title: str, verdicts: Sequence[Verdict], heading: bool = True
) -> Table:
    """One row per claim: the statement, its verdict, what was measured, the rule and the reason."""
    rows = []
    for verdict in verdicts:
        symbol, tone = SYMBOLS[verdict.verdict]
        rows.append(
            [
                Cell(verdict.statement, f"{verdict.identifier}; {verdict.where}"),
                Cell(f"{symbol} {verdict.verdict}", tone=tone),
                Cell(verdict.measured),
                Cell(verdict.reason, verdict.rule),
                context.paths_cell(verdict.outcome.runs),
            ]
        )
    columns = (
        label("the article says"),
        label("verdict"),
        label(measured_words(context.analysis)),
        label("reason and rule"),
        RUNS_COLUMN,
    )
    return Table(identifier, title, columns, rows, cards=True, heading=heading)
