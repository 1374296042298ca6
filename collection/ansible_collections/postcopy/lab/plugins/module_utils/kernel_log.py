# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""What a Linux kernel prints when its memory is not what it wrote there."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

# A kernel's own warning counts: with damaged memory it was at times all that a guest had to say (recorded
# consoles
# in tests/data/consoles). A soft lockup and a stall of RCU are none: an emulated guest on a busy machine
# may have
# one and be intact. A call trace belongs to the line before it, which is one of these if the trace means
# damage.
DAMAGE = re.compile(
    r"(?<!\w)BUG:(?! soft lockup)|\bWARNING:|\bOops\b|Bad (?:page|rss-counter|swap)|\bcorrupt(?:ion|ed)\b"
    r"|general protection fault|Kernel panic|nable to handle|\blist_(?:del|add)\b"
    r"|guest-agent\[\d+\].*(?:segfault|trap)|kernel BUG at|Internal error"
)
# Lines that hold a word of the pattern in an ordinary boot.
HARMLESS = re.compile(r"[Cc]heck(?:ing|s)? for corruption|memory corruption check|corruption check")

MOST_LINES = 20


def damage_lines(lines):
    """The lines of a kernel log or console that tell of damaged memory: in order, each once, at most 20."""
    found = []
    for line in lines:
        text = line.strip()
        if DAMAGE.search(text) and not HARMLESS.search(text) and text not in found:
            found.append(text[:240])
    return found[:MOST_LINES]
