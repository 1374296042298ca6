"""Several results directories side by side: what each of them says of the article's statements and slopes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.evidence.errors import InputError
from analysis.reference.claims import NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED, Verdict
from analysis.reference.document import claim_record
from analysis.reference.lines import slope_like_published
from analysis.report.analysis import Analysis, analyse
from analysis.run.formatter import EMPTY

SCHEMA = 1
# What all labs together say of a claim, where it is no verdict.
DIFFER = "labs differ"
OPEN = "open"
# The sign and the tone of each of these.
SYMBOLS = {
    REPRODUCED: ("✓", "good"),
    NOT_REPRODUCED: ("✗", "bad"),
    NOT_TESTABLE: ("?", "muted"),
    DIFFER: ("±", "warn"),
    OPEN: ("?", "muted"),
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One claim of the article; `verdicts` has one for each results directory, in their order."""

    identifier: str
    where: str
    statement: str
    article: str
    verdicts: tuple[Verdict, ...]

    @property
    def answer(self) -> str:
        """What all of them say together."""
        return together(verdict.verdict for verdict in self.verdicts)


@dataclass(frozen=True)
class Answers:
    """The claims, and what they were held against."""

    analyses: tuple[Analysis, ...]
    rows: tuple[Answer, ...]


def side_by_side(directories: Sequence[Path]) -> Answers:
    """The article's statements, then the slopes of its tables, each as every results directory judges it.

    Raises:
        InputError: a directory cannot be analysed, its study has no reference, or another than the first's.
    """
    analyses: list[Analysis] = []
    for directory in directories:
        analyses.append(analyse(directory))
        _check(analyses[-1], analyses[0])
    return answers_of(analyses)


def answers_of(analyses: Sequence[Analysis]) -> Answers:
    """The same of analyses that are there already, all with the first's reference."""
    judged = [{verdict.identifier: verdict for verdict in shown_verdicts(one)} for one in analyses]
    rows = tuple(
        Answer(
            identifier=first.identifier,
            where=first.where,
            statement=first.statement,
            article=first.article or EMPTY,
            verdicts=tuple(verdicts[identifier] for verdicts in judged),
        )
        for identifier, first in judged[0].items()
    )
    return Answers(tuple(analyses), rows)


def together(verdicts: Iterable[str]) -> str:
    """What several verdicts on one claim say: a lab that cannot tell says nothing."""
    told = {verdict for verdict in verdicts if verdict != NOT_TESTABLE}
    return OPEN if not told else told.pop() if len(told) == 1 else DIFFER


def found_words(verdict: Verdict) -> str:
    """What a verdict rests on; where there is nothing to rest on, why."""
    return verdict.reason if verdict.measured == EMPTY else verdict.measured


def shown_verdicts(analysis: Analysis) -> tuple[Verdict, ...]:
    """The verdicts that stand in one table: the article's sentences, and the slopes of its tables."""
    shapes = analysis.published.shape_claims if analysis.published else ()
    slopes = {claim["id"] for claim in shapes if claim["rule"] == slope_like_published.__name__}
    return (*analysis.verdicts, *(one for one in analysis.number_verdicts if one.identifier in slopes))


def _check(one: Analysis, first: Analysis) -> None:
    study = one.results.study
    if study.reference is None:
        raise InputError(
            f"{one.results.directory}: study {study.name} has no reference, whose claims could be judged "
            "(study file, key reference)"
        )
    if study.reference != first.results.study.reference:
        raise InputError(
            f"{one.results.directory}: study {study.name} has the reference {study.reference}, "
            f"{first.results.directory} has {first.results.study.reference}: their claims are others"
        )


def answers_document(found: Answers) -> dict[str, Any]:
    """What `--format json` prints: of each claim, claims.json's record of it for each results directory."""
    return {
        "schema": SCHEMA,
        "results": [str(one.results.directory) for one in found.analyses],
        "claims": [
            {
                "id": row.identifier,
                "article": row.article,
                "answer": row.answer,
                "records": [claim_record(verdict) for verdict in row.verdicts],
            }
            for row in found.rows
        ],
    }
