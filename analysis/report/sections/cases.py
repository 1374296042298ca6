"""Every case: its medians in a table, and behind one line each the timeline of its most typical run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from analysis import plots
from analysis.report.blocks import (
    Bar,
    Block,
    Cell,
    Fold,
    Key,
    Part,
    Section,
    Table,
    Text,
    folded_if_long,
    label,
    table_of,
)
from analysis.report.cells import CASE_COLUMN, OUTAGE_COLUMN, median_column, outcomes_text, reached_column
from analysis.report.context import Context
from analysis.report.words import words
from analysis.run.timeline import REQUESTED, Timeline
from analysis.study.cases import CaseSummary
from analysis.study.results import RunResult

# Name of a phase, its metric, and the colour of its part of a bar.
_PHASES = (
    ("setup", "setup_seconds", "setup"),
    ("pre-copy", "precopy_seconds", "precopy"),
    ("switchover", "switchover_seconds", "lost"),
    ("post-copy", "postcopy_seconds", "postcopy"),
)


def section(context: Context) -> Section | None:
    """None if there are no runs at all."""
    table = cases_table(context)
    if not table.rows:
        return None
    folds = list(_timelines(context))
    blocks: list[Block] = [
        folded_if_long(table),
        Text(words("cases.about")),
        Key(
            [
                ("setup", "setup"),
                ("precopy", "pre-copy"),
                ("lost", "switchover: stopped on both hosts; lost ping"),
                ("postcopy", "post-copy"),
                ("phase-completion", "completion of pre-copy"),
            ]
        ),
        *folds,
    ]
    return Section("cases", "Cases and timelines", "Cases, timelines", blocks if folds else [table])


def cases_table(context: Context) -> Table:
    """All cases at a glance: outcomes and medians."""
    return table_of(
        "cases-table",
        "All cases",
        context.analysis.cases,
        [
            CASE_COLUMN,
            (label("outcome"), _outcomes_cell),
            reached_column("migration_seconds"),
            reached_column("forward_bytes"),
            median_column("downtime_seconds"),
            OUTAGE_COLUMN,
            reached_column("link_use"),
            context.runs_column(lambda case: case.runs),
        ],
        words("cases.caption"),
        heading=False,
    )


def _outcomes_cell(case: CaseSummary) -> Cell:
    sound = len(case.counted) + len(case.not_converged) == len(case.runs)
    return Cell(outcomes_text(case), f"of {case.planned} planned", tone=None if sound else "bad")


def _timelines(context: Context) -> Iterator[Fold]:
    """One fold per case that migrated."""
    typical = [(case, run) for case in context.analysis.cases if (run := typical_run(case)) is not None]
    longest = max((run.metrics.migration_seconds for _, run in typical if run.metrics), default=0.0)
    for case, run in typical:
        found = context.extracts.pictures(run.path).timeline
        picture = context.picture(
            f"timeline-{case.case}",
            f"Timeline of {case.case}, run {run.path.rsplit('/', 1)[-1]}",
            words("cases.picture"),
            partial(plots.timeline_plot, found),
            [run],
            wide=True,
        )
        moments = "; ".join(f"{name} {time}" for name, time in _moments(found.timeline))
        assert run.metrics is not None
        seconds = run.metrics.migration_seconds
        note = f"{seconds:.2f} s" if run.metrics.converged else f"> {seconds:.1f} s, aborted"
        yield Fold(
            f"case-{case.case}",
            case.case,
            [Text(f"{moments[:1].upper()}{moments[1:]}."), picture],
            note,
            _bar(run, longest),
        )


def typical_run(case: CaseSummary) -> RunResult | None:
    """The run with the middle migration time: of the counted, else of the aborted, else of any."""
    for runs in (case.counted, case.not_converged, case.runs):
        timed = sorted(
            (run.metrics.migration_seconds, run.path, run) for run in runs if run.metrics is not None
        )
        if timed:
            return timed[(len(timed) - 1) // 2][2]
    return None


def _bar(run: RunResult, longest_seconds: float) -> Bar:
    """The run's phases, as long as its share of the longest migration."""
    parts = []
    for name, metric, colour in _PHASES:
        seconds = getattr(run.metrics, metric)
        if seconds and longest_seconds > 0:
            parts.append(Part(colour, seconds / longest_seconds, f"{name} {seconds:.2f} s"))
    return Bar(", ".join(part.text for part in parts), parts)


def _moments(timeline: Timeline) -> Iterator[tuple[str, str]]:
    moments = [(moment.name, moment.time) for moment in timeline.moments if moment.name != REQUESTED]
    if timeline.border_by_traffic is not None:
        moments.append(("post-copy seen in reverse traffic", timeline.border_by_traffic))
    for name, time in sorted(moments, key=lambda moment: moment[1]):
        yield name, f"{time - timeline.requested:.2f} s"
