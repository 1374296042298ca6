# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Report what happens in a study: a line for whoever reads the output, the same as data for a program."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

ARGUMENTS = {
    "kind": {"choices": ["run_begins", "run_ends", "note"], "required": True},
    "run": {"type": "dict"},
    "text": {"type": "str", "default": ""},
    "outcome": {"type": "str"},
    "path": {"type": "str"},
}
REQUIRED_IF = [("kind", "run_begins", ["run"]), ("kind", "run_ends", ["run", "text", "outcome", "path"])]
PLACE_KEYS = ("number", "total", "case", "repetition")


def line_of(kind: str, run: dict[str, Any] | None, text: str) -> str:
    """The line that is printed."""
    if run is None:
        return text
    return f"{run['label']} begins" if kind == "run_begins" else f"{run['label']}: {text}"


class ActionModule(ActionBase):
    """Runs on the control machine, once for all hosts of the play."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Print the line and return the event."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(ARGUMENTS, required_if=REQUIRED_IF)
        run = given["run"]
        self._display.display(line_of(given["kind"], run, given["text"]))
        event = {key: given[key] for key in ("kind", "text", "outcome", "path")}
        if run is not None:
            event |= {key: run[key] for key in PLACE_KEYS}
        return result | {"changed": False, "event": event}
