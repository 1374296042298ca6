"""Maps a function over many items on all cores, in the items' order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from analysis.evidence.errors import InputError

T = TypeVar("T")
R = TypeVar("R")

_MOST_ITEMS_PER_MESSAGE = 16

# The function of this worker process, sent once instead of with every item.
_function: Callable[[Any], Any]


def map_in_order(
    function: Callable[[T], R],
    items: Sequence[T],
    workers: int | None = None,
    worth_processes: int = 100,
) -> Iterator[R]:
    """Yield function(item) for each item, in order: the same as `map`, only sooner.

    `workers`: how many processes (default: one per core that this process may use, see taskset(1)). Fewer
    items than `worth_processes` are done in this process: starting others takes half a second. `function`,
    items and results must be picklable. InputError if a process is killed from outside.
    """
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if len(items) >= worth_processes else 1
    if workers == 1:
        yield from map(function, items)
        return
    # Not forked: the caller may have threads, as a progress display has.
    context = multiprocessing.get_context("spawn")
    chunk = max(1, min(_MOST_ITEMS_PER_MESSAGE, len(items) // (4 * workers)))
    try:
        with ProcessPoolExecutor(workers, context, initializer=_remember, initargs=(function,)) as pool:
            yield from pool.map(_call, items, chunksize=chunk)
    except BrokenProcessPool as error:
        raise InputError("a process of the analysis was killed: is there too little memory?") from error


def _remember(function: Callable[[Any], Any]) -> None:
    """Begin a worker: Ctrl-C is the caller's affair, and with the caller killed nobody waits for work."""
    global _function
    _function = function
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_caller, daemon=True).start()


def _end_with_caller() -> None:
    caller = multiprocessing.parent_process()
    if caller is not None:
        caller.join()
        os._exit(1)


def _call(item: Any) -> Any:
    return _function(item)
