"""The first screen: how it ended, what was reproduced, and the headline numbers, published and measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from analysis.evidence.units import MIB
from analysis.plots.bound import published_bound
from analysis.reference.claims import NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED, Verdict
from analysis.reference.fits import published_fits
from analysis.report.analysis import Analysis
from analysis.report.blocks import Bar, Block, Cell, Key, Lead, Part, Section, Table, Tiles, label
from analysis.report.context import Context
from analysis.report.formats import as_printed, bit_rate, bounds_text, estimate_note
from analysis.report.overview import (
    claim_grounds,
    exclusions_line,
    integrity_line,
    measured_words,
    open_question_line,
    outcome_line,
    published_values,
    verdict_counts,
)
from analysis.report.sections.wall_time import TARGET_RATIO, first_repetition
from analysis.report.words import words
from analysis.run.formatter import counted, significant
from analysis.stats.intervals import median_estimate
from analysis.study.cases import STRESSED_TABLES, CaseSummary, Series
from contract.modes import ARTICLE_MODE

_VERDICTS = ((REPRODUCED, "good"), (NOT_REPRODUCED, "bad"), (NOT_TESTABLE, "muted"))


def section(context: Context) -> Section:
    """Always there."""
    analysis = context.analysis
    worried = analysis.guests_not_intact or not analysis.guests_looked_at
    lines = (
        outcome_line(analysis),
        integrity_line(analysis),
        *claim_grounds(analysis),
        open_question_line(analysis),
        exclusions_line(analysis),
    )
    blocks: list[Block] = [Lead([line for line in lines if line], "bad" if worried else None)]
    blocks += _verdicts(analysis)
    blocks.append(Tiles(_tiles(context)))
    headline = headline_table(context)
    if headline.rows:
        blocks.append(headline)
    return Section("summary", "Summary", "Summary", blocks)


def headline_table(context: Context) -> Table:
    """The article's main numbers beside the measured ones, one line each."""
    analysis = context.analysis
    rows = [*_unloaded_rows(context), *_slope_rows(context), *_bound_row(context), *_switchover_row(context)]
    columns = (
        label("number"),
        label("the article"),
        label(measured_words(analysis)),
        label("more in"),
    )
    caption = words("summary.headline") if analysis.published else None
    return Table("headline", "Headline numbers, published and measured", columns, rows, caption, cards=True)


def _verdicts(analysis: Analysis) -> Iterator[Block]:
    """The claims as bars with one legend: sentences first, then the numbers of the tables."""
    if not analysis.verdicts:
        return
    yield _verdict_bar(f"{len(analysis.verdicts)} claims of the article", analysis.verdicts)
    if analysis.number_verdicts:
        what = f"{len(analysis.number_verdicts)} columns and numbers of its tables, as shapes"
        yield _verdict_bar(what, analysis.number_verdicts)
    yield Key([(colour, verdict) for verdict, colour in _VERDICTS])


def _verdict_bar(what: str, verdicts: Sequence[Verdict]) -> Bar:
    counts = Counter(verdict.verdict for verdict in verdicts)
    parts = [
        Part(colour, counts[verdict] / len(verdicts), str(counts[verdict]))
        for verdict, colour in _VERDICTS
        if counts[verdict]
    ]
    return Bar(f"{what}: {verdict_counts(verdicts)}", parts, shown=True)


def _tiles(context: Context) -> list[Cell]:
    """The few numbers that one sees from the last row."""
    analysis = context.analysis
    completed = sum(run.counted for run in analysis.results.runs)
    endless = sum(len(case.not_converged) for case in analysis.cases)
    damaged, number = sum(analysis.guests_not_intact.values()), analysis.guests_looked_at
    tiles = [
        Cell(f"{len(analysis.results.runs)} of {analysis.planned}", "planned runs done", "#runs"),
        Cell(str(completed), "completed, guest intact", "#cases", "good" if completed else None),
        Cell(str(endless), "did not converge in time", "#modes" if endless else None),
        Cell(
            f"{number - damaged} of {number}",
            "guests intact" if analysis.guests_never_left else "migrated guests intact",
            "#runs",
            "bad" if damaged else "good" if number else None,
        ),
    ]
    wall = first_repetition(context)
    if wall:
        tone = "good" if wall.ratio <= TARGET_RATIO else None
        text = "wall time of the hybrid study (one repetition), as a multiple of its physical floor"
        tiles.append(Cell(f"{wall.ratio:.2f}", text, "#wall-time", tone))
    shares = [run.metrics.nova_share_seconds for run in analysis.results.runs if run.counted and run.metrics]
    share = median_estimate([seconds for seconds in shares if seconds is not None])
    if share:
        tiles.append(Cell(f"{share.median:.1f} s", "nova's share of a migration's time (median)", "#sources"))
    return [*tiles, Cell(link_text(analysis), "migration link, measured", "#link")]


