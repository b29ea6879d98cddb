"""The processes that run recipes: spawned, never forked; replaced when one is killed."""

import gc
import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from processing.work import Made, WorkOrder, work


def begin() -> None:
    """What a worker does first: it sees to it that it ends when its parent has ended."""
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
                return _submitted(self._pool, order)
            except BrokenProcessPool:
                self._pool = self._start()
                return _submitted(self._pool, order)

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
                gc.collect()  # its semaphores are given back now: an interrupted server does not wait for its threads


def _submitted(pool: ProcessPoolExecutor, order: WorkOrder) -> "Future[Made]":
    """Submit to a pool, which may start a process: one that begins with interrupts held back, so deaf to Ctrl-C."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(work, order)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
