"""Several results directories side by side: what each of them says of the article's statements and slopes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.evidence.errors import InputError
from analysis.reference.claims import Verdict
from analysis.reference.document import claim_record
from analysis.reference.lines import slope_like_published
from analysis.report.analysis import Analysis, analyse

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One claim of the article; `verdicts` has one for each results directory, in their order."""

    identifier: str
    where: str
    statement: str
    verdicts: tuple[Verdict, ...]


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
    judged = [_judged(one) for one in analyses]
    rows = tuple(
        Answer(
            identifier=first.identifier,
            where=first.where,
            statement=first.statement,
            verdicts=tuple(verdicts[identifier] for verdicts in judged),
        )
        for identifier, first in judged[0].items()
    )
    return Answers(tuple(analyses), rows)


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


def _judged(analysis: Analysis) -> dict[str, Verdict]:
    """The verdicts that are shown, by the claims' identifiers."""
    shapes = analysis.published.shape_claims if analysis.published else ()
    slopes = {claim["id"] for claim in shapes if claim["rule"] == slope_like_published.__name__}
    shown = (*analysis.verdicts, *(one for one in analysis.number_verdicts if one.identifier in slopes))
    return {one.identifier: one for one in shown}


def answers_document(found: Answers) -> dict[str, Any]:
    """What `--format json` prints: of each claim, claims.json's record of it for each results directory."""
    return {
        "schema": SCHEMA,
        "results": [str(one.results.directory) for one in found.analyses],
        "claims": [
            {"id": row.identifier, "records": [claim_record(verdict) for verdict in row.verdicts]}
            for row in found.rows
        ],
    }
