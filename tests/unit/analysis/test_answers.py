"""One answer of several labs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from analysis.evidence.errors import InputError
from analysis.reference.claims import NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED
from analysis.reference.recorded import FILE_NAME, load_recorded
from analysis.report.answers import DIFFER, OPEN, together


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [
        ([REPRODUCED, REPRODUCED], REPRODUCED),
        ([NOT_TESTABLE, REPRODUCED], REPRODUCED),
        ([NOT_REPRODUCED, NOT_TESTABLE], NOT_REPRODUCED),
        ([NOT_REPRODUCED, REPRODUCED], DIFFER),
        ([NOT_TESTABLE, NOT_TESTABLE], OPEN),
        ([], OPEN),
    ],
)
def test_a_lab_that_cannot_tell_says_nothing(verdicts: list[str], answer: str) -> None:
    assert together(verdicts) == answer


def test_nothing_recorded_is_no_error(tmp_path: Path) -> None:
    assert load_recorded("own", tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", msgspec.json.encode({"labs": [{}], "verdicts": {}})])
def test_recorded_verdicts_that_cannot_be_read_name_their_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own" / FILE_NAME
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(InputError, match=str(path)):
        load_recorded("own", tmp_path)
