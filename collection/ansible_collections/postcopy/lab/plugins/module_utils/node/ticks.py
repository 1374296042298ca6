# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Waking up at a steady rate."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import monotonic


def ticks(hertz, stop):
    """Yield at a steady rate until the event is set. A late reader skips ticks, it does not catch up.

    :param hertz: ticks per second
    :param stop: threading.Event
    """
    period = 1.0 / hertz
    start = monotonic.seconds()
    count = 0
    while not stop.is_set():
        yield
        elapsed = monotonic.seconds() - start
        count = max(count + 1, int(elapsed / period))
        stop.wait(max(0.0, count * period - elapsed))
