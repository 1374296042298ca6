"""The analysis imports nothing of the layers above it and reaches no network."""

from __future__ import annotations

import ast
from pathlib import Path

FORBIDDEN = {
    "postcopy_lab",
    "ansible",
    "ansible_runner",
    "ansible_collections",
    "socket",
    "subprocess",
    "urllib",
    "http",
}


def test_imports(project: Path) -> None:
    for path in (project / "analysis").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names.append(node.module)
            assert not {name.split(".")[0] for name in names} & FORBIDDEN, path
