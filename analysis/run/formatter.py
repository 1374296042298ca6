"""How numbers of a run are shown: the unit of a column's head, the factor, the digits."""

from __future__ import annotations

import math
from dataclasses import dataclass

EMPTY = "-"


def significant(value: float, digits: int = 3) -> str:
    """Three significant digits, never fewer than the whole number, no exponent."""
    if not math.isfinite(value):
        return EMPTY
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 4)}f}"


def counted(count: int, noun: str) -> str:
    """1 run, 7 runs."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@dataclass(frozen=True)
class Formatter:
    """A value times `factor` is in `unit`; `head` is the unit as a column's head has it, if it says more.

    pattern: how a single value is written (a format of Python's); without one, three significant digits.
    """

    unit: str | None = None
    factor: float = 1.0
    head: str | None = None
    pattern: str | None = None

    @property
    def column_unit(self) -> str | None:
        return self.head or self.unit

    def text(self, value: float) -> str:
        """One value without its unit."""
        shown = value * self.factor
        return significant(shown) if self.pattern is None else format(shown, self.pattern)


@dataclass(frozen=True)
class Unit:
    """What a metric is measured in.

    name: as the CSV of sources has it; suffix: how the names of such metrics end; formatter: how such a value
    is shown where its metric does not say otherwise.
    """

    name: str
    suffix: str
    formatter: Formatter

    def words(self, metric: str) -> str:
        """A metric's name in words, without the unit."""
        return metric.replace(self.suffix, "").replace("_", " ")


SECONDS = Unit("s", "_seconds", Formatter("s"))
BYTES = Unit("bytes", "_bytes", Formatter("MB", 1e-6, "MB = 10⁶ B"))
BITS_PER_SECOND = Unit("bit/s", "_bits_per_second", Formatter("Mbit/s", 1e-6))
BYTES_PER_SECOND = Unit("bytes/s", "_bytes_per_second", Formatter("MB/s", 1e-6))
PINGS = Unit("pings", "", Formatter(head="pings", pattern=",.0f"))
COUNT = Unit("count", "", Formatter(pattern=",.0f"))
RATIO = Unit("ratio", "", Formatter())
YES_NO = Unit("yes or no", "", Formatter())
MILLISECONDS = Formatter("ms", 1000.0)
