"""How does a request wait until a job changes, without taking the threads that others need?"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from datamodel.archive import Archive
from datamodel.context import Caller
from datamodel.jobs import Job, get
from datamodel.notify import POLL_S, notices
from datamodel.places import Places, places_of
from vo_server.uws.parameters import Wait

LINGER_S = 0.25
"""How much longer to wait for the end of a job that has just begun: most end at once, and spare a question."""


class Waiters:
    """The requests of one server process that wait; half of its threads at the most.

    Parameters
    ----------
    threads
        Of the process.
    places
        Of which each holds one.
    """

    def __init__(self, threads: int, places: Places) -> None:
        self._room = threading.BoundedSemaphore(max(1, threads // 2))
        self._places = places

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Whether there is room to wait within the block."""
        with ExitStack() as taken:
            yield self._take(taken)

    def _take(self, taken: ExitStack) -> bool:
        if not self._room.acquire(blocking=False):
            return False
        taken.callback(self._room.release)
        if not self._places.take():
            return False
        taken.callback(self._places.give)
        return True


def changed(
    archive: Archive, which: Job, caller: Caller, wait: Wait, gone: Callable[[], bool] = lambda: False
) -> Job:
    """A job after it has changed its phase, or after the time is over; at once where too many wait already.

    Parameters
    ----------
    archive
        Where it is.
    which
        The job as it was just read.
    caller
        Who waits.
    wait
        For how long, and in which phase.
    gone
        Whether nobody waits any more; asked once a second.

    Raises
    ------
    NotFoundError
        It was deleted meanwhile.
    """
    if not wait.seconds or not which.is_unfinished or wait.phase not in (None, which.phase):
        return which
    places = places_of(archive)
    waiters: Waiters = archive.resource("waiters", lambda: Waiters(archive.config.threads, places))
    with waiters.place() as there_is_room:
        return _waited(archive, which, caller, wait.seconds, gone) if there_is_room else which


def _waited(archive: Archive, which: Job, caller: Caller, seconds: float, gone: Callable[[], bool]) -> Job:
    deadline = time.monotonic() + seconds
    with notices(archive).watch(which.topic) as watch:
        while True:
            now = get(archive, which.service, which.id, caller)
            if now.phase != which.phase:
                if now.phase != "EXECUTING" or which.phase == "EXECUTING":
                    return now
                which, deadline = now, min(deadline, time.monotonic() + LINGER_S)
            left = deadline - time.monotonic()
            if left <= 0 or gone():
                return now
            watch.wait(min(left, POLL_S))
