"""The bench's modules lie beside its script, so its folder is what they are imported from."""

from __future__ import annotations

import sys

from tests.conftest import PROJECT

sys.path.append(str(PROJECT / "tests/bench"))
