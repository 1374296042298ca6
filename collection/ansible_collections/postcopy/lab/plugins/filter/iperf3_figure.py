# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""What iperf3 measured, of what it printed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: iperf3_figure
short_description: What iperf3 measured
description:
  - Reads what C(iperf3 --client --json) printed. Text that is no JSON, an error and a figure that
    is no number above 0 give none.
options:
  _input:
    description: What iperf3 printed.
    type: str
    required: true
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Show what arrived
  ansible.builtin.debug:
    msg: "{{ (iperf3_client.stdout | postcopy.lab.iperf3_figure).bits_per_second }}"
"""

RETURN = r"""
_value:
  description: None, or bits_per_second (what the receiver got) and measured_at (seconds since 1970 UTC).
  type: dict
"""

import json
import math
from collections.abc import Callable
from typing import Any


def number(value: Any) -> float | None:
    """A number of JSON that is finite and above 0, else none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value > 0 else None


def iperf3_figure(printed: str) -> dict[str, int] | None:
    """What `iperf3 --client --json` measured.

    :param printed: its standard output, as it came
    :return: bits_per_second at the receiver and measured_at (seconds since 1970 UTC), whole numbers;
        None where iperf3 failed or printed no figure
    """
    try:
        document = json.loads(printed)
        measured = number(document["end"]["sum_received"]["bits_per_second"])
        started = number(document["start"]["timestamp"]["timesecs"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if measured is None or started is None or "error" in document:
        return None
    return {"bits_per_second": round(measured), "measured_at": round(started)}


class FilterModule:
    """Ansible's way to call iperf3_figure()."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"iperf3_figure": iperf3_figure}
