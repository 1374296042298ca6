"""Numbers as people read them. Units stand in column heads; MB is 10^6 bytes, MiB 2^20 bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from analysis.evidence.console import printable
from analysis.run.formatter import significant
from analysis.stats.intervals import Bounds, Interval, MedianEstimate

# What begins markup anywhere in a line of GitHub-flavoured Markdown: https://github.github.com/gfm/
_MARKUP = re.compile(r"([\\`*_\[\]<>|~$&])")


def as_printed(value: float) -> str:
    """A published number with no digit added."""
    return f"{value:,.10g}"


def estimate_text(estimate: MedianEstimate, factor: float = 1.0) -> str:
    """The median."""
    return significant(estimate.median * factor)


def estimate_note(estimate: MedianEstimate, factor: float = 1.0) -> str:
    """Its interval, or its range where there are too few runs for one."""
    if estimate.low is not None and estimate.high is not None:
        return f"95 %: {significant(estimate.low * factor)} to {significant(estimate.high * factor)}"
    if estimate.count == 1:
        return "one run"
    low, high = significant(estimate.minimum * factor), significant(estimate.maximum * factor)
    return f"n = {estimate.count}" if low == high else f"{low} to {high}, n = {estimate.count}"


def bounds_text(bounds: Bounds, factor: float = 1.0) -> str:
    return f"{significant(bounds.low * factor)} to {significant(bounds.high * factor)}"


def interval_text(interval: Interval, digits: int = 2) -> str:
    """An outage: its two bounds in seconds; it begins at 0 where no two pings in a row were lost."""
    low = "0" if interval.low == 0 else f"{interval.low:.{digits}f}"
    return f"{low} to {interval.high:.{digits}f}"


def bit_rate(bits_per_second: float) -> str:
    return f"{bits_per_second / 1e6:,.0f} Mbit/s"


def counts_text(counts: Iterable[tuple[str, int]]) -> str:
    """3 completed, 1 guest corrupted."""
    return ", ".join(f"{count} {what}" for what, count in counts)


def markdown_text(text: str) -> str:
    """One line of Markdown that shows the text as it is: no markup, no HTML, no end of a table's cell."""
    return _MARKUP.sub(r"\\\1", printable(" ".join(text.split())))
