"""What the user sees while something runs: finished lines above, one live line below.

On a terminal the live line has a bar, the step, the time elapsed and the time left; elsewhere (CI, a pipe)
there are only the finished lines. Colours follow NO_COLOR and the terminal, as rich does.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console

# Width of output that goes to a file or a pipe: nothing is cut there.
PLAIN_WIDTH = 200
# A terminal narrower than this gets a shorter bar.
NARROW = 100
REFRESH_SECONDS = 0.5
# Share done (0 to 1) and seconds left; None: unknown.
Progressing = Callable[[], tuple[float | None, float | None]]
MARKS = {
    "ok": ("✓", "green"),
    "changed": ("✓", "yellow"),
    "failed": ("✗", "bold red"),
    "note": ("·", "dim"),
}


def make_console(*, stderr: bool = False, plain_width: int = PLAIN_WIDTH) -> Console:
    """A console on the process's own streams; `plain_width` counts where there is no terminal.

    No text is markup: a cause may hold `[/foo]`.
    """
    from analysis.evidence.console import SafeConsole

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else plain_width
    return SafeConsole(file=stream, width=width, highlight=False, markup=False, emoji=False)


def clock(seconds: float) -> str:
    """A duration for people: 4.2 s, 1 min 05 s, 2 h 03 min."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def time_left(seconds: float | None) -> str:
    """The time left in words; empty if it is not known."""
    if seconds is None:
        return ""
    return f"about {clock(round(seconds))} left" if seconds >= 1 else "longer than expected"


class Board(Protocol):
    """Where progress goes."""

    def line(self, mark: str, text: str, seconds: float | None = None, note: str = "") -> None:
        """Say that something finished."""

    def now(self, text: str) -> None:
        """Say what is being done."""

    def follow(self, progress: Progressing) -> None:
        """Ask `progress` for the bar and the time left, again and again."""

    def tell(self, text: str) -> None:
        """Print one plain sentence."""


class PlainBoard:
    """For a pipe or a log: finished lines only."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, mark: str, text: str, seconds: float | None = None, note: str = "") -> None:
        self._console.print(_line(mark, text, seconds, note), soft_wrap=True)

    def now(self, text: str) -> None:
        pass

    def follow(self, progress: Progressing) -> None:
        pass

    def tell(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)


class LiveBoard(PlainBoard):
    """For a terminal: a live line below the finished ones."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        super().__init__(console)
        self._progress: Progressing = lambda: (None, None)
        self.live = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24 if console.width >= NARROW else 10),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", style="cyan", table_column=Column(no_wrap=True)),
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self.live.add_task("", total=None, left="")

    def now(self, text: str) -> None:
        self.live.update(self._task, description=text)

    def follow(self, progress: Progressing) -> None:
        self._progress = progress

    def refresh(self) -> None:
        """Bring the bar up to date."""
        share, seconds_left = self._progress()
        left = time_left(seconds_left)
        if share is None:
            self.live.update(self._task, left=left)
        else:
            # A full bar would stop the clock, while something still runs.
            self.live.update(self._task, total=1.0, completed=min(share, 0.99), left=left)


@contextmanager
def open_board(console: Console) -> Iterator[Board]:
    """A live board on a terminal, a plain one elsewhere."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield PlainBoard(console)
        return
    board = LiveBoard(console)
    finished = threading.Event()

    def tick() -> None:
        while not finished.wait(REFRESH_SECONDS):
            board.refresh()

    ticker = threading.Thread(target=tick, daemon=True)
    with board.live:
        ticker.start()
        try:
            yield board
        finally:
            finished.set()
            ticker.join()


def _line(mark: str, text: str, seconds: float | None, note: str) -> object:
    from rich.text import Text

    sign, style = MARKS[mark]
    line = Text()
    line.append(f"{sign} ", style=style)
    line.append(text)
    if seconds is not None:
        line.append(f"  {clock(seconds)}", style="cyan")
    if note:
        line.append(f"  {note}", style="red" if mark == "failed" else "dim")
    return line
