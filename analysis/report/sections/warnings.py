"""Everything that was wrong with the evidence, named by file and line."""

from __future__ import annotations

from collections import Counter

from analysis.report.blocks import Block, Cell, Fold, Section, Table, Text, label
from analysis.report.context import Context
from analysis.report.words import words
from analysis.study.results import EXCLUDED
from analysis.study.stability import STEADY, UNSTEADY


def section(context: Context) -> Section:
    """Always there, so that nobody has to wonder: it says if there are none."""
    table = warnings_table(context)
    none = Text(words("warnings.no_warnings"))
    checks = Counter(check.state for check in context.analysis.stability)
    states = ", ".join(f"{count} {state}" for state, count in checks.items())
    stability = stability_table(context)
    blocks: list[Block] = [table if table.rows else none]
    if stability.rows:
        blocks.append(Fold("fold-stability", stability.title, [stability], f"checks: {states}"))
    return Section("warnings", "Warnings", "Warnings", blocks)


def warnings_table(context: Context) -> Table:
    """One row per notice; those that cost a run its place in the medians first."""
    notices = sorted(context.analysis.results.notices, key=lambda notice: notice.effect != EXCLUDED)
    rows = [
        [
            Cell(
                f"{notice.file}:{notice.line}" if notice.line else notice.file,
                href=context.file_link(notice.file),
            ),
            Cell(notice.message),
            Cell(notice.effect, tone="bad" if notice.effect == EXCLUDED else None),
        ]
        for notice in notices
    ]
    columns = (label("file"), label("what"), label("effect"))
    return Table("warnings-table", "Warnings", columns, rows, cards=True, heading=False)


def stability_table(context: Context) -> Table:
    """What was looked at to call the lab steady, with what could not be told."""
    tones = {STEADY: "good", UNSTEADY: "bad"}
    rows = [
        [
            Cell(check.name),
            Cell(check.file, href=context.file_link(check.file)),
            Cell(check.state, tone=tones.get(check.state, "muted")),
            Cell(check.message),
        ]
        for check in context.analysis.stability
    ]
    columns = (label("check"), label("in"), label("state"), label("found"))
    return Table("stability", "Was the lab steady?", columns, rows, cards=True, heading=False)
