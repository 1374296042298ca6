"""Tables that lead back to the evidence: sources side by side, runs, claims, environment, warnings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.claims import NOT_REPRODUCED, REPRODUCED
from analysis.measure import readings
from analysis.parsers.records import Integrity
from analysis.report.cells import Cell, Column, Table, case_anchor, estimate_cell, label, missing, outage_cell
from analysis.report.formats import EMPTY, bit_rate, significant
from analysis.report.overview import other_release
from analysis.results import EXCLUDED, RunResult
from analysis.stability import STEADY, UNSTEADY
from analysis.statistics import median_estimate
from analysis.study import Analysis
from analysis.tables import CaseSummary, outcome_words
from analysis.units import GIB, MB

_SYMBOLS = {REPRODUCED: ("✓", "good"), NOT_REPRODUCED: ("✗", "bad")}
_CAPTIONS = {
    "ping outage, at least": (
        "n pings lost in a row count as n periods, as in the article; but the guest may have been "
        "unreachable for as little as n - 1 of them. A single lost ping of 0.1 s can be a gap of a few "
        "milliseconds: the finer ping tells."
    ),
}
# Unit of a reading -> what the page shows it in, and the factor.
_SHOWN = {"bytes": ("MB = 10⁶ B", 1 / MB), "bit/s": ("Mbit/s", 1e-6), "s": ("s", 1.0)}


def claims_table(analysis: Analysis) -> Table:
    """The article's statements with their verdicts."""
    rows = []
    for verdict in analysis.verdicts:
        symbol, tone = _SYMBOLS.get(verdict.verdict, ("?", "muted"))
        rows.append(
            [
                Cell(f"{symbol} {verdict.verdict}", tone=tone),
                Cell(verdict.statement, f"{verdict.identifier}; {verdict.where}"),
                Cell(verdict.measured, verdict.reason),
            ]
        )
    columns = (label("verdict"), label("the article says"), label("measured here"))
    return Table("claims", "Claims of the article", columns, rows, other_release(analysis))


def cases_table(analysis: Analysis) -> Table:
    """All cases at a glance: outcomes and medians."""
    rows = []
    for case in analysis.cases:
        converged = bool(case.counted) or not case.not_converged
        estimate = case.estimate if converged else case.not_converged_estimate
        prefix = "" if converged else "> "
        sound = len(case.counted) + len(case.not_converged) == len(case.runs)
        outcomes = ", ".join(f"{count} {words}" for words, count in case.outcomes.items())
        rows.append(
            [
                Cell(case.case, href=case_anchor(case.case)),
                Cell(outcomes, f"of {case.planned} planned", tone=None if sound else "bad"),
                estimate_cell(estimate("migration_seconds"), 1, prefix),
                estimate_cell(estimate("forward_bytes"), 1 / MB, prefix),
                estimate_cell(case.estimate("downtime_seconds"), 1000),
                outage_cell(case),
                estimate_cell(estimate("ping_longest_round_trip_seconds"), 1000),
                estimate_cell(estimate("link_use")),
            ]
        )
    columns = (
        label("case"),
        label("runs"),
        Column("migration time", "s"),
        Column("data", "MB = 10⁶ B"),
        Column("downtime (hypervisor)", "ms"),
        Column("ping outage", "s"),
        Column("longest ping", "ms"),
        Column("link use", "while sending"),
    )
    caption = (
        "A > marks what was reached when the limit aborted it. A ping that is answered late is not lost: "
        "where none was, the longest round trip says how long the guest kept the network waiting."
    )
    return Table("cases", "All cases", columns, rows, caption)


def steps_table(analysis: Analysis) -> Table:
    """What a run costs: medians of its steps over all runs of a case, whatever their outcome."""
    steps = list(dict.fromkeys(step for run in analysis.results.runs for step in run.record.steps_seconds))
    rows = []
    for case in analysis.cases:
        taken = [run.record.steps_seconds for run in case.runs]
        estimates = [median_estimate([item[step] for item in taken if step in item]) for step in steps]
        total = sum(estimate.median for estimate in estimates if estimate)
        cells = [Cell(significant(item.median)) if item else missing() for item in estimates]
        rows.append([Cell(case.case, href=case_anchor(case.case)), *cells, Cell(significant(total))])
    columns = (label("case"), *(Column(step.replace("_", " "), "s") for step in steps), Column("sum", "s"))
    return Table("steps", "Wall time of a run by its steps (medians)", columns, rows)


