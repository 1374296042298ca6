# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""One JSON object per line, appended at once, from several threads."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import threading
import time


class JsonLines:
    """A file of JSON lines. A line is written whole and reaches the kernel before write() returns.

    What cannot be written is an EnvironmentError that names the file.
    """

    def __init__(self, path):
        self._path = path
        self._stream = open(path, "ab", 0)
        self._lock = threading.Lock()

    def write(self, record, at=None):
        """Append a record with its time "t": UTC epoch seconds of this node's clock."""
        record["t"] = round(time.time() if at is None else at, 6)
        line = (json.dumps(record, sort_keys=True) + "\n").encode("utf-8")
        with self._lock:
            try:
                self._stream.write(line)
            except EnvironmentError as error:
                error.filename = self._path
                raise

    def close(self):
        with self._lock:
            self._stream.close()
