"""The whole analysis of one results directory, in one object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analysis.evidence.pool import Workers
from analysis.reference.claims import Measurements, Verdict, judge_numbers, judge_statements
from analysis.reference.published import Published, load_published
from analysis.study.cases import CaseSummary, Series, measured_series, outcome_words, summarise_cases
from analysis.study.results import Harvest, Results, load_results
from analysis.study.similarity import at_published_size, link_at_published_size
from analysis.study.stability import Check, stability_checks, stability_notices
from contract.choices import Network


@dataclass(frozen=True)
class Analysis:
    """Results with everything derived from them.

    `article_cases`, of which the series are made, are the cases at the size of the article's: those of a
    scaled study times its scale, all others as they are. `verdicts` are those on the article's sentences,
    `number_verdicts` those on its tables.
    """

    results: Results
    published: Published | None
    cases: tuple[CaseSummary, ...]
    article_cases: tuple[CaseSummary, ...]
    series: tuple[Series, ...]
    verdicts: tuple[Verdict, ...]
    number_verdicts: tuple[Verdict, ...]
    stability: tuple[Check, ...]

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How the runs ended, in words, with their count."""
        return Counter(outcome_words(run) for run in self.results.runs)

    @property
    def planned(self) -> int:
        return len(self.results.study.order)

    @property
    def guests_looked_at(self) -> int:
        """Runs whose migration completed or was aborted at its limit: their guest had to be shown intact."""
        return sum(run.ended for run in self.results.runs)

    @property
    def guests_never_left(self) -> int:
        """Those of them whose migration was aborted, so that their guest stayed on its source."""
        return sum(
            run.ended and run.metrics is not None and not run.metrics.converged for run in self.results.runs
        )

    @property
    def guests_not_intact(self) -> Mapping[str, int]:
        """Those whose guest was not shown intact, by cause."""
        return Counter(outcome_words(run) for run in self.results.runs if run.not_intact)


def analyse(
    results_dir: Path,
    progress: Callable[[int, int], None] | None = None,
    workers: Workers | None = None,
    harvest: Harvest[Any] | None = None,
) -> Analysis:
    """Analyse results/<study>/<lab>; InputError (one line) if it is no such directory.

    `progress` is told how many runs are read, and of how many; `workers` and `harvest` as of load_results.
    """
    return derive(load_results(results_dir, workers=workers, progress=progress, harvest=harvest))


def derive(results: Results) -> Analysis:
    """Everything that follows from the runs' metrics; InputError for a reference that is not there."""
    reference = results.study.reference
    published = load_published(reference) if reference else None
    cases = summarise_cases(results)
    article_cases = tuple(at_published_size(case) for case in cases)
    measurements = article_conditions(results, article_cases, published) if published else None
    stability = stability_checks(results, cases)
    return Analysis(
        results=replace(results, notices=(*results.notices, *stability_notices(stability))),
        published=published,
        cases=cases,
        article_cases=article_cases,
        series=measured_series(article_cases),
        verdicts=judge_statements(measurements) if measurements else (),
        number_verdicts=judge_numbers(measurements) if measurements else (),
        stability=stability,
    )


def article_conditions(
    results: Results, cases: tuple[CaseSummary, ...], published: Published
) -> Measurements:
    """What claims may be held against, of cases at the article's size.

    A network that was made to fail tests something else.
    """
    plain = tuple(case for case in cases if case.spec.network == Network.PLAIN)
    links = [link_at_published_size(link, results.scale) for link in results.lab.links]
    return Measurements(plain, measured_series(plain), links, published)
