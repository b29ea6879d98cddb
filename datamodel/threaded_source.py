"""How does a statement give its rows to a reader that may stop at any time, where its driver only waits?

A thread of its own owns the connection from the first message to the release, and waits while some batches lie
ready. Whoever wants it to stop cancels the statement from outside.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

import pyarrow as pa

from datamodel import standby
from datamodel.streaming import Watch

_READY = 2
_POLL_S = 0.1
_CANCEL_AGAIN_S = 0.2
_PATIENCE_S = 3.0  # with a database that does not hear


class ThreadedSource(ABC):
    """A statement that a thread runs; see `datamodel.streaming.Source`.

    Parameters
    ----------
    watch
        Says when to stop.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._ready: deque[Callable[[], pa.RecordBatch]] = deque()
        self._changed = threading.Condition()
        self._cancelling = threading.Lock()
        self._stopped = self._released = self._ended = False
        self._failure: BaseException | None = None
        self._worker: threading.Thread | None = None
        standby.begin(self._work)

    @abstractmethod
    def _produce(self) -> None:
        """Run the statement and `_hand` over its batches, in the thread."""

    @abstractmethod
    def _release(self) -> None:
        """Give the connection back, in the thread; `_cancel` is not called after that."""

    @abstractmethod
    def _cancel(self) -> None:
        """Have the database end the statement; may take long."""

    @abstractmethod
    def _abandon(self) -> None:
        """Have the thread stop waiting for a database that does not answer."""

    def next(self) -> pa.RecordBatch | None:
        """See `Source`."""
        self._ask()
        while not self._something() and not self._stopped:
            self._ask()
        with self._changed:
            made = self._ready.popleft() if self._ready else None
            self._changed.notify_all()
        if made is not None:
            return made()
        if self._stopped:
            raise self._watch.error()
        if self._failure is not None:
            raise self._watch.told(self._failure) from None
        return None

    def ended(self, patience_s: float) -> bool:
        """See `Source`."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._ready) >= _READY, patience_s)
            return self._ended

    def close(self) -> None:
        """See `Source`."""
        self._watch.close()
        self._stop()

    def _hand(self, made: Callable[[], pa.RecordBatch]) -> None:
        """Lay a batch ready; when nobody wants any, drop it until the cancel is heard."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._ready) < _READY)
            if not self._stopped:
                self._ready.append(made)
                self._changed.notify_all()

    def _ask(self) -> None:
        if not self._stopped and not self._ended and self._watch.stops():
            self._stop()

    def _something(self) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._ready) or self._ended, _POLL_S)

    def _stop(self) -> None:
        """Cancel until the thread has ended; a cancel between two statements goes unheard.

        A database that does not answer at all is left to the thread, which ends when its connection does.
        """
        with self._changed:
            self._stopped = self._stopped or not self._ended or bool(self._ready)
            self._ready.clear()
            self._changed.notify_all()
        until = time.monotonic() + _PATIENCE_S
        while self._worker is not threading.current_thread() and not self._ended:
            standby.begin(self._cancel_once)
            with self._changed:
                self._changed.wait_for(lambda: self._ended, _CANCEL_AGAIN_S)
            if time.monotonic() > until:
                self._abandon_once()
                break

    def _cancel_once(self) -> None:
        if self._cancelling.acquire(blocking=False):
            try:
                if not self._released:
                    self._cancel()
            finally:
                self._cancelling.release()

    def _abandon_once(self) -> None:
        with self._changed:
            if not self._ended and not self._released:
                self._abandon()
            self._changed.wait_for(lambda: self._ended, _CANCEL_AGAIN_S)

    def _work(self) -> None:
        self._worker = threading.current_thread()
        failure: BaseException | None = None
        try:
            self._produce()
        except BaseException as raised:  # carried over to the reader
            failure = raised
        with self._cancelling, self._changed:  # neither may reach whoever has the connection next
            self._released = True
        try:
            self._release()
        except BaseException as raised:
            failure = failure or raised
        with self._changed:
            self._failure, self._ended, self._worker = failure, True, None
            self._changed.notify_all()
