"""How are clients answered that keep their connections: at once, and by all processes alike?

Who asks again as soon as it has its answer is answered by the thread that gave it, which waits a moment for that. The
way through the server's one dispatching thread, into its selector and out again, takes nearly as long as a small
answer. It is done only while there are no more connections than threads, so that nobody waits for a thread meanwhile.

A connection stays with the process that accepted it. Which one does is a matter of luck, so one that has more than
another lets that go first; else eight clients may well share one process while the other idles.

An answer that is given before all of the request has been read, as of a table that is too large, says itself whether
the connection ends with it: a client that was told to keep it must not find it closed.
"""

import mmap
import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

MOMENT_MS = 20
READ_ON_BYTES = 60_000  # gunicorn reads on for 64 KiB, by pieces
YIELD_S = 0.001
_PLACES = 64


class Fellows:
    """How many connections each process has; the processes are forked from the one that made this."""

    def __init__(self) -> None:
        self._told = memoryview(mmap.mmap(-1, 8 * _PLACES)).cast("i")

    def tell(self, place: int, connections: int) -> None:
        """Say how many connections the process that calls this has; places are reused."""
        at = 2 * (place % _PLACES)
        self._told[at], self._told[at + 1] = os.getpid(), connections

    def has_fewer(self, connections: int) -> bool:
        """Whether another process that lives has fewer connections than some."""
        pids, counts = self._told[::2].tolist(), self._told[1::2].tolist()
        return any(
            count < connections and pid != os.getpid() and _lives(pid)
            for pid, count in zip(pids, counts, strict=True)
            if pid
        )


def _is_much_left(body: Any) -> bool:
    """Whether more of the body of a request is unread than is read on after the answer, or nobody knows how much."""
    if body.buf.tell() > READ_ON_BYTES:
        return True
    length = getattr(body.reader, "length", None)
    return getattr(body.reader, "parser", None) is not None if length is None else length > READ_ON_BYTES


def _lives(pid: int) -> bool:
    with suppress(OSError):
        os.kill(pid, 0)
        return True
    return False


FELLOWS = Fellows()


class KeptConnections(ThreadWorker):  # type: ignore[misc]
    """Threads of gunicorn, of which half may wait for the next request of the client that they have answered."""

    wsgi: Callable[..., Iterable[bytes]]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._waiting = threading.BoundedSemaphore(max(1, self.cfg.threads // 2))

    def handle(self, conn: Any) -> Any:
        """Answer the requests of a connection as long as they come at once; what `ThreadWorker` tells of the last.

        A request that was read together with the one before is answered at once, whoever else waits: the selector knows
        nothing of it. A client may send requests without waiting for answers (RFC 9112, section 9.3.2), and the next
        one may come along with the rest of a body that nobody wanted.
        """
        told = super().handle(conn)
        while told is True and self.alive:
            if not conn.parser.unreader.buf.tell() and (
                self.nr_conns > self.cfg.threads or not self._asks_again(conn.sock)
            ):
                break
            told = super().handle(conn)
        return told

    def load_wsgi(self) -> None:
        """Load the application, whose answers say when the connection ends with them."""
        super().load_wsgi()
        application: Callable[..., Iterable[bytes]] = self.wsgi

        def answered(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            answer: Iterable[bytes] = application(environ, start)
            if _is_much_left(environ["wsgi.input"]):
                start.__self__.force_close()  # type: ignore[attr-defined]
            return answer

        self.wsgi = answered

    def accept(self, listener: Any) -> None:
        """Accept a connection, unless another process does that has fewer."""
        if FELLOWS.has_fewer(self.nr_conns):
            time.sleep(YIELD_S)
        super().accept(listener)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Do what is to be done, and tell the other processes how many connections there are now."""
        super().wait_for_and_dispatch_events(timeout)
        FELLOWS.tell(self.age, self.nr_conns)

    def _asks_again(self, sock: Any) -> bool:
        if not self._waiting.acquire(blocking=False):
            return False
        try:
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            return bool(poll.poll(MOMENT_MS))
        finally:
            self._waiting.release()
