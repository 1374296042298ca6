"""What may listen on a node: the table of SECURITY.md, held against what real nodes said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.listeners import markdown, unexpected

RECORDED = PROJECT / "tests/data/listeners"
NODES = sorted(path.stem.removesuffix("-ss") for path in RECORDED.glob("*-ss.txt"))


def recorded(node: str, what: str) -> str:
    return Path(RECORDED / f"{node}-{what}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("node", NODES)
def test_what_a_lab_opens_is_in_the_table(node: str) -> None:
    assert unexpected(recorded(node, "ss"), recorded(node, "ip")) == []


@pytest.mark.parametrize(
    "line",
    [
        # As they were before: the clocks' port, the database, Erlang's port mapper and broker.
        'udp UNCONN 0 0 0.0.0.0:7301 0.0.0.0:* users:(("python3",pid=913,fd=9))',
        'tcp LISTEN 0 80 0.0.0.0:3306 0.0.0.0:* users:(("mariadbd",pid=1420,fd=22))',
        "tcp LISTEN 0 4096 *:4369 *:*",
        'tcp LISTEN 0 128 0.0.0.0:25672 0.0.0.0:* users:(("beam.smp",pid=99,fd=18))',
        # What may be open on the migration network alone.
        "tcp LISTEN 0 1 0.0.0.0:49152 0.0.0.0:*",
        "tcp LISTEN 0 1 [::]:16514 [::]:*",
        "tcp LISTEN 0 1 10.91.0.11:49152 0.0.0.0:*",
        # Nobody's.
        "tcp LISTEN 0 1 10.91.1.11:8000 0.0.0.0:*",
    ],
)
def test_what_is_open_to_more_than_it_may_be_is_found(line: str) -> None:
    assert unexpected(line, "mgmt0@if2 UP 10.91.0.11/24\nmigration0@if3 UP 10.91.1.11/24") == [line]


@pytest.mark.parametrize(
    "line",
    [
        "tcp LISTEN 0 1 10.91.1.11:49152 0.0.0.0:*",
        "tcp LISTEN 0 80 10.91.0.11:3306 0.0.0.0:*",
        "tcp LISTEN 0 128 127.0.0.1:25672 0.0.0.0:*",
        "tcp LISTEN 0 128 [::]:22 [::]:*",
        "udp UNCONN 0 0 10.91.0.11%mgmt0:68 0.0.0.0:*",
    ],
)
def test_what_may_listen_is_let_be(line: str) -> None:
    assert unexpected(line, "mgmt0@if2 UP 10.91.0.11/24\nmigration0@if3 UP 10.91.1.11/24") == []


def test_the_table_is_that_of_the_document() -> None:
    assert "\n".join(markdown()) in (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
