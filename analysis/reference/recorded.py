"""What recorded labs say of a published study: `recorded.json` beside its tables, made by `make docs`.

A report sets these verdicts beside its own without reading any recorded run.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from analysis.evidence.errors import InputError
from analysis.reference.published import DIRECTORY

FILE_NAME = "recorded.json"


class RecordedLab(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One column: what it is called, its results directory in examples/, and how many runs that has.

    `scale`: how many times smaller its memory and rates were than the article's.
    """

    name: str
    results: str
    release: str
    backend: str
    scale: float
    runs: int


class RecordedVerdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one lab says of one claim; `found` is what it measured, or why it could not."""

    verdict: str
    found: str


class Recorded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The labs, and of each claim (by its identifier) a verdict of each lab, in their order."""

    labs: tuple[RecordedLab, ...]
    verdicts: dict[str, tuple[RecordedVerdict, ...]]


def load_recorded(published: str, directory: Path = DIRECTORY) -> Recorded | None:
    """What recorded labs say of the published data set of this name; None if none are recorded.

    Raises:
        InputError: the file is there and cannot be read as such.
    """
    path = directory / published / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Recorded)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{path}: {error}") from error
