"""How long a study still takes: a simple model, corrected by the runs already done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contract.records import Spec

# What a run costs whatever its load: boot, probes, quiet seconds, checks, fetch. First guess only.
FIXED_SECONDS = 20.0
# How fast a stressor makes its memory resident. First guess only.
FILL_BYTES_PER_SECOND = 500e6
# Memory of an idle guest, which is sent too. First guess only.
IDLE_BYTES = 150e6


def run_seconds(spec: Spec) -> float:
    """Expected duration of a run: boot and the like, fill, migration."""
    stressed = float(spec.stressed_bytes)
    rate_bytes = spec.link_rate_bits_per_second / 8
    migrate = spec.mode.expected_seconds(stressed, IDLE_BYTES, rate_bytes, spec.limit_seconds)
    return FIXED_SECONDS + stressed / FILL_BYTES_PER_SECOND + migrate


@dataclass(frozen=True)
class Forecast:
    """Expected seconds of each piece of work; corrected by what finished pieces really took."""

    expected: Mapping[Any, float]
    actual: Mapping[Any, float]

    @property
    def correction(self) -> float:
        """Real seconds per expected second; begins at 1 and trusts the measurements more with each.

        The prior weighs as much as one average piece of work.
        """
        if not self.expected:
            return 1.0
        prior = sum(self.expected.values()) / len(self.expected)
        modelled = sum(self.expected[key] for key in self.actual if key in self.expected)
        measured = sum(seconds for key, seconds in self.actual.items() if key in self.expected)
        return (measured + prior) / (modelled + prior) if modelled + prior > 0 else 1.0

    def done(self, key: object, seconds: float) -> Forecast:
        """The same with one more piece of work finished."""
        return Forecast(self.expected, {**self.actual, key: seconds})

    def seconds_left(self, pending: Iterable[object], current_elapsed_seconds: float = 0.0) -> float:
        """Time for all pending pieces; the first of them has been running for `current_elapsed_seconds`."""
        # Once for all: it goes over all pieces itself.
        correction = self.correction
        pieces = [self.expected.get(key, 0.0) * correction for key in pending]
        if not pieces:
            return 0.0
        return max(0.0, pieces[0] - current_elapsed_seconds) + sum(pieces[1:])

    def share_done(self, pending: Iterable[object], current_elapsed_seconds: float = 0.0) -> float:
        """Finished part of all work, from 0 to 1, weighed by expected time."""
        total = sum(self.expected.values()) * self.correction
        if total <= 0:
            return 0.0
        return min(1.0, max(0.0, 1 - self.seconds_left(pending, current_elapsed_seconds) / total))
