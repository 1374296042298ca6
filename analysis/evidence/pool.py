"""Maps a function over many items on all cores, in the items' order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Self, TypeVar

from analysis.evidence.errors import InputError

T = TypeVar("T")
R = TypeVar("R")

_MOST_ITEMS_PER_MESSAGE = 16


class Workers(AbstractContextManager["Workers"]):
    """Processes that work for this one; inside `with`. With one core all work is done in this process.

    `count`: how many processes (default: one per core that this process may use, see taskset(1)). `modules`:
    imported once for all of them, which saves each the seconds that this takes.
    """

    def __init__(self, count: int | None = None, modules: Sequence[str] = ()) -> None:
        self.count = len(os.sched_getaffinity(0)) if count is None else count
        self._modules = modules
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self.count > 1:
            # Not forked from this process: it may have threads, as a progress display has.
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["__main__", *self._modules])
            self._pool = ProcessPoolExecutor(self.count, context, initializer=_begin)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def prepare(self, function: Callable[[], object]) -> None:
        """Start the processes; each calls the function first, which makes ready for the later work."""
        if self._pool is not None:
            for _ in range(self.count):
                self._pool.submit(function)

    def begin(self, function: Callable[[], R]) -> Callable[[], R]:
        """Begin function(); what is given waits for its result. Pickling and errors as of `map`."""
        if self._pool is None:
            result = function()
            return lambda: result
        return partial(_result, self._pool.submit(function))

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """function(item) for each item, in order: the same as `map`, only sooner.

        The processes begin at once. `function`, items and results must be picklable. InputError if a process
        is killed from outside.
        """
        if self._pool is None:
            return map(function, items)
        chunk = max(1, min(_MOST_ITEMS_PER_MESSAGE, len(items) // (4 * self.count)))
        return _results(self._pool.map(function, items, chunksize=chunk))


def map_in_order(
    function: Callable[[T], R],
    items: Sequence[T],
    workers: int | None = None,
    worth_processes: int = 100,
) -> Iterator[R]:
    """Yield function(item) for each item, in order, as `Workers.map` does.

    Fewer items than `worth_processes` are done in this process: starting others takes half a second.
    """
    if workers is None and len(items) < worth_processes:
        workers = 1
    with Workers(workers) as pool:
        yield from pool.map(function, items)


def _result(future: Future[R]) -> R:
    with _told():
        return future.result()


def _results(results: Iterator[R]) -> Iterator[R]:
    with _told():
        yield from results


@contextmanager
def _told() -> Iterator[None]:
    """A killed process is an InputError."""
    try:
        yield
    except BrokenProcessPool as error:
        raise InputError("a process of the analysis was killed: is there too little memory?") from error


def _begin() -> None:
    """Begin a worker: Ctrl-C is the caller's affair, and with the caller killed nobody waits for work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_caller, daemon=True).start()


def _end_with_caller() -> None:
    caller = multiprocessing.parent_process()
    if caller is not None:
        caller.join()
        os._exit(1)
