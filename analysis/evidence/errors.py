"""The two ways in which input can be bad: one run's evidence, or the results directory as a whole."""

from __future__ import annotations


class InputError(Exception):
    """The results directory cannot be analysed at all; the message is one line for the user."""


class EvidenceError(Exception):
    """One file of one run is truncated, garbled, missing or of an unknown schema.

    `file` is relative to the run directory, `line` counts from 1 (None: the file as a whole).
    """

    def __init__(self, file: str, line: int | None, message: str) -> None:
        super().__init__(f"{file}{f':{line}' if line is not None else ''}: {message}")
        self.file = file
        self.line = line
        self.message = message
