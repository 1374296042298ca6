"""What the first lines of the report and the terminal say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.evidence.units import MIB
from analysis.reference.claims import NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED, Verdict
from analysis.report.analysis import Analysis, analyse
from analysis.stats.intervals import Interval, MedianEstimate
from analysis.study.cases import STRESSED_TABLES, CaseSummary
from analysis.study.outage_causes import suspicion
from analysis.study.results import EXCLUDED, Notice
from contract.choices import Network
from contract.modes import ARTICLE_MODE


@dataclass(frozen=True)
class CaseLine:
    """One case beside the article's numbers (None where it has none); MB as the article prints it."""

    case: str
    done: int
    planned: int
    outcomes: Mapping[str, int]
    migration_seconds: MedianEstimate | None
    forward_bytes: MedianEstimate | None
    downtime_seconds: MedianEstimate | None
    ping_outage: Interval | None
    link_use: MedianEstimate | None
    converged: bool
    published_seconds: float | None
    published_mb: float | None


@dataclass(frozen=True)
class Summary:
    """The result in short; `headline` holds its first lines as sentences."""

    study: str
    title: str
    lab: str
    release: str
    headline: tuple[str, ...]
    guests_looked_at: int
    guests_not_intact: int
    cases: tuple[CaseLine, ...]
    verdicts: tuple[Verdict, ...]
    notices: tuple[Notice, ...]

    @property
    def all_done(self) -> bool:
        """Whether every planned run has its result."""
        return all(case.done >= case.planned for case in self.cases)


def summary(results_dir: Path) -> Summary:
    """Analyse a results directory and give its summary; writes nothing."""
    return summarise(analyse(results_dir))


def summarise(analysis: Analysis) -> Summary:
    """The summary of an analysis that is already there."""
    study, lab = analysis.results.study, analysis.results.lab
    return Summary(
        study=study.name,
        title=study.title,
        lab=lab.lab,
        release=lab.release,
        headline=tuple(
            line
            for line in (
                outcome_line(analysis),
                integrity_line(analysis),
                _claims_line(analysis),
                open_question_line(analysis),
                exclusions_line(analysis),
            )
            if line
        ),
        guests_looked_at=analysis.guests_looked_at,
        guests_not_intact=sum(analysis.guests_not_intact.values()),
        cases=tuple(case_line(analysis, case) for case in analysis.cases),
        verdicts=analysis.verdicts,
        notices=analysis.results.notices,
    )


def open_question_line(analysis: Analysis) -> str | None:
    """What the article left open: why pings are lost in post-copy. None without captures."""
    found = suspicion(Network.PLAIN, analysis.results.runs)
    if found is None:
        return None
    return (
        "The article's open question, why pings are lost in post-copy: that switches still pointed at the "
        f"source is {found.verdict} here; {found.reason}."
    )


def case_line(analysis: Analysis, case: CaseSummary) -> CaseLine:
    """One case with its published counterpart. A case that never converged shows where it was aborted."""
    converged = bool(case.counted) or not case.not_converged
    estimate = case.estimate if converged else case.not_converged_estimate
    published = published_values(analysis, case)
    return CaseLine(
        case=case.case,
        done=len(case.runs),
        planned=case.planned,
        outcomes=case.outcomes,
        migration_seconds=estimate("migration_seconds"),
        forward_bytes=estimate("forward_bytes"),
        downtime_seconds=estimate("downtime_seconds"),
        ping_outage=case.outage() if converged else None,
        link_use=estimate("link_use"),
        converged=converged,
        published_seconds=published[0] if published else None,
        published_mb=published[1] if published else None,
    )


def published_values(analysis: Analysis, case: CaseSummary) -> tuple[float, float] | None:
    """Migration time (s) and data (MB as printed) of the table that the case answers, None if it has none."""
    published, spec = analysis.published, case.spec
    if published is None or spec.mode != ARTICLE_MODE:
        return None
    if spec.table == "table2":
        for flavor in published.unloaded:
            if flavor.flavor == spec.flavor:
                return flavor.migration_seconds, flavor.transferred_mb
    if spec.table in STRESSED_TABLES:
        for step in published.stressed[spec.table]:
            if step.stressed_mb * MIB == spec.stressed_bytes:
                return step.migration_seconds, step.transferred_mb
    return None


def integrity_line(analysis: Analysis) -> str:
    """One sentence on what the migrations did to their guests."""
    number, stayed = analysis.guests_looked_at, analysis.guests_never_left
    causes = analysis.guests_not_intact
    how = "kernel log, stressor, memory pattern, alive on one host only"
    if number == 0:
        return "Guest integrity: no migration came to its end; nothing can be said about it."
    noun = ("" if stayed else "migrated ") + ("guest" if number == 1 else "guests")
    left = f"; {stayed} of them never left the source: aborted at the limit" if stayed else ""
    if not causes:
        guests = f"the one {noun} was" if number == 1 else f"all {number} {noun} were"
        return f"Guest integrity: {guests} shown intact ({how}){left}."
    counts = ", ".join(f"{count} {words}" for words, count in sorted(causes.items()))
    return (
        f"Guest integrity: {sum(causes.values())} of {number} {noun} were not shown intact "
        f"({counts}; looked at: {how}). "
        "These runs count as failed; their figures are shown but enter no median."
        + (f" {stayed} of all guests never left the source: aborted at the limit." if stayed else "")
    )


def outcome_line(analysis: Analysis) -> str:
    """One sentence on how the planned runs ended."""
    done = len(analysis.results.runs)
    outcomes = ", ".join(f"{count} {words}" for words, count in sorted(analysis.outcomes.items()))
    return f"{done} of {analysis.planned} planned runs have a result: {outcomes or 'none'}."


def other_release(analysis: Analysis) -> str | None:
    """One sentence where the claims were measured on something else than the article's stack."""
    release, published = analysis.results.lab.release, analysis.published
    if published is None or release == published.release:
        return None
    return (
        f"Measured on the release {release}, not on the article's ({published.release}): "
        "a claim that holds is shown for what ran here. What differs is in the deviations."
    )


def _claims_line(analysis: Analysis) -> str | None:
    if not analysis.verdicts:
        return None
    parts = []
    for verdict in (REPRODUCED, NOT_REPRODUCED, NOT_TESTABLE):
        found = [item.identifier for item in analysis.verdicts if item.verdict == verdict]
        if found:
            parts.append(f"{len(found)} {verdict} ({', '.join(found)})")
    return " ".join(
        line
        for line in (
            f"Of {len(analysis.verdicts)} claims of the article: {'; '.join(parts)}.",
            f"Of the {len(analysis.number_verdicts)} columns and numbers of its tables, as shapes: "
            f"{verdict_counts(analysis.number_verdicts)}.",
            other_release(analysis),
        )
        if line
    )


def verdict_counts(verdicts: Sequence[Verdict]) -> str:
    """How many have which verdict."""
    counts = Counter(item.verdict for item in verdicts)
    order = (REPRODUCED, NOT_REPRODUCED, NOT_TESTABLE)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in order if counts[verdict])


def exclusions_line(analysis: Analysis) -> str | None:
    """One sentence on the warnings, None if there are none."""
    excluded = sum(notice.effect == EXCLUDED for notice in analysis.results.notices)
    noted = len(analysis.results.notices) - excluded
    if not excluded and not noted:
        return None
    return f"Warnings: {excluded} runs excluded from the figures, {noted} notes; see the warnings."
