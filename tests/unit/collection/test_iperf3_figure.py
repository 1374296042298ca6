"""What counts as a figure of iperf3, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.postcopy.lab.plugins.filter.iperf3_figure import iperf3_figure

START = '{"start":{"timestamp":{"timesecs":1795000000}},"end":{"sum_sent":{"bits_per_second":941e6},'


def printed(figure: str) -> str:
    return START + '"sum_received":{"bits_per_second":' + figure + "}}}"


def test_a_figure() -> None:
    assert iperf3_figure(printed("9.41e+08")) == {"bits_per_second": 941000000, "measured_at": 1795000000}


# The first two as iperf3 printed them (reported).
@pytest.mark.parametrize(
    "figure", ["9.41e 08", "-nan", "NaN", "Infinity", "-1", "0", "null", "true", '"941e6"', "{}"]
)
def test_a_figure_that_is_none(figure: str) -> None:
    assert iperf3_figure(printed(figure)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "iperf3: error - unable to connect",
        "[]",
        "null",
        "{}",
        '{"end": []}',
        printed("1")[:-1],
        printed("1") + "x",
    ],
)
def test_text_that_has_none(text: str) -> None:
    assert iperf3_figure(text) is None


def test_an_error_beside_a_figure() -> None:
    document: dict[str, Any] = json.loads(printed("1"))
    assert iperf3_figure(json.dumps({**document, "error": "interrupt - the server has terminated"})) is None