def link_text(analysis: Analysis) -> str:
    """The measured link in words."""
    rates = [link.measured_bits_per_second for link in analysis.results.lab.links]
    if not rates:
        return "not measured"
    low, high = bit_rate(min(rates)), bit_rate(max(rates))
    return low if low == high else f"{low.split()[0]} to {high}"


def _unloaded_rows(context: Context) -> Iterator[list[Cell]]:
    """Migration time of the smallest and the largest unloaded guest that was measured."""
    cases = [case for case in context.analysis.article_cases if _of_article(case, "table2") and case.counted]
    cases.sort(key=lambda case: case.spec.ram_bytes)
    for case in [*cases[:1], *cases[1:][-1:]]:
        estimate = case.estimate("migration_seconds")
        if estimate:
            article = published_values(context.analysis, case)
            yield _row(
                f"migration time, unloaded guest {case.spec.flavor}",
                f"{as_printed(article[0])} s" if article else "-",
                f"{significant(estimate.median)} s",
                estimate_note(estimate),
                "Table 2",
                "#table-2",
            )


def _slope_rows(context: Context) -> Iterator[list[Cell]]:
    """Slopes of the largest steps that were measured: they are what a model is made of."""
    analysis = context.analysis
    fitted = [
        line for line in analysis.series if line.mode == ARTICLE_MODE and line.time_fit and line.data_fit
    ]
    if not fitted:
        return
    line: Series = max(fitted, key=lambda item: item.time_fit.maximum_x if item.time_fit else 0.0)
    assert line.time_fit and line.data_fit
    articles = published_fits(analysis.published, line.table) if analysis.published else (None, None)
    number = line.table.removeprefix("table")
    yield _row(
        "migration time per stressed GiB",
        f"{significant(articles[0].slope * 1024)} s" if articles[0] else "-",
        f"{significant(line.time_fit.slope * MIB * 1024)} s",
        f"95 %: {bounds_text(line.time_fit.slope_bounds, MIB * 1024)}",
        f"Table {number}, slope",
        "#fits",
    )
    article_slope = articles[1].slope if articles[1] else None
    yield _row(
        "data sent per stressed byte",
        f"{article_slope * 1e6 / MIB:.2f} to {article_slope:.2f}" if article_slope else "-",
        significant(line.data_fit.slope),
        f"95 %: {bounds_text(line.data_fit.slope_bounds)}",
        f"Table {number}, slope",
        "#fits",
        "its MB read as 10⁶ or as 2²⁰ bytes",
    )


def _bound_row(context: Context) -> Iterator[list[Cell]]:
    """The most that any counted hybrid run used of its bound."""
    published = context.analysis.published
    shares = [
        run.metrics.migration_seconds / run.metrics.bound_seconds
        for run in context.analysis.results.runs
        if run.counted and run.metrics and run.record.spec.mode == ARTICLE_MODE
    ]
    if not shares:
        return
    article = "-"
    if published:
        bound = published_bound(published, published.stressed_flavor)[1]
        most = max(step.migration_seconds for table in STRESSED_TABLES for step in published.stressed[table])
        article = f"{most / bound:.0%}"
    yield _row(
        "longest migration, of its bound 2 x RAM / throughput",
        article,
        f"{max(shares):.0%}",
        f"of {counted(len(shares), 'run')}",
        "The bound",
        "#bound",
    )


def _switchover_row(context: Context) -> Iterator[list[Cell]]:
    """Downtime of the switchover to post-copy."""
    seconds = [
        run.metrics.downtime_seconds
        for run in context.analysis.results.runs
        if run.counted and run.metrics and run.record.spec.mode == ARTICLE_MODE and run.record.has_postcopy
    ]
    estimate = median_estimate([value for value in seconds if value is not None])
    if estimate:
        yield _row(
            "guest stopped for the switchover to post-copy",
            _stated_downtime(context.analysis),
            f"{significant(estimate.median * 1000)} ms",
            estimate_note(estimate, 1000),
            "Outages",
            "#outages",
            "counted in lost pings",
        )


def _stated_downtime(analysis: Analysis) -> str:
    """What the article states of the switchover, as its claim has it."""
    claims = analysis.published.claims if analysis.published else ()
    stated = [claim["seconds"] for claim in claims if claim["rule"] == "downtime_below"]
    return f"below {significant(stated[0] * 1000)} ms" if stated else "-"


def _of_article(case: CaseSummary, table: str) -> bool:
    return case.spec.table == table and case.spec.mode == ARTICLE_MODE


def _row(
    number: str,
    article: str,
    measured: str,
    note: str,
    where: str,
    href: str,
    article_note: str | None = None,
) -> list[Cell]:
    return [Cell(number), Cell(article, article_note), Cell(measured, note), Cell(where, href=href)]
