"""link.json: what is a measurement of the link, and what becomes of a file that is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.postcopy.lab.plugins.filter.measured_links import measured_links

from control.link_file import read_link
from control.study import StudyError
from postcopy_lab.status import link_lines

RATE = {
    "source": "compute1",
    "destination": "compute2",
    "configured_bits_per_second": 10**9,
    "measured_bits_per_second": 941 * 10**6,
    "measured_at": 1795000000,
}
TEXT = json.dumps({"schema": 1, "measured": [RATE]})
NONE = [
    TEXT[:60],
    "",
    "[]",
    "{}",
    '{"measured": null}',
    '{"measured": [{"source": "compute1"}]}',
    "[" * 100000,
]


def test_a_measurement(tmp_path: Path) -> None:
    (tmp_path / "link.json").write_text(TEXT, encoding="utf-8")
    assert measured_links(TEXT) == [RATE]
    assert read_link(tmp_path / "link.json") == json.loads(TEXT)
    assert link_lines(tmp_path) == ["link compute1 to compute2: 941 Mb/s measured, 1000 Mb/s configured"]


def test_a_link_that_was_never_measured(tmp_path: Path) -> None:
    assert read_link(tmp_path / "link.json") is None
    assert link_lines(tmp_path) == ["link: not measured yet"]


@pytest.mark.parametrize("text", NONE, ids=range(len(NONE)))
def test_a_file_that_is_no_measurement_is_named_and_measured_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "link.json"
    path.write_text(text, encoding="utf-8")
    message = f"{path}: is no measurement of the link; provision the lab again, which measures it anew"
    assert measured_links(text) == []
    with pytest.raises(StudyError) as error:
        read_link(path)
    assert str(error.value) == message
    assert link_lines(tmp_path) == [f"link: {message}"]
