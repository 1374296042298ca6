"""Where pings were lost, with the evidence, and the article's suspicion of the switches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby

from analysis import plots
from analysis.report.blocks import (
    Block,
    Cell,
    Column,
    Fold,
    Lead,
    Section,
    Table,
    Text,
    folded_if_long,
    label,
)
from analysis.report.cells import RUNS_COLUMN, case_cell, estimate_cell, measured_runs, missing
from analysis.report.context import Context
from analysis.report.formats import interval_text
from analysis.report.sections.cases import typical_run
from analysis.report.words import words
from analysis.run.attribution import LostPing, StreamAttribution
from analysis.run.causes import Cause
from analysis.study.cases import CaseSummary
from analysis.study.outage_causes import (
    CANNOT_TELL,
    NOT_SUPPORTED,
    SUPPORTED,
    Suspicion,
    attributed,
    cause_lines,
    suspicion,
)
from contract.choices import Network

_TONES = {SUPPORTED: "bad", NOT_SUPPORTED: "good", CANNOT_TELL: "muted"}
_NETWORKS: Mapping[str, str] = {
    Network.PLAIN: "on the lab's network as it is",
    Network.STALE_FDB: "with the switch's FDB entry pinned to the source's port",
    Network.DELAYED_ANNOUNCEMENT: "with the announcements delayed",
    Network.LATE_WIRING: "with the guest's port on the destination wired late",
}


def section(context: Context) -> Section | None:
    """None if no run has captures."""
    judged = attributed(context.analysis.results.runs)
    if not judged:
        return None
    verdicts = [
        found
        for network in Network
        if (found := suspicion(network, context.analysis.results.runs)) is not None
    ]
    blocks: list[Block] = []
    if verdicts:
        blocks.append(Lead([line for verdict in verdicts for line in _sentences(verdict)]))
    blocks += [Text(words("attribution.about")), folded_if_long(causes_table(context))]
    if verdicts:
        blocks.append(network_table(context, verdicts))
    folds = list(_folds(context))
    if folds:
        title = "Lost pings on the timeline, case by case"
        blocks.append(Fold("attribution-cases", title, folds, f"{len(folds)} cases"))
    return Section("attribution", "Where pings were lost", "Lost pings", blocks)


def _sentences(found: Suspicion) -> list[str]:
    """The verdict with its count, then how long requests went astray and when the guest was announced."""
    verdict = words("attribution.verdict", found=found, where=_NETWORKS[found.network])
    moments = words("attribution.after_resume", stale=found.stale_seconds, announced=found.announced)
    return [verdict, moments] if moments else [verdict]


def causes_table(context: Context) -> Table:
    """A row per case and cause, over the case's runs."""
    rows = []
    for case in context.analysis.cases:
        runs = measured_runs(case)
        judged = attributed(runs)
        if not judged:
            continue
        lines = cause_lines(runs)
        late = _late([stream for _, found in judged for stream in found.streams])
        if not lines:
            zeros = (Cell("0", tone="muted") for _ in range(3))
            judged_runs = context.runs_cell(run for run, _ in judged)
            rows.append([case_cell(case), Cell("no ping lost", late), *zeros, judged_runs])
        for number, line in enumerate(lines):
            rows.append(
                [
                    case_cell(case),
                    Cell(line.cause, late if number == 0 else None),
                    Cell(str(line.coarse)),
                    missing() if line.fine is None else Cell(str(line.fine)),
                    Cell(interval_text(line.seconds, 3)),
                    context.runs_cell(line.runs),
                ]
            )
    columns = (
        label("case"),
        label("why it has no answer"),
        Column("pings each 100 ms"),
        Column("pings each 10 ms"),
        Column("time in a run", "s, median"),
        RUNS_COLUMN,
    )
    return Table("causes", "Lost pings by cause", columns, rows, words("attribution.causes"))


def network_table(context: Context, verdicts: Sequence[Suspicion]) -> Table:
    """The article's suspicion, one row per kind of network."""
    rows = [
        [
            Cell(_NETWORKS[found.network]),
            Cell(found.verdict, tone=_TONES[found.verdict] if found.network == Network.PLAIN else None),
            Cell(str(found.lost_before)),
            Cell(str(found.lost)),
            Cell(str(found.stale)),
            Cell(str(found.unwired), tone=None if found.unwired else "muted"),
            Cell(str(found.unknown), tone=None if found.unknown else "muted"),
            estimate_cell(found.stale_seconds),
            estimate_cell(found.announced, 1000),
            context.runs_cell(found.runs),
        ]
        for found in verdicts
    ]
    columns = (
        label("network"),
        label("switches' tables lose the pings"),
        Column("lost before the resume", "pings"),
        Column("lost after it", "pings"),
        Column("of them sent to the source"),
        Column("port not wired yet"),
        Column("unknown"),
        Column("last request to the source", "s after the resume"),
        Column("announced", "ms after the resume"),
        RUNS_COLUMN,
    )
    caption = words("attribution.suspicion")
    return Table("suspicion", "The article's suspicion: switches' tables", columns, rows, caption)


def _late(streams: Sequence[StreamAttribution]) -> str | None:
    late = sum(stream.late for stream in streams)
    if not late:
        return None
    in_guest = sum(stream.late_in_guest for stream in streams)
    return f"{late} more answered late, {in_guest} of them kept by the guest"


def _folds(context: Context) -> Iterator[Fold]:
    """One fold per case that lost pings: its typical run's losses on the timeline, and their verdicts."""
    for case in context.analysis.cases:
        run = typical_run(case)
        if run is None or not attributed([run]):
            continue
        pictures = context.extracts.pictures(run.path)
        found, timeline = pictures.attribution, pictures.timeline.timeline
        if found is None or not any(stream.lost for stream in found.streams):
            continue
        picture = context.picture(
            f"attribution-{case.case}",
            f"Pings lost by {case.case}, run {run.path.rsplit('/', 1)[-1]}",
            words("attribution.picture"),
            partial(plots.attribution_plot, found, timeline),
            [run],
            wide=True,
        )
        lost = found.finest.lost
        blocks: list[Block] = [picture, _verdicts(case, lost, timeline.requested)]
        yield Fold(f"attribution-fold-{case.case}", case.case, blocks, f"{len(lost)} pings lost")


def _verdicts(case: CaseSummary, lost: Sequence[LostPing], origin: float) -> Table:
    """Neighbours with one cause as one row, with the first one's evidence."""
    rows = []
    for cause, group in groupby(lost, key=lambda ping: ping.cause):
        pings = list(group)
        first, last = pings[0], pings[-1]
        rows.append(
            [
                Cell(f"{first.sent_at - origin:+.3f} to {last.sent_at - origin:+.3f}"),
                Cell(str(len(pings))),
                Cell(cause, tone="warn" if cause is Cause.UNKNOWN else None),
                Cell(first.reason),
                Cell(first.evidence),
            ]
        )
    columns = (
        label("sent", "s since the request"),
        Column("pings"),
        label("cause"),
        label("the first of them"),
        label("evidence for it"),
    )
    return Table(f"verdicts-{case.case}", "Verdicts", columns, rows, None, cards=True, heading=False)
