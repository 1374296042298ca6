"""Every run with its directory of raw evidence, by case."""

from __future__ import annotations

from analysis.evidence.units import GIB
from analysis.report.blocks import Cell, Column, Fold, Section, Table, Text, label
from analysis.report.cells import metric_column, missing, outcomes_text, value_cell
from analysis.report.context import Context
from analysis.report.words import words
from analysis.run.formatter import EMPTY
from analysis.study.cases import outcome_words
from analysis.study.results import RunResult
from contract.outcomes import RunOutcome
from contract.records import Integrity

_LATER = ("ping_longest_round_trip_seconds", "iterations", "page_requests", "link_use")
_COLUMNS = (
    label("run"),
    label("outcome"),
    metric_column("migration_seconds"),
    metric_column("forward_bytes"),
    Column("setup / pre-copy / switchover / post-copy", "s"),
    Column("pings lost", "pre-copy / switchover / post-copy / after / unknown"),
    *(metric_column(name) for name in _LATER),
    Column("one pass before switchover", "sent / resident"),
    label("guest"),
)


def section(context: Context) -> Section:
    """Always there; the folds' identifiers are what case names all over the page lead to."""
    text = Text(words("runs.about"))
    folds = [
        Fold(
            f"runs-{case.case}",
            case.case,
            [
                Table(
                    f"runs-table-{case.case}",
                    f"Runs of {case.case}",
                    _COLUMNS,
                    [_row(context, run) for run in case.runs],
                    words("runs.case", case=case, ram_gib=case.spec.ram_bytes / GIB),
                    heading=False,
                )
            ],
            outcomes_text(case),
        )
        for case in context.analysis.cases
    ]
    return Section("runs", "Runs and their raw evidence", "Runs", [text, *folds])


def _row(context: Context, run: RunResult) -> list[Cell]:
    record, metrics = run.record, run.metrics
    tone = "good" if run.counted else None if record.outcome == RunOutcome.NOT_CONVERGED else "bad"
    reason = record.cause_detail if record.outcome == RunOutcome.FAILED else run.excluded_because
    if reason is None and record.ended_early:
        reason = "in pre-copy"
    head = [
        Cell(run.path.rsplit("/", 1)[-1], href=context.run_link(run).href),
        Cell(outcome_words(run), reason, tone=tone),
    ]
    if metrics is None:
        return [*head, *(missing() for _ in range(9)), _guest_cell(record.integrity)]
    phases = (
        metrics.setup_seconds,
        metrics.precopy_seconds,
        metrics.switchover_seconds,
        metrics.postcopy_seconds,
    )
    lost = (
        metrics.ping_lost_precopy,
        metrics.ping_lost_switchover,
        metrics.ping_lost_postcopy,
        metrics.ping_lost_after,
        metrics.ping_lost_unknown,
    )
    check = record.switchover_check
    return [
        *head,
        value_cell("migration_seconds", metrics),
        value_cell("forward_bytes", metrics),
        Cell(" / ".join(EMPTY if value is None else f"{value:.2f}" for value in phases)),
        Cell(" / ".join(EMPTY if count is None else str(count) for count in lost)),
        *(value_cell(name, metrics) for name in _LATER),
        missing() if check is None or check.ratio is None else Cell(f"{check.ratio:.2f}"),
        _guest_cell(record.integrity),
    ]


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
