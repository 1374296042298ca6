"""What an exchange of times tells of two clocks, as NTP has it (RFC 5905, section 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Times = TypeVar("Times", float, "NDArray[np.float64]")


def offset_seconds(sent_at: Times, received_at: Times, answered_at: Times, returned_at: Times) -> Times:
    """The answering node's clock minus the asking one's; epoch seconds.

    `sent_at`, `returned_at`: of the request and of its answer, by the asking node's clock. `received_at`,
    `answered_at`: by the answering node's.
    """
    return ((received_at - sent_at) + (answered_at - returned_at)) / 2
