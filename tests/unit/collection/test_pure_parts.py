"""The nodes' code that runs under Python 2.7, under this Python here; a scenario does it on a node of old."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.conftest import PROJECT


def test_the_nodes_own_tests_pass_under_this_python() -> None:
    done = subprocess.run(
        [sys.executable, PROJECT / "tests/node/pure_parts.py"],
        env={**os.environ, "PYTHONPATH": os.fspath(PROJECT / "collection")},
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "OK"
