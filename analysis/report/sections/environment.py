"""What really ran: nodes, link, clocks, and where that is not what the article had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from analysis.evidence.records import lab_of
from analysis.evidence.units import GIB
from analysis.report.analysis import Analysis
from analysis.report.blocks import Block, Cell, Column, Section, Table, Text, label
from analysis.report.cells import missing
from analysis.report.context import Context
from analysis.report.formats import bit_rate
from analysis.report.words import words
from analysis.run.formatter import EMPTY
from analysis.study.provenance import made_with

# Of every package and every interface.
_NOT_SHOWN = ("packages", "mtu_bytes")


def section(context: Context) -> Section:
    """Always there: lab.json is."""
    sessions = len(context.analysis.results.labs)
    blocks: list[Block] = [Text(words("environment.about", sessions=sessions))]
    blocks += [table for table in environment_tables(context.analysis) if table.rows]
    return Section("environment", "Environment and deviations", "Environment", blocks)


def environment_tables(analysis: Analysis) -> Sequence[Table]:
    """Deviations first: they decide what the figures mean."""
    return (
        sessions_table(analysis),
        deviations_table(analysis),
        nodes_table(analysis),
        link_table(analysis),
        clocks_table(analysis),
    )


def sessions_table(analysis: Analysis) -> Table:
    """What each session's runs were made with; empty where there was but one."""
    results = analysis.results
    if len(results.labs) == 1:
        return Table("sessions", "Sessions", (), [])
    things: dict[int, dict[str, Counter[str]]] = {lab.session: {} for lab in results.labs}
    runs = Counter[int]()
    for run in results.runs:
        lab = lab_of(run.record, results.labs)
        runs[lab.session] += 1
        for name, value in made_with(run.record, lab).items():
            things[lab.session].setdefault(name, Counter())[value] += 1
    names = list(dict.fromkeys(name for found in things.values() for name in found))
    rows = [
        [
            Cell(lab.file),
            Cell(str(runs[lab.session])),
            *(Cell(" / ".join(things[lab.session].get(name, {})) or EMPTY) for name in names),
        ]
        for lab in results.labs
    ]
    columns = (label("described in"), Column("runs"), *(label(name) for name in names))
    return Table("sessions", "Sessions", columns, rows, cards=True)


def deviations_table(analysis: Analysis) -> Table:
    """Where this lab is not the article's."""
    published, deviations = analysis.published, analysis.results.lab.deviations
    pinned = f"pinned by the release {published.release}, and why" if published else "pinned, and why"
    columns = [
        ("what", [item.what for item in deviations]),
        ("article", [item.article for item in deviations]),
        (pinned, [item.pinned for item in deviations]),
        ("here", [item.here for item in deviations]),
        ("effect on the figures", [item.effect for item in deviations]),
    ]
    # Labs of before something was recorded have nothing in its column.
    told = [(name, texts) for name, texts in columns if any(texts)]
    rows = [[Cell(text) for text in row] for row in zip(*(texts for _, texts in told), strict=True)]
    heads = [label(name) for name, _ in told]
    return Table("deviations", "Deviations from the article", heads, rows, cards=True)


def nodes_table(analysis: Analysis) -> Table:
    """lab.json: one column per node."""
    nodes = analysis.results.lab.nodes
    keys = list(dict.fromkeys(key for node in nodes.values() for key in node if key not in _NOT_SHOWN))
    rows = [
        [
            Cell(key.removesuffix("_bytes").replace("_", " ")),
            *(Cell(_value(key, node.get(key))) for node in nodes.values()),
        ]
        for key in keys
    ]
    return Table("nodes", "Nodes", (label(""), *(label(name) for name in nodes)), rows)


def link_table(analysis: Analysis) -> Table:
    """The migration link as measured, and the clocks."""
    lab = analysis.results.lab
    rows = [
        [
            Cell(f"{link.source} to {link.destination}"),
            Cell(bit_rate(link.configured_bits_per_second)),
            Cell(bit_rate(link.measured_bits_per_second)),
            Cell(f"{link.measured_bits_per_second / link.configured_bits_per_second:.1%}"),
        ]
        for link in lab.links
    ]
    columns = (label("migration link"), Column("configured"), Column("measured"), Column("share"))
    return Table("link", "Link", columns, rows, words("environment.link"))


def clocks_table(analysis: Analysis) -> Table:
    """Offsets of the nodes' clocks from the controller's, taken into account in every timeline."""
    rows = [
        [
            Cell(name),
            missing() if clock.offset_seconds is None else Cell(f"{clock.offset_seconds * 1000:+.3f}"),
            missing()
            if clock.uncertainty_seconds is None
            else Cell(f"{clock.uncertainty_seconds * 1000:.3f}"),
            Cell(clock.method),
        ]
        for name, clock in analysis.results.lab.clock_offsets_seconds.items()
    ]
    columns = (
        label("clock of"),
        Column("ahead of controller", "ms"),
        Column("uncertainty", "ms"),
        label("method"),
    )
    return Table("clocks", "Clocks", columns, rows)


def _value(key: str, value: Any) -> str:
    if value is None:
        return EMPTY
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if key.endswith("_bytes") and isinstance(value, int | float):
        return f"{value / GIB:.1f} GiB"
    return str(value)
