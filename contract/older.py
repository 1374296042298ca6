"""What documents of schema 1 call otherwise. They are read with today's words; new ones have no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

# Of study files, study.json, lab.json and run.json.
SCHEMA: Literal[2] = 2
READ_SCHEMAS = (1, 2)

# Keys of run.json: the switchover was called a switch.
_KEYS = {
    "bytes_before_switch": "bytes_before_switchover",
    "switch_check": "switchover_check",
    "switch_requested_at": "switchover_requested_at",
}
# Values of a case's network, in study files too.
NETWORKS = {"held_entry": "stale_fdb", "late_announcement": "delayed_announcement"}


def in_todays_words(document: Mapping[str, Any]) -> dict[str, Any]:
    """A parsed document of a schema in READ_SCHEMAS, as one of SCHEMA."""
    renamed = {
        key: _renamed(value) if isinstance(value, dict) else value
        for key, value in _renamed(document).items()
    }
    return {**renamed, "schema": SCHEMA}


def _renamed(record: Mapping[str, Any]) -> dict[str, Any]:
    return {_KEYS.get(key, key): value for key, value in record.items()}
