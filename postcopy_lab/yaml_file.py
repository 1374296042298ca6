"""Read YAML files, with errors that fit in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from postcopy_lab.errors import InputError, one_line


def check_syntax(path: Path, shown: str) -> None:
    """Refuse a file that is not YAML; `shown` is how the message names it. Tags are not looked at.

    Raises:
        InputError: with the line of the mistake.
    """
    try:
        yaml.compose(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise InputError(f"{shown}: {line}not YAML: {one_line(error.problem or str(error))}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{shown}: cannot be read: {one_line(str(error))}") from error


def read_yaml(path: Path, shown: str) -> Any:
    """Return a file's content.

    Raises:
        InputError: it cannot be read or is not YAML.
    """
    check_syntax(path, shown)
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"{shown}: not YAML: {one_line(str(error))}") from error
