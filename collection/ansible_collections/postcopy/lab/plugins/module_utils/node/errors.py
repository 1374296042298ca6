# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Exceptions in one line."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type


def one_line(error):
    return " ".join(("%s" % error).split())


def described(error):
    """Any exception in one line: a file with what is wrong with it, else its kind and its text."""
    if isinstance(error, EnvironmentError) and error.filename and error.strerror:
        return "%s: %s" % (error.filename, error.strerror)
    return "%s: %s" % (type(error).__name__, one_line(error))
