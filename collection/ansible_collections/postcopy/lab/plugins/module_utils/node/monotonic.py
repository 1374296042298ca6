# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Time that passes whatever becomes of the clock: for limits and waits. Time stamps are the wall clock's."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import sys
import threading
import time


def since_boot():
    """times(2): seconds since some moment, in hundredths; the one such clock that Python 2 has."""
    return os.times()[4]


# Python 2's module time has none.
seconds = getattr(time, "monotonic", since_boot)

if sys.version_info[0] < 3:
    # Its Condition.wait() and Event.wait() are to count by this: by the wall clock they would wait an hour
    # longer after it was set back by one.
    threading._time = seconds
