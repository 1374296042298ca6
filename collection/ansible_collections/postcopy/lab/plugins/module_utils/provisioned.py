# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""What a node was provisioned from, as playbooks/provision.yml left it until the node's next start."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

PATH = "/run/postcopy-lab/provisioned"


def fingerprint():
    """The fingerprint of the files that this node was provisioned from; None since its start."""
    try:
        with open(PATH) as stream:
            return stream.read().strip() or None
    except (IOError, OSError):
        return None
