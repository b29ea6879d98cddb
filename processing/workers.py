"""The processes that run recipes: spawned, never forked; replaced when one is killed."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from processing.work import Made, WorkOrder, work


def begin() -> None:
    """What a worker does first: it leaves interrupts to its parent, and ends when its parent has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


class Workers:
    """A pool of spawned processes; each computes with one thread.

    Parameters
    ----------
    count
        How many processes.
    """

    def __init__(self, count: int) -> None:
        self.count = max(1, count)
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, order: WorkOrder) -> "Future[Made]":
        """Have a recipe run; a pool that lost a process is replaced first."""
        with self._lock:
            if self._pool is None:
                self._pool = self._start()
            try:
                return self._pool.submit(work, order)
            except BrokenProcessPool:
                self._pool = self._start()
                return self._pool.submit(work, order)

    def _start(self) -> ProcessPoolExecutor:
        os.environ["OMP_NUM_THREADS"] = "1"  # children read it when they load their libraries
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.count, mp_context=spawn, initializer=begin)

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)
                self._pool = None
