"""Migration modes. A new mode is one member here: studies, drivers, outcomes and report know it then."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """How a guest migrates.

    `label`: how it is written in text. `switchover_iteration`: at the beginning of which of QEMU's passes
    over the guest's memory it changes to post-copy, None where it never does. libvirt reports iteration N
    when QEMU begins pass N (QMP event MIGRATION_PASS): 2 means that the first pass is done, 1 that the
    migration has just been set up. `colour` and `dark_colour`: of its marks, on a light and on a dark page.
    """

    label: str
    switchover_iteration: int | None
    colour: str
    dark_colour: str

    def __new__(
        cls, value: str, label: str, switchover_iteration: int | None, colour: str, dark_colour: str
    ) -> Mode:
        """One member. The mode's word in studies and results is `value`."""
        mode = str.__new__(cls, value)
        mode._value_ = value
        mode.label = label
        mode.switchover_iteration = switchover_iteration
        mode.colour = colour
        mode.dark_colour = dark_colour
        return mode

    PRECOPY = "precopy", "pre-copy", None, "#c4470c", "#f08a4b"
    HYBRID = "hybrid", "hybrid", 2, "#0a63c4", "#5aa5f5"
    POSTCOPY = "postcopy", "post-copy", 1, "#178240", "#58c583"

    @classmethod
    def named(cls, word: str) -> Mode:
        """The mode that studies call so. Raises KeyError for another word."""
        return {mode.value: mode for mode in cls}[word]

    @property
    def has_postcopy(self) -> bool:
        """Whether it changes to post-copy: then it ends, and sends no page more than twice."""
        return self.switchover_iteration is not None

    @property
    def whole_passes(self) -> int:
        """Whole passes of pre-copy before its switchover; 0 where there are none, or no switchover."""
        return 0 if self.switchover_iteration is None else self.switchover_iteration - 1

    def expected_seconds(
        self, stressed_bytes: float, idle_bytes: float, bytes_per_second: float, limit_seconds: float
    ) -> float:
        """How long a migration should take, at most `limit_seconds`; a first guess only.

        With a switchover each stressed page is sent twice at most: by the pass, and on request. Without
        one a stressed guest never converges.
        """
        if stressed_bytes and not self.has_postcopy:
            return limit_seconds
        return min((2 * stressed_bytes + idle_bytes) / bytes_per_second, limit_seconds)


# The article's: claims and published tables are of it.
ARTICLE_MODE = Mode.HYBRID
