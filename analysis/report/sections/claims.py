"""What the article states, with its verdict, what was measured, and why."""

from __future__ import annotations

from analysis.claims import NOT_REPRODUCED, REPRODUCED
from analysis.report.blocks import Block, Cell, Section, Table, Text, label
from analysis.report.context import Context
from analysis.report.overview import other_release

_SYMBOLS = {REPRODUCED: ("✓", "good"), NOT_REPRODUCED: ("✗", "bad")}


def section(context: Context) -> Section | None:
    """None for a study without a published reference."""
    if not context.analysis.verdicts:
        return None
    blocks: list[Block] = [claims_table(context)]
    other = other_release(context.analysis)
    if other:
        blocks.insert(0, Text(other))
    return Section("claims", "Claims of the article", "Claims", blocks)


def claims_table(context: Context) -> Table:
    """One row per claim: the statement, its verdict, what was measured, the rule and the reason."""
    rows = []
    for verdict in context.analysis.verdicts:
        symbol, tone = _SYMBOLS.get(verdict.verdict, ("?", "muted"))
        rows.append(
            [
                Cell(verdict.statement, f"{verdict.identifier}; {verdict.where}"),
                Cell(f"{symbol} {verdict.verdict}", tone=tone),
                Cell(verdict.measured),
                Cell(verdict.reason),
            ]
        )
    columns = (
        label("the article says"),
        label("verdict"),
        label("measured here"),
        label("rule and reason"),
    )
    return Table("claims-table", "Claims", columns, rows, cards=True, heading=False)
