"""Text of others on its way to people: it neither steers their terminal nor shows in another order.

Evidence holds what guests, hosts and tools wrote: escape sequences of a kernel log, a name with a
bidirectional override (https://trojansource.codes), half a surrogate pair.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

# Control characters C0 (but tab and newline) and C1, what has no width or turns the order around, line and
# paragraph separators, halves of surrogate pairs, tags.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """The text with what would steer a terminal written out, as `\\x1b` or `\\u202e`."""
    return (
        text
        if text.isprintable()
        else _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
    )


class SafeConsole(Console):
    """A console whose every text is printable; its own colours and cursor movements are none of the text."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
