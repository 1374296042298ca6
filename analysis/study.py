"""The whole analysis of one results directory, in one object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.claims import Measurements, Verdict, judge
from analysis.published_data import Published, load_published
from analysis.results import Results, load_results
from analysis.tables import CaseSummary, Series, measured_series, outcome_words, summarise_cases


@dataclass(frozen=True)
class Analysis:
    """Results with everything derived from them."""

    results: Results
    published: Published | None
    cases: tuple[CaseSummary, ...]
    series: tuple[Series, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How the runs ended, in words, with their count."""
        return Counter(outcome_words(run) for run in self.results.runs)

    @property
    def planned(self) -> int:
        return len(self.results.study.order)

    @property
    def checked_guests(self) -> int:
        """Runs after which the guest's memory and kernel were looked at."""
        return sum(
            run.record.integrity is not None and run.record.integrity.checked for run in self.results.runs
        )

    @property
    def damaged_guests(self) -> int:
        """Runs whose guest was found damaged."""
        return sum(run.damaged for run in self.results.runs)


def analyse(results_dir: Path) -> Analysis:
    """Analyse results/<study>/<lab>; InputError (one line) if it is no such directory."""
    results = load_results(results_dir)
    reference = results.study.reference
    published = load_published(reference) if reference else None
    cases = summarise_cases(results)
    series = measured_series(cases)
    claims = published.claims if published else ()
    return Analysis(results, published, cases, series, judge(claims, Measurements(cases, series)))
