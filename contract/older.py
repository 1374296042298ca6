"""What documents of schema 1 call otherwise. They are read with today's words; new ones have no others."""

from __future__ import annotations

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
# Values of "network", in study files too.
_NETWORKS = {"held_entry": "stale_fdb", "late_announcement": "delayed_announcement"}


def in_todays_words(value: Any, key: str = "") -> Any:
    """A parsed document, or the value of a key in one, as a document of today has it."""
    if isinstance(value, dict):
        return {_KEYS.get(name, name): in_todays_words(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [in_todays_words(item, key) for item in value]
    return _NETWORKS.get(value, value) if key == "network" and isinstance(value, str) else value
