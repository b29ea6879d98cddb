"""How many requests of one server process may take long at a time? All but a few of its threads.

Queries, those who wait for jobs, and what is made on request hold a place each, for as long as they hold a thread. The
threads that are left answer what is quick, such as metadata, whatever else is going on.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from datamodel.archive import Archive
from datamodel.errors import BusyError

RETRY_AFTER_S = 5
_SHARE_KEPT = 8


def places_of(archive: Archive) -> "Places":
    """Those of this process."""
    places: Places = archive.resource("places", lambda: Places(archive.config.threads))
    return places


class Places:
    """The places of one process.

    Parameters
    ----------
    threads
        That the process has; an eighth of them, and one at least where there are two, is for what is quick.

    Notes
    -----
    Nothing here waits for a lock, for a place may be given back by the garbage collector in the middle of anything.
    """

    def __init__(self, threads: int) -> None:
        self.number = max(1, threads - max(1, threads // _SHARE_KEPT))
        self._free = deque([None] * self.number)

    def take(self) -> bool:
        """Take a place; whether there was one."""
        try:
            self._free.pop()
        except IndexError:
            return False
        return True

    def give(self) -> None:
        """Give a place back."""
        self._free.append(None)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place within the block.

        Raises
        ------
        BusyError
            There is none.
        """
        if not self.take():
            raise BusyError(
                f"{self.number} requests that take long are answered at a time, and so many are; try again later",
                RETRY_AFTER_S,
            )
        try:
            yield
        finally:
            self.give()
