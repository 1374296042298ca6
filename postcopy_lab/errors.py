"""What a user is told when something is wrong, and the exit codes that go with it."""

from __future__ import annotations

import errno
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every verb (documented in `postcopy-lab --help`)."""

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    RUNS_FAILED = 3
    INTERRUPTED = 130


class CommandError(Exception):
    """A failure that one line explains; `exit_code` is what the process ends with."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str) -> None:
        # The cause is cut earlier, so that what to do about it, at the end, is not.
        super().__init__(one_line(message, 1000))


class InputError(CommandError):
    """Bad input: the line names the file, the key and the allowed values. Nothing was changed."""

    exit_code = ExitCode.BAD_INPUT


class InterruptedByUserError(CommandError):
    """Ctrl-C (or SIGTERM, or a closed terminal); the line says how to go on."""

    exit_code = ExitCode.INTERRUPTED


def system_error(error: OSError) -> CommandError:
    """What the system refuses, before something runs (a path too long) or meanwhile (a full disk)."""
    where = f"{one_line(str(error.filename), 100)}: " if error.filename else ""
    kind = InputError if error.errno == errno.ENAMETOOLONG else CommandError
    return kind(f"{where}{error.strerror or error}")


def one_line(text: str, limit: int = 500) -> str:
    """Fold white space to single blanks and cut at `limit` characters."""
    folded = " ".join(text.split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"


def count(number: int, word: str) -> str:
    """A number with its word: `1 run`, `2 runs`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
