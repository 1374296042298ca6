"""QEMU's own block time of post-copy: what recorded answers hold, and what is no answer."""

from __future__ import annotations

import pytest

from analysis.evidence.errors import EvidenceError
from analysis.evidence.qemu_migrate import BlockTime, parse_qemu_migrate

FILE = "destination/qemu_migrate.json"


def parse(content: bytes) -> BlockTime:
    return parse_qemu_migrate(content.splitlines(keepends=True), FILE)


def test_milliseconds_become_seconds() -> None:
    answer = b'{"migrate": {"postcopy-blocktime": 1234,\n"postcopy-vcpu-blocktime": [1500, 20]}}'
    assert parse(answer) == BlockTime(1.234, (1.5, 0.02))


def test_a_qemu_that_does_not_measure_it_says_nothing() -> None:
    """As recorded from QEMU 10.0.13 without the capability."""
    assert parse(b'{"migrate": {"status": "completed"}, "t": 1795633934.751395}') == BlockTime(None, ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"migrate": []}', '"migrate" is not an object'),
        (b'{"migrate": {"postcopy-blocktime": "1"}}', '"postcopy-blocktime" is not a time'),
        (b'{"migrate": {"postcopy-blocktime": -1}}', '"postcopy-blocktime" is not a time'),
        (b'{"migrate": {"postcopy-vcpu-blocktime": [null]}}', '"postcopy-vcpu-blocktime" is not a list'),
    ],
)
def test_what_is_no_answer_is_named(content: bytes, message: str) -> None:
    with pytest.raises(EvidenceError, match=message) as caught:
        parse(content)
    assert caught.value.file == FILE