def source_tables(analysis: Analysis) -> list[Table]:
    """One table per quantity: a row per case, a column per source, medians over the counted runs."""
    by_quantity: dict[str, dict[str, dict[str, list[float]]]] = {}
    units: dict[str, str] = {}
    for case in analysis.cases:
        for run in case.counted or case.not_converged:
            for reading in readings(run.figures) if run.figures else ():
                units[reading.quantity] = reading.unit
                sources = by_quantity.setdefault(reading.quantity, {})
                sources.setdefault(reading.source, {}).setdefault(case.case, []).append(reading.value)
    tables = []
    for quantity, sources in by_quantity.items():
        unit, factor = _SHOWN[units[quantity]]
        cases = list(dict.fromkeys(case for values in sources.values() for case in values))
        rows = [
            [
                Cell(case, href=case_anchor(case)),
                *(
                    estimate_cell(median_estimate(values.get(case, [])), factor)
                    for values in sources.values()
                ),
            ]
            for case in cases
        ]
        columns = (label("case"), *(Column(source, unit) for source in sources))
        identifier = "sources-" + "".join(char if char.isalnum() else "-" for char in quantity)
        caption = _agreement(analysis) if quantity == "start of post-copy" else _CAPTIONS.get(quantity)
        tables.append(Table(identifier, quantity.capitalize(), columns, rows, caption))
    return tables


def _agreement(analysis: Analysis) -> str:
    """How often reverse traffic and events put the start of post-copy at the same moment."""
    hybrid = [
        run.figures for run in analysis.results.runs if run.figures and run.record.spec.mode == "hybrid"
    ]
    seen = [figures.borders_agree for figures in hybrid if figures.borders_agree is not None]
    return (
        f"The reverse traffic shows it in {len(seen)} of {len(hybrid)} hybrid runs and agrees with the "
        f"events in {sum(seen)}. A post-copy of a fraction of a second, or without requests, leaves no trace."
    )


def runs_tables(analysis: Analysis, run_link: Mapping[str, str]) -> list[Table]:
    """One table per case with all its runs; `run_link` leads from a run's path to its directory."""
    columns = (
        Column("run"),
        label("outcome"),
        Column("time", "s"),
        Column("data", "MB = 10⁶ B"),
        Column("setup / pre-copy / switch / post-copy", "s"),
        Column("pings lost", "pre-copy / switch / post-copy / after"),
        Column("longest ping", "ms"),
        Column("iterations"),
        Column("page requests"),
        Column("link use", "while sending"),
        Column("one pass before switch", "sent / resident"),
        label("guest"),
    )
    return [
        Table(
            f"runs-{case.case}",
            case.case,
            columns,
            [_run_row(run, run_link) for run in case.runs],
            _case_text(case),
        )
        for case in analysis.cases
    ]


def nodes_table(analysis: Analysis) -> Table:
    """lab.json: one column per node."""
    nodes = analysis.results.lab.nodes
    keys = list(dict.fromkeys(key for node in nodes.values() for key in node if key != "packages"))
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
    return Table("link", "Link", columns, rows)


def clocks_table(analysis: Analysis) -> Table:
    """Offsets of the nodes' clocks from the controller's, taken into account in every timeline."""
    rows = [
        [
            Cell(name),
            Cell(f"{clock.offset_seconds * 1000:+.3f}"),
            Cell(f"{clock.uncertainty_seconds * 1000:.3f}"),
            Cell(clock.method),
        ]
        for name, clock in analysis.results.lab.clock_offsets.items()
    ]
    columns = (
        label("clock of"),
        Column("ahead of controller", "ms"),
        Column("uncertainty", "ms"),
        label("method"),
    )
    return Table("clocks", "Clocks", columns, rows)


def deviations_table(analysis: Analysis) -> Table:
    """Where this lab is not the article's."""
    published = analysis.published
    pinned = f"pinned by the release {published.release}, and why" if published else "pinned, and why"
    rows = [
        [Cell(item.what), Cell(item.article), Cell(item.pinned), Cell(item.here), Cell(item.effect)]
        for item in analysis.results.lab.deviations
    ]
    columns = (
        label("what"),
        label("article"),
        label(pinned),
        label("here"),
        label("effect on the figures"),
    )
    return Table("deviations", "Deviations from the article", columns, rows)


