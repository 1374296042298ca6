"""Types of fields. A description is what is allowed, in the words of messages and of the JSON Schema."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

# Later than any clock that was ever set, in epoch seconds: tells milliseconds and nonsense apart.
LATEST_EPOCH_SECONDS = 10**11
# Refuses what is no number of anything (NaN too), and whose square overflows.
_LARGEST = 1e300

Number = Annotated[float, Meta(gt=-_LARGEST, lt=_LARGEST, description="a number")]
PositiveNumber = Annotated[float, Meta(gt=0, lt=_LARGEST, description="a number above 0")]
EpochSeconds = Annotated[float, Meta(gt=0, lt=LATEST_EPOCH_SECONDS, description="a time in epoch seconds")]
# One of a directory, a file, an anchor of a page.
Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*$(?!\n)",
        description="letters and digits, joined by - _ or .",
    ),
]
