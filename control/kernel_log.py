"""Lines that a Linux kernel prints when its memory is damaged, or when it does not get on.

The kit has no other list of them. What the guest's own program keeps of its log (kernel_log.c of the role
guest_image) is judged by it as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# The guest's own words where it read its log too late: what is not there cannot be looked at.
UNREAD = "lines of the kernel's log were overwritten unread"
DAMAGE = re.compile(
    # A kernel's own WARN() counts, which names a place in its source: with damaged memory it was at times all
    # that a guest had to say (recorded consoles in tests/data/consoles). Others with the word are advice:
    # "RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable ...", "WARNING: BIOS bug: ...".
    r"(?:^|\]\s+)WARNING: (?:CPU: \d+ PID: \d+ )?(?:at )?\S+\.[a-z]+:\d+"
    # A lockup tells of time and not of memory: an emulated guest on a busy machine may have one and be
    # intact, as it may have a stall of RCU ("INFO: ...") or a task that was blocked for long.
    r"|(?:^|\]\s+|: )BUG:(?! (?:soft|workqueue|spinlock) lockup| rwlock-lockup)|kernel BUG at"
    r"|(?:^|\]\s+)BUG \S+ \((?:Not t|T)ainted"
    # Exceptions in the kernel: die() numbers each ("divide error: 0000 [#1] PREEMPT SMP").
    r"|\bOops\b|\[#\d+\]|general protection fault|invalid opcode|divide error|double fault|Internal error"
    r"|nable to handle|Kernel panic"
    # What the kernel's own checks of its data say.
    r"|Bad (?:page|rss-counter|swap)|\b[Cc]orrupt(?:ion|ed)\b|\blist_(?:del|add)\b|refcount_t: "
    r"|Hardware Error"
    # A program that died of its memory: "stress[150]: segfault at ...", "traps: init[1] trap divide error".
    r"|\S+\[\d+\]:? (?:segfault at|trap |bad frame)|" + re.escape(UNREAD)
)
# Lines of sound guests that hold a word of the list: looking for damage, limits of the kernel's own checks, a
# processor topology that it does not understand, a network driver that waited through the switchover.
HARMLESS = re.compile(
    r"[Cc]heck(?:ing|s)? for corruption|corruption check|Scanning for low memory corruption"
    r"|BUG: MAX_|BUG: arch topology|dev_watchdog"
)

# A kernel that does not get on: of a guest that never came so far as to migrate, it is the reason.
STALL = re.compile(
    r"rcu\S*: INFO: \S+ (?:self-)?detected stalls?|soft lockup|blocked for more than \d+ seconds"
)

MOST_LINES = 20


def damage_lines(lines: Iterable[str]) -> list[str]:
    """The lines of a kernel log or console that speak against a guest: in order, each once, at most 20."""
    found: list[str] = []
    for line in lines:
        text = line.strip()
        if DAMAGE.search(text) and not HARMLESS.search(text) and text not in found:
            found.append(text[:240])
    return found[:MOST_LINES]


def stall_line(lines: Iterable[str]) -> str | None:
    """The first line by which a kernel says that it does not get on, None without any."""
    return next((line.strip()[:240] for line in lines if STALL.search(line)), None)