def warnings_table(analysis: Analysis) -> Table:
    """Everything that was wrong with the evidence, named by file and line."""
    rows = [
        [
            Cell(f"{notice.file}:{notice.line}" if notice.line else notice.file),
            Cell(notice.message),
            Cell(notice.effect, tone="bad" if notice.effect == EXCLUDED else None),
        ]
        for notice in analysis.results.notices
    ]
    return Table("warnings-table", "Warnings", (label("file"), label("what"), label("effect")), rows)


def stability_table(analysis: Analysis) -> Table:
    """What was looked at to call the lab steady, with what could not be told."""
    tones = {STEADY: "good", UNSTEADY: "bad"}
    rows = [
        [
            Cell(check.name, check.file),
            Cell(check.state, tone=tones.get(check.state, "muted")),
            Cell(check.message),
        ]
        for check in analysis.stability
    ]
    return Table("stability", "Was the lab steady?", (label("check"), label("state"), label("found")), rows)


def _run_row(run: RunResult, run_link: Mapping[str, str]) -> list[Cell]:
    record, figures = run.record, run.figures
    tone = "good" if run.counted else None if record.outcome == "not_converged" else "bad"
    reason = record.cause_detail if record.outcome == "failed" else run.excluded_because
    head = [
        Cell(run.path.rsplit("/", 1)[-1], href=run_link.get(run.path)),
        Cell(outcome_words(run), reason, tone=tone),
    ]
    if figures is None:
        return [*head, *(missing() for _ in range(9)), _guest_cell(record.integrity)]
    phases = (
        figures.setup_seconds,
        figures.precopy_seconds,
        figures.switch_seconds,
        figures.postcopy_seconds,
    )
    lost = (
        figures.ping_lost_precopy,
        figures.ping_lost_switch,
        figures.ping_lost_postcopy,
        figures.ping_lost_after,
    )
    check = record.switch_check
    return [
        *head,
        Cell(significant(figures.migration_seconds)),
        Cell(significant(figures.forward_bytes / MB)),
        Cell(" / ".join(EMPTY if value is None else f"{value:.2f}" for value in phases)),
        Cell(" / ".join(str(count) for count in lost)),
        Cell(significant(figures.ping_longest_round_trip_seconds * 1000)),
        _count(figures.iterations),
        _count(figures.page_requests),
        missing() if figures.link_use is None else Cell(f"{figures.link_use:.3f}"),
        missing() if check is None or check.ratio is None else Cell(f"{check.ratio:.2f}"),
        _guest_cell(record.integrity),
    ]


def _count(value: float | None) -> Cell:
    return missing() if value is None else Cell(f"{value:,.0f}")


def _guest_cell(integrity: Integrity | None) -> Cell:
    if integrity is None:
        return missing("not checked")
    faults = []
    if integrity.kernel_log_errors:
        faults.append(f"kernel: {integrity.kernel_log_errors[0]}")
    if integrity.stressor_alive is False or integrity.stressor_progressing is False:
        faults.append("stressor died" if integrity.stressor_alive is False else "stressor stands still")
    pattern = integrity.pattern
    if pattern and (pattern.bad_pages or pattern.stale_pages or pattern.torn_pages):
        faults.append(
            f"pages: {pattern.bad_pages} bad, {pattern.stale_pages} stale, {pattern.torn_pages} torn"
        )
    if faults:
        return Cell("damaged", "; ".join(faults), tone="bad")
    if not integrity.checked:
        return Cell("no answer", tone="bad")
    pages = f"{pattern.pages:,} pages verified" if pattern else "no memory pattern"
    return Cell("intact", f"{pages}, on {integrity.alive_on or 'unknown host'}", tone="good")


def _case_text(case: CaseSummary) -> str:
    spec = case.spec
    guest = f"{spec.vcpus} vCPU, {spec.ram_bytes / GIB:g} GiB RAM"
    done = f"{len(case.runs)} of {case.planned} planned runs"
    return f"In runs/{case.case}/: {done}. {guest}, link {spec.link_rate}, limit {spec.limit_seconds:g} s."


def _value(key: str, value: Any) -> str:
    if value is None:
        return EMPTY
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if key.endswith("_bytes") and isinstance(value, int | float):
        return f"{value / GIB:.1f} GiB"
    return str(value)
