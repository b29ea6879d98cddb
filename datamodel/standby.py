"""How does work get a thread at once? Threads that have done theirs wait for more.

They are daemons, as work that waits for its reader must not keep a program from ending.
"""

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

Work = Callable[[], None]

MOST_IDLE = 64

_idle: list["SimpleQueue[Work]"] = []
"""Of each thread that waits, where it looks for work; appending and popping need no lock."""

os.register_at_fork(after_in_child=_idle.clear)  # a child has none of these threads


def begin(work: Work) -> None:
    """Have some work done beside the caller; it must not raise."""
    try:
        _idle.pop().put(work)
    except IndexError:
        threading.Thread(target=_serve, args=(work,), name="standby", daemon=True).start()


def _serve(work: Work | None) -> None:
    given: SimpleQueue[Work] = SimpleQueue()
    while work is not None:
        work()
        work = None  # nothing of it is kept while there is nothing to do
        if len(_idle) < MOST_IDLE:
            _idle.append(given)
            work = given.get()
