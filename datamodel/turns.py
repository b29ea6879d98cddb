"""Whose query is next? Turns within one server process: bounded, and fair between callers.

A query has its turn from its start until its answer was read or given up; so neither long queries nor slow
readers can take all threads (see `datamodel.places`). Who finds no room waits for a few seconds. A turn that
becomes free goes to the caller who has the fewest under way, and among equals to the one who was not served for
longest: a hundred queries of one caller delay the first query of another by one turn at the most.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import BusyError
from datamodel.places import Places, places_of

RETRY_AFTER_S = 5
_REMEMBERED = 64
_TABLES_PER_CALLER = 2
_SHARE_OF_TABLES = 8


def turns_of(archive: Archive) -> "Turns":
    """The queries of this process."""
    places = places_of(archive)
    turns: Turns = archive.resource("turns", lambda: Turns(places))
    return turns


def table_turns_of(archive: Archive) -> "Turns":
    """Those who bring or save a table of their own, in this process; see `Bounds.of_tables`."""
    places = places_of(archive)
    turns: Turns = archive.resource("turns of tables", lambda: Turns(places, "tables"))
    return turns


@dataclass(frozen=True)
class Bounds:
    """What there is room for in one process.

    Attributes
    ----------
    at_once
        Turns at a time.
    per_caller
        Turns of one caller at a time; where there are several in all, the last is kept for who has none.
    waiting
        Requests that wait, all callers together.
    """

    at_once: int
    per_caller: int
    waiting: int

    @classmethod
    def of(cls, config: Config) -> "Bounds":
        """As configured; whatever that says, a quarter of the threads is left for what is no query."""
        at_once = max(1, min(config.queries_at_once, config.threads // 2))
        return cls(at_once, config.queries_per_caller, min(config.queries_waiting, config.threads // 4))

    @classmethod
    def of_tables(cls, config: Config) -> "Bounds":
        """For tables that are brought or saved, of which each may mean to write all the rows that there were."""
        share = config.threads // _SHARE_OF_TABLES
        return cls(max(1, share), _TABLES_PER_CALLER, min(config.queries_waiting, share))


class Turn:
    """The right to one query, or a place in the queue for it.

    Attributes
    ----------
    who
        The caller.
    state
        How it stands.
    """

    def __init__(self, turns: "Turns", who: str) -> None:
        self._turns = turns
        self.who = who
        self.state: Literal["new", "waiting", "granted", "refused", "over"] = "new"
        self.decided = threading.Event()

    def end(self) -> None:
        """The answer was read, or nobody wants it any more; any thread may say so, any number of times."""
        self._turns.end(self)


class Turns:
    """The queries of one process: who has a turn, and who waits for one.

    Parameters
    ----------
    places
        Of which each query holds one, also while it waits; None where there are enough for all.
    what
        The turns are for, in messages.
    """

    def __init__(self, places: Places | None = None, what: str = "queries") -> None:
        self._places = places
        self._what = what
        self._held = 0
        self._lock = threading.Lock()
        self._inbox: deque[tuple[Turn, bool]] = deque()
        self._bounds = Bounds(1, 1, 0)
        self._taken: Counter[str] = Counter()
        self._waiting: list[Turn] = []
        self._served: dict[str, int] = {}
        self._grants = 0

    def take(self, who: str, config: Config, bounds: Bounds | None = None) -> Turn:
        """A turn for a caller, waited for where there is none at once.

        Parameters
        ----------
        who
            The caller: an account or an address.
        config
            Has the bounds, and for how long is waited.
        bounds
            Other ones than those for queries.

        Raises
        ------
        BusyError
            So many are under way that the caller has to come another time.
        """
        bounds = bounds or Bounds.of(config)
        turn = self.ask(who, bounds)
        try:
            turn.decided.wait(config.queue_seconds)
        except BaseException:
            turn.end()
            raise
        if turn.state == "granted":
            return turn
        turn.end()
        raise BusyError(f"{self._reason(who, bounds)}; try again later", RETRY_AFTER_S)

    def ask(self, who: str, bounds: Bounds) -> Turn:
        """Stand in the queue: the turn is granted at once where there is room, else later, or refused.

        Parameters
        ----------
        who
            The caller.
        bounds
            Of this process.
        """
        turn = Turn(self, who)
        self._bounds = bounds
        self._inbox.append((turn, False))
        self._work()
        return turn

    def end(self, turn: Turn) -> None:
        """A turn is over, or its place in the queue is left."""
        self._inbox.append((turn, True))
        self._work()

    def _reason(self, who: str, bounds: Bounds) -> str:
        """Why a caller has no turn now."""
        if self._taken[who] >= bounds.per_caller:
            whose, bound = "one caller", bounds.per_caller
        elif self._taken.total() >= bounds.at_once - 1:
            whose, bound = "all callers together", bounds.at_once
        else:
            return f"so much else is under way that there is no place for more {self._what}"
        return f"{bound} {self._what} at a time are answered for {whose}, and so many are under way"

    def _work(self) -> None:
        """Do what lies in the inbox, unless another thread is at it.

        The garbage collector may call `end` in the middle of this very function, so nobody waits for the lock;
        who holds it looks into the inbox once more after having let go.
        """
        while self._inbox and self._lock.acquire(blocking=False):
            try:
                while self._inbox:
                    self._settle(*self._inbox.popleft())
                self._refuse(self._has_no_place)
                self._grant()
                self._refuse(lambda: len(self._waiting) > self._bounds.waiting)
                self._give_back()
            finally:
                self._lock.release()

    def _settle(self, turn: Turn, ended: bool) -> None:
        if not ended:
            turn.state = "waiting"
            self._waiting.append(turn)
            return
        if turn.state == "granted":
            self._taken[turn.who] -= 1
            self._taken += Counter()  # forgets those who have none
        elif turn.state == "waiting":
            self._waiting.remove(turn)
        turn.state = "over"

    def _grant(self) -> None:
        while (turn := self._next()) is not None:
            self._waiting.remove(turn)
            self._taken[turn.who] += 1
            self._grants += 1
            self._served[turn.who] = self._grants
            turn.state = "granted"
            turn.decided.set()
        here = {*self._taken, *(turn.who for turn in self._waiting)}
        if len(self._served) > len(here) + _REMEMBERED:
            self._served = {who: last for who, last in self._served.items() if who in here}

    def _next(self) -> Turn | None:
        able = [turn for turn in self._waiting if self._may_have_one(turn.who)]
        return min(able, key=lambda t: (self._taken[t.who], self._served.get(t.who, 0)), default=None)

    def _may_have_one(self, who: str) -> bool:
        has, free = self._taken[who], self._bounds.at_once - self._taken.total()
        kept_for_others = int(has > 0 and self._bounds.at_once > 1)
        return has < self._bounds.per_caller and free > kept_for_others

    def _refuse(self, must: Callable[[], bool]) -> None:
        """Send away the latest of those who have the most in the queue, as long as somebody must go."""
        while self._waiting and must():
            counts = Counter(turn.who for turn in self._waiting)
            most = max(counts.values())
            turn = next(turn for turn in reversed(self._waiting) if counts[turn.who] == most)
            self._waiting.remove(turn)
            turn.state = "refused"
            turn.decided.set()

    def _has_no_place(self) -> bool:
        """Whether there are more queries than places, after having taken what there is."""
        while self._places is not None and self._held < self._needed():
            if not self._places.take():
                return True
            self._held += 1
        return False

    def _give_back(self) -> None:
        while self._places is not None and self._held > self._needed():
            self._held -= 1
            self._places.give()

    def _needed(self) -> int:
        return self._taken.total() + len(self._waiting)
