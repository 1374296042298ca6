"""When the guest's port on the destination was wired: as a real run tells it, and with what it lacks."""

from __future__ import annotations

import json

import pytest

from analysis.evidence.errors import EvidenceError
from analysis.evidence.links import Links, parse_links
from tests.conftest import PROJECT

FILE = "destination/links.jsonl"
UPLINK = {"t": 1.0, "uplink": "guest0"}
BRIDGED = {"link": "guest0", "master": "br-guest", "t": 1.0, "up": True}
UNBRIDGED = {"link": "guest0", "master": None, "t": 4.0, "up": True}
TAP = [
    {"link": "vnet3", "master": None, "t": 5.0, "up": False},
    {"link": "vnet3", "master": "br-guest", "t": 5.1, "up": False},
    {"link": "vnet3", "master": "br-guest", "t": 5.2, "up": True},
    {"t": 5.3, "tap": "vnet3"},
]


def parse(*samples: object) -> Links:
    return parse_links([json.dumps(sample).encode() + b"\n" for sample in samples], FILE)


def test_a_real_port_that_was_wired_late() -> None:
    """The guest resumed there at 1795978334.27; a busy lab gave it its uplink half a minute later."""
    with (PROJECT / "tests/data/links/late-wiring.jsonl").open("rb") as recorded:
        links = parse_links(recorded, FILE)
    assert (links.uplink, links.tap, links.wired_at) == ("guest0", "vnet1", 1795978365.565793)


def test_a_port_is_wired_as_soon_as_both_are_ports_of_one_bridge() -> None:
    assert parse(UPLINK, BRIDGED, *TAP).wired_at == 5.2
    again = {**BRIDGED, "t": 9.0}
    assert parse(UPLINK, BRIDGED, UNBRIDGED, *TAP, again).wired_at == 9.0
    assert parse(UPLINK, BRIDGED, *TAP, {**UNBRIDGED, "t": 9.0}).wired_at == 5.2


def test_a_port_that_nobody_saw_wired_is_not() -> None:
    assert parse(UPLINK, BRIDGED, UNBRIDGED, *TAP).wired_at is None
    assert parse(UPLINK, BRIDGED).wired_at is None
    other = {**BRIDGED, "master": "br-other", "t": 6.0}
    assert parse(UPLINK, UNBRIDGED, *TAP, other).wired_at is None


def test_a_tap_of_the_same_name_that_was_there_before_is_another_guests() -> None:
    before = {"link": "vnet3", "master": "br-guest", "t": 1.0, "up": True}
    gone = {"gone": True, "link": "vnet3", "t": 3.0}
    assert parse(UPLINK, BRIDGED, before, gone, *TAP).wired_at == 5.2


def test_the_guests_removal_does_not_undo_that_its_port_was_wired() -> None:
    """A probe that is stopped as the guest is removed may still record that."""
    removal = [
        {"link": "vnet3", "master": "br-guest", "t": 30.0, "up": False},
        {"link": "vnet3", "master": None, "t": 30.1, "up": False},
        {"gone": True, "link": "vnet3", "t": 30.2},
    ]
    assert parse(UPLINK, BRIDGED, *TAP, *removal).wired_at == 5.2


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"t": 1.0}, 'neither "link", "uplink" nor "tap"'),
        ({"t": 1.0, "tap": 3}, '"tap" is not the name of an interface'),
        ({"t": 1.0, "link": "guest0", "master": ["br"]}, '"master" is not the name of an interface'),
        ({"link": "guest0"}, '"t" is not a time'),
    ],
)
def test_a_bad_line_is_named(sample: object, message: str) -> None:
    with pytest.raises(EvidenceError, match=message) as error:
        parse(UPLINK, sample)
    assert str(error.value).startswith(f"{FILE}:2")


def test_a_log_without_its_uplink_is_bad() -> None:
    with pytest.raises(EvidenceError, match='no line with "uplink"'):
        parse(*TAP)
