"""What the article states, held against the measurement: reproduced, not reproduced, not testable here.

`judge_statements` takes the article's sentences, `judge_numbers` every number of its tables 2 to 4. A rule
is a function of a claim's parameters (NAME/claims.yml) and the measurements; its docstring is its
wording.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from analysis.evidence.errors import InputError
from analysis.reference.endings import all_completed_intact, all_converged, none_converged
from analysis.reference.limits import most_under_at_rate, share_of_ram_below, total_per_stressed, within_bound
from analysis.reference.lines import (
    METRIC_OF_COLUMN,
    intercept_like_unloaded,
    linear,
    monotone,
    row_key,
    slope_like_published,
    slope_within,
    time_follows_data,
)
from analysis.reference.numbers import NUMBER_RULES, expand
from analysis.reference.outages import downtime_below, no_pings_lost_in_precopy, postcopy_outage_unpredictable
from analysis.reference.published import MIGRATION_TIME
from analysis.reference.verdicts import (
    NOT_REPRODUCED,
    NOT_TESTABLE,
    NUMBER,
    REPRODUCED,
    SHAPE,
    STATEMENT,
    Measurements,
    Outcome,
    Verdict,
    left_out,
)
from analysis.study.cases import CaseSummary
from contract.modes import ARTICLE_MODE

__all__ = [
    "NOT_REPRODUCED",
    "NOT_TESTABLE",
    "NUMBER",
    "REPRODUCED",
    "SHAPE",
    "STATEMENT",
    "Measurements",
    "Outcome",
    "Verdict",
    "judge_numbers",
    "judge_statements",
]

Rule = Callable[[Mapping[str, Any], Measurements], Outcome]

RULES: Mapping[str, Rule] = {
    rule.__name__: rule
    for rule in (
        all_completed_intact,
        all_converged,
        none_converged,
        linear,
        slope_within,
        time_follows_data,
        slope_like_published,
        intercept_like_unloaded,
        monotone,
        within_bound,
        total_per_stressed,
        share_of_ram_below,
        most_under_at_rate,
        downtime_below,
        no_pings_lost_in_precopy,
        postcopy_outage_unpredictable,
    )
}


def judge_statements(measurements: Measurements) -> tuple[Verdict, ...]:
    """The sentences of the article, each by its rule. InputError for a claim that lacks a key."""
    with _named(measurements):
        return tuple(
            _verdict(STATEMENT, claim, RULES[claim["rule"]], measurements)
            for claim in measurements.published.claims
        )


def judge_numbers(measurements: Measurements) -> tuple[Verdict, ...]:
    """The shapes of tables 2 to 4 (rising, slope, intercept), then each of their numbers. InputError too."""
    published = measurements.published
    with _named(measurements):
        shapes = [
            _verdict(SHAPE, claim, RULES[claim["rule"]], measurements) for claim in published.shape_claims
        ]
        numbers = [
            _verdict(NUMBER, claim, NUMBER_RULES[claim["rule"]], measurements)
            for claim in expand(published.number_claims, measurements)
        ]
        return (*shapes, *numbers)


@contextmanager
def _named(measurements: Measurements) -> Iterator[None]:
    """A key that a rule looks for in vain is a mistake in the published data set, not in the rule."""
    try:
        yield
    except KeyError as error:
        name = measurements.published.name
        raise InputError(f"published data set {name}: no key, rule or row {error}") from error


def _verdict(group: str, claim: Mapping[str, Any], rule: Rule, measurements: Measurements) -> Verdict:
    if _is_timed(claim):
        runs = [run for case in measurements.cases if _concerns(claim, case) for run in case.counted]
        outcome = left_out(rule(claim, measurements.timed), runs)
    else:
        outcome = rule(claim, measurements)
    return Verdict(
        identifier=claim["id"],
        group=group,
        where=claim["where"],
        statement=claim["statement"],
        rule=f"{rule.__name__}: {_wording(rule)}",
        outcome=outcome,
        article=claim.get("article"),
    )


def _is_timed(claim: Mapping[str, Any]) -> bool:
    """Whether the claim is on how migration time grows: then runs that were slowed are no ground for it."""
    return claim.get("column") == MIGRATION_TIME or claim.get("quantity") == METRIC_OF_COLUMN[MIGRATION_TIME]


def _concerns(claim: Mapping[str, Any], case: CaseSummary) -> bool:
    spec = case.spec
    return (
        spec.mode == claim.get("mode", ARTICLE_MODE)
        and claim.get("table") in (None, spec.table)
        and ("row" not in claim or row_key(claim["table"], case) == claim["row"].key)
    )


def _wording(rule: Rule) -> str:
    """The first sentence or two of the rule's docstring: its first paragraph, on one line."""
    return " ".join((inspect.getdoc(rule) or "").split("\n\n")[0].split())
