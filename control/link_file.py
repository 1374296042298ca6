"""link.json: the link between the compute nodes, as provisioning measured it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contract.faults import fault_of
from contract.records import Link
from control.study import StudyError


def parse_link(text: str) -> Mapping[str, Any] | None:
    """The parsed document; None where the text is no measurement of a link (a file that was cut off)."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("measured"), list):
        return None
    return document if fault_of(document, Link) is None else None


def read_link(path: Path) -> Mapping[str, Any] | None:
    """The parsed file; None where nobody measured the link.

    Raises StudyError for a file that is no measurement.
    """
    if not path.exists():
        return None
    try:
        link = parse_link(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: cannot be read: {error}") from error
    if link is None:
        raise StudyError(
            f"{path}: is no measurement of the link; provision the lab again, which measures it anew"
        )
    return link
