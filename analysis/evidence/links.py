"""links.jsonl: the bridge that each interface of the destination is a port of, and each change of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from analysis.evidence.errors import EvidenceError
from analysis.evidence.lines import json_samples

_NAMES = ("uplink", "tap", "link", "master")


@dataclass(frozen=True)
class Link:
    """One interface from `time` on, epoch seconds of the node's clock.

    `master`: the bridge that it is a port of, None without one, or where the interface is gone (`exists`).
    """

    time: float
    name: str
    master: str | None
    up: bool
    exists: bool


@dataclass(frozen=True)
class Links:
    """`uplink`: where guests' packets come to the node. `tap`: the guest's own; None if it never came."""

    uplink: str
    tap: str | None
    links: tuple[Link, ...]

    @property
    def wired_at(self) -> float | None:
        """Since when tap and uplink are ports of one bridge, and up; None if they never were.

        A tap of the same name that was there before is another guest's. One that goes and does not come again
        is the guest's own, at its removal.
        """
        tap: Link | None = None
        uplink: Link | None = None
        wired: float | None = None
        for link in self.links:
            if link.name == self.tap:
                if tap is not None and not tap.exists:
                    wired = None
                tap = link
            elif link.name == self.uplink:
                uplink = link
            if wired is None and tap and uplink and tap.up and uplink.up and tap.master == uplink.master:
                wired = link.time if tap.master is not None else None
        return wired


def parse_links(lines: Iterable[bytes], file: str) -> Links:
    """Parse all of it; EvidenceError names the first bad line."""
    uplink: str | None = None
    tap: str | None = None
    links: list[Link] = []
    for number, time, sample in json_samples(lines, file, math.inf):
        names = {key: sample[key] for key in _NAMES if sample.get(key) is not None}
        for key, name in names.items():
            if not isinstance(name, str):
                raise EvidenceError(file, number, f'garbled: "{key}" is not the name of an interface')
        uplink, tap = names.get("uplink", uplink), names.get("tap", tap)
        if "link" in names:
            exists = not sample.get("gone")
            up = exists and sample.get("up") is True
            links.append(Link(time, names["link"], names.get("master"), up, exists))
        elif not names:
            raise EvidenceError(file, number, 'garbled: neither "link", "uplink" nor "tap"')
    if uplink is None:
        raise EvidenceError(file, None, 'garbled: no line with "uplink"')
    return Links(uplink, tap, tuple(sorted(links, key=lambda link: link.time)))
