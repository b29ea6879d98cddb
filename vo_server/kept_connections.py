"""How is a client answered that asks again as soon as it has its answer?

By the thread that answered it, which waits a moment for that. The way through the server's one dispatching thread,
into its selector and out again, takes nearly as long as a small answer.
"""

import select
import threading
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

MOMENT_MS = 20


class KeptConnections(ThreadWorker):  # type: ignore[misc]
    """Threads of gunicorn, of which half may wait for the next request of the client that they have answered."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._waiting = threading.BoundedSemaphore(max(1, self.cfg.threads // 2))

    def handle(self, conn: Any) -> Any:
        """Answer the requests of a connection as long as they come at once; what `ThreadWorker` tells of the last."""
        told = super().handle(conn)
        while told is True and self.alive and self._asks_again(conn.sock):
            told = super().handle(conn)
        return told

    def _asks_again(self, sock: Any) -> bool:
        if not self._waiting.acquire(blocking=False):
            return False
        try:
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            return bool(poll.poll(MOMENT_MS))
        finally:
            self._waiting.release()
