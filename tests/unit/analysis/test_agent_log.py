"""neutron's agent: when it looked at the guest's port, as a real run's log tells it."""

from __future__ import annotations

from pathlib import Path

from analysis.evidence.agent_log import parse_agent_log
from tests.conftest import PROJECT
from tests.unit.analysis.test_nova_log import by_nova

FILE = "destination/neutron-linuxbridge-agent.log"
RECORDED = PROJECT / "tests/data/nova-logs/icehouse/neutron-linuxbridge-agent.log"


def test_a_real_log_tells_the_first_look_at_each_port() -> None:
    """The tap was there since 1795994139.36, and wired at 1795994143.56. One that leaves is no look at it."""
    with RECORDED.open("rb") as recorded:
        assert parse_agent_log(recorded, FILE).marks == {"tap2440d728-40": 1795994141.184}


def test_what_is_no_look_is_left_out() -> None:
    look = b"2026-11-29 23:15:41.184 1432 INFO neutron.x [-] Port tap1 updated. Details: {}\n"
    lines = [b"Port tap0 updated. Details: {}\n", look, look.replace(b"41", b"59"), b"\xff\n", b"{\n"]
    assert parse_agent_log(lines, FILE).marks == {"tap1": 1795994141.184}


def test_a_log_of_another_day_is_named_and_not_used(tmp_path: Path) -> None:
    _, warnings = by_nova(tmp_path, agent=RECORDED.read_bytes())
    assert warnings[FILE].endswith("off the time in which its host was watched: they are not used")
