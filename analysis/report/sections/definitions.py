"""What the report's words mean, and in which units its numbers are."""

from __future__ import annotations

from analysis.report.blocks import Cell, Fold, Section, Table, Terms, label
from analysis.report.cells import missing
from analysis.report.context import Context
from analysis.run.metrics import METRICS, Direction

# The metrics of the tables of cases.
_MAIN_METRICS = ("migration_seconds", "forward_bytes", "downtime_seconds", "link_use")
_TERMS = (
    (
        "ping outage",
        "Lost pings as time, from the request of the migration until the probes stop. An outage that takes n "
        "in a row began between the last answered and the first lost one and ended between the last lost and "
        "the next answered one: at period p it lasted (n - 1) p to (n + 1) p seconds. What counts is when "
        'each ping was really sent. The article\'s "downtime" is n x 0.1 s.',
    ),
    (
        "lost, late",
        "Lost is a ping that was never answered while ping ran; late one that was answered after more than "
        "its period. What became of a lost one is its cause: the last place that saw its request or answer, "
        "and where the guest ran at that moment. Undecided is one without an answer that ping was stopped "
        "too early to wait a second for. A ping that left too shortly before the guest stopped to be "
        "answered is lost in the switch.",
    ),
    (
        "network pointed at the source",
        "The request came to the source after the guest had resumed on the destination. Announced: QEMU's "
        "RARP or a gratuitous ARP of the guest had left the destination's interface by then.",
    ),
    (
        "slowdown",
        "Time in which the guest wrote 1 MiB of its pattern, over that before the migration. A standstill is "
        "a time without the samples that it takes ten times a second; the guest's own clock stands still "
        "while it is stopped, so the switch is not in it.",
    ),
    (
        "phases",
        "Setup: request to first bytes. Pre-copy: to the source's stop. Switch: to the destination's "
        "resume. Post-copy: to the job's completion.",
    ),
    (
        "excluded",
        "A run whose evidence is damaged, that is marked invalid, or whose guest did not survive "
        "intact enters no median and no line; it is listed with its cause.",
    ),
    (
        "intervals",
        "Medians: from the k-th smallest to the k-th largest value, by the binomial distribution, which "
        "covers the median with at least 95 % whatever the distribution; from 6 runs on, a ratio of two "
        "medians from 7 a side on (the range of fewer cannot). Lines: least squares with Student's "
        "intervals.",
    ),
)


def section(context: Context) -> Section:
    """The same in every report."""
    main = [(METRICS[name].label, METRICS[name].definition) for name in _MAIN_METRICS]
    table = metrics_table()
    fold = Fold("fold-metrics", table.title, [table], f"{len(table.rows)} metrics")
    return Section("definitions", "Definitions and units", "Definitions", [Terms([*main, *_TERMS]), fold])


def metrics_table() -> Table:
    """The registry: a row per metric, in the order of the columns of runs.csv."""
    rows = [
        [
            Cell(name, metric.label),
            Cell(metric.definition),
            Cell(metric.source),
            Cell(metric.unit.name),
            missing() if metric.direction is Direction.NEITHER else Cell(metric.direction),
        ]
        for name, metric in METRICS.items()
    ]
    columns = (label("metric"), label("definition"), label("source"), label("unit"), label("direction"))
    caption = "As runs.csv has them, a column each, empty where the source does not have it."
    return Table("metrics", "Every metric of a run", columns, rows, caption, cards=True, heading=False)
