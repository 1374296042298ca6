"""Make Mitogen's strategy known to Ansible, wherever the virtual environment is.

Ansible finds strategies by folder, not by Python package. This file is the folder's entry; the strategy
itself comes from the installed ``mitogen`` package. ``ANSIBLE_STRATEGY=linear`` goes without it.
"""

from __future__ import annotations

import sys

from ansible.collections.list import list_collection_dirs

try:
    from ansible_mitogen import affinity
    from ansible_mitogen.plugins.strategy.mitogen_linear import StrategyModule
except ImportError as error:
    sys.exit(
        f"ansible.cfg: strategy = mitogen_linear needs the package mitogen ({error});"
        " or set ANSIBLE_STRATEGY=linear"
    )

# Mitogen keeps its processes on single processors, and what tasks start inherits that: containers and
# machines of a lab would share what is left of this machine's processors, on two of them one.
affinity.policy = affinity.Policy()

# Mitogen lists all collections in the process of each task that calls a module of one, and the first listing
# in a process reads a file of each: a tenth of a second. Those processes are forks of this one.
list(list_collection_dirs())

__all__ = ["StrategyModule"]
