"""Whose queries are under way, and is there room for one more? A bound within one server process.

A query counts from its start until its answer was read or given up; so neither long queries nor slow
readers can take all threads, and none can shut out the others.
"""

import threading
from collections import Counter

from datamodel.config import Config
from datamodel.errors import BusyError

RETRY_AFTER_S = 5


class Turns:
    """The queries of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def take(self, who: str, config: Config) -> "Turn":
        """A turn for a caller.

        Parameters
        ----------
        who
            The caller: an account or an address.
        config
            Has the bounds; at most half of the threads are for queries, whatever it says.

        Raises
        ------
        BusyError
            So many are under way that the caller has to wait for another time.
        """
        at_once = min(config.queries_at_once, max(1, config.threads // 2))
        with self._lock:
            if self._taken[who] >= config.queries_per_caller:
                raise BusyError(_full("one caller", config.queries_per_caller), RETRY_AFTER_S)
            if self._taken.total() >= at_once:
                raise BusyError(_full("all callers together", at_once), RETRY_AFTER_S)
            self._taken[who] += 1
        return Turn(self, who)

    def give_back(self, who: str) -> None:
        """One query of a caller has ended."""
        with self._lock:
            self._taken[who] -= 1
            self._taken += Counter()  # forgets those who have none


class Turn:
    """The right to one query; `end` may be called by anybody, any number of times."""

    def __init__(self, turns: Turns, who: str) -> None:
        self._turns = turns
        self._who: list[str] = [who]

    def end(self) -> None:
        """The answer was read, or nobody wants it any more."""
        try:
            who = self._who.pop()
        except IndexError:
            return
        self._turns.give_back(who)


def _full(whose: str, bound: int) -> str:
    return f"{bound} queries at a time are answered for {whose}, and so many are under way; try again later"
