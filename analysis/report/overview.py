"""What the first lines of the report and the terminal say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.reference.claims import NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED, Verdict
from analysis.reference.lines import row_key
from analysis.reference.published import MIGRATION_TIME, TRANSFERRED
from analysis.report.analysis import Analysis, analyse
from analysis.report.formats import counts_text
from analysis.report.words import words
from analysis.study.cases import STRESSED_TABLES, CaseSummary
from analysis.study.outage_causes import suspicion
from analysis.study.results import EXCLUDED
from analysis.study.similarity import at_published_size
from contract.choices import Network
from contract.modes import ARTICLE_MODE


@dataclass(frozen=True)
class Summary:
    """The result in short: its first lines as sentences, and the analysis that they come from."""

    analysis: Analysis
    headline: tuple[str, ...]


def summary(results_dir: Path) -> Summary:
    """Analyse a results directory and give its summary; writes nothing."""
    return summarise(analyse(results_dir))


def summarise(analysis: Analysis) -> Summary:
    """The summary of an analysis that is already there."""
    lines = (
        outcome_line(analysis),
        integrity_line(analysis),
        _claims_line(analysis),
        open_question_line(analysis),
        exclusions_line(analysis),
    )
    return Summary(analysis, tuple(line for line in lines if line))


def open_question_line(analysis: Analysis) -> str | None:
    """What the article left open: why pings are lost in post-copy. None without captures."""
    found = suspicion(Network.PLAIN, analysis.results.runs)
    return None if found is None else words("overview.open_question", found=found)


def published_values(analysis: Analysis, case: CaseSummary) -> tuple[float, float] | None:
    """Migration time (s) and data (MB as printed) of the table that the case answers, None if it has none.

    The data of a scaled case's row are those printed over its scale.
    """
    published, spec = analysis.published, case.spec
    if published is None or spec.mode != ARTICLE_MODE or spec.table not in ("table2", *STRESSED_TABLES):
        return None
    rows = {row.key: row.numbers for row in published.rows(spec.table)}
    numbers = rows.get(row_key(spec.table, at_published_size(case)))
    return (numbers[MIGRATION_TIME], numbers[TRANSFERRED] / spec.scale) if numbers else None


def integrity_line(analysis: Analysis) -> str:
    """One sentence on what the migrations did to their guests."""
    return words(
        "overview.integrity",
        looked_at=analysis.guests_looked_at,
        stayed=analysis.guests_never_left,
        damaged=sum(analysis.guests_not_intact.values()),
        causes=counts_text(sorted(analysis.guests_not_intact.items())),
    )


def outcome_line(analysis: Analysis) -> str:
    """One sentence on how the planned runs ended."""
    outcomes = counts_text(sorted(analysis.outcomes.items()))
    return words(
        "overview.outcomes", done=len(analysis.results.runs), planned=analysis.planned, outcomes=outcomes
    )


def claim_grounds(analysis: Analysis) -> tuple[str, ...]:
    """What claims rest on: whether it was the article's own release, and of a scaled study its similarity.

    Nothing without an article.
    """
    release, scale, published = analysis.results.lab.release, analysis.results.scale, analysis.published
    if published is None:
        return ()
    measured_on = words("overview.measured_release", here=release, article=published.release)
    return (measured_on,) if scale == 1 else (measured_on, words("overview.by_similarity", scale=scale))


def measured_words(analysis: Analysis) -> str:
    """The head of what is set beside the article."""
    return "measured here" if analysis.results.scale == 1 else f"by similarity (x {analysis.results.scale:g})"


def _claims_line(analysis: Analysis) -> str | None:
    if not analysis.verdicts:
        return None
    parts = []
    for verdict in (REPRODUCED, NOT_REPRODUCED, NOT_TESTABLE):
        found = [item.identifier for item in analysis.verdicts if item.verdict == verdict]
        if found:
            parts.append(f"{len(found)} {verdict} ({', '.join(found)})")
    line = words(
        "overview.claims",
        claims=len(analysis.verdicts),
        verdicts="; ".join(parts),
        numbers=len(analysis.number_verdicts),
        number_verdicts=verdict_counts(analysis.number_verdicts),
    )
    return " ".join((line, *claim_grounds(analysis)))


def verdict_counts(verdicts: Sequence[Verdict]) -> str:
    """How many have which verdict."""
    counts = Counter(item.verdict for item in verdicts)
    order = (REPRODUCED, NOT_REPRODUCED, NOT_TESTABLE)
    return counts_text((verdict, counts[verdict]) for verdict in order if counts[verdict])


def exclusions_line(analysis: Analysis) -> str | None:
    """One sentence on the warnings, None if there are none."""
    excluded = sum(notice.effect == EXCLUDED for notice in analysis.results.notices)
    noted = len(analysis.results.notices) - excluded
    if not excluded and not noted:
        return None
    return words("overview.exclusions", excluded=excluded, noted=noted)
