"""Which stored object is the best for given keys at a given instant, and how was it chosen?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

from datamodel.compile import best_id as statement_of_best
from datamodel.context import NEAREST_SCOPE, Caller
from datamodel.favourites import favourites
from datamodel.frames import RawFrame
from datamodel.query import Query
from datamodel.session import current
from datamodel.state import Restricted
from processing.declarations import parameters, roles
from processing.keys import Keys
from processing.process_status import MADE

FOREVER = timedelta(days=3650)
"""What is valid for so long, or longer, was not made for any night in it."""

EXACT, ECLIPSING, FAVOURITE, FALLBACK = "exact", "eclipsing", "favourite", "fallback-forever"
GRADES = {
    EXACT: "the only one there is",
    ECLIPSING: "the newest, which eclipses others",
    FAVOURITE: "pinned by the project",
    FALLBACK: "valid for ever, in want of one of its time",
}
"""How a calibration was chosen; what follows is trusted less."""


@dataclass(frozen=True)
class Choice:
    """The best stored object, and how it was chosen.

    Attributes
    ----------
    winner
        The object.
    grade
        One of `GRADES`.
    eclipsed
        How many others are valid at the instant as well.
    """

    winner: Any
    grade: str
    eclipsed: int = 0

    def __str__(self) -> str:
        return f"{self.grade} {self.eclipsed} older" if self.grade == ECLIPSING else self.grade


@dataclass(frozen=True)
class Demands:
    """What may be chosen.

    Attributes
    ----------
    allow_forever
        Whether what is valid for ever will do, and what was made from such.
    only_good
        Whether the system must not have found fault with it; that a person has is never passed over.
    """

    allow_forever: bool = True
    only_good: bool = True


def weakest(grades: Iterable[str]) -> str:
    """The one of some grades that is trusted least; `EXACT` where there are none."""
    ranks = list(GRADES)
    return max(grades, key=ranks.index, default=EXACT)


def is_forever(candidate: Any) -> bool:
    """Whether it is valid for so long that it was not made for any night in it."""
    if type(candidate).of_exposure or candidate.timestamp_start is None or candidate.timestamp_end is None:
        return False
    return bool(candidate.timestamp_end - candidate.timestamp_start >= FOREVER)


def rests_on_forever(candidate: Any) -> bool:
    """Whether it, or anything that it was made from, is valid for ever."""
    return candidate.selection_grade == FALLBACK or is_forever(candidate)


def of_keys(cls: Any, keys: Keys) -> Query:
    """Every visible object of the class with these keys, usable or not, valid whenever it is."""
    if cls.of_exposure:
        query: Query = cls.raw == keys.raw
    else:
        query = (cls.instrument == keys.instrument) & (cls.chip == keys.chip)
        if cls.needs_filter:
            query &= cls.filter == keys.filter
        query &= cls.compatibility == keys.compatibility
    for name, value in keys.shared:
        if name in parameters(cls):
            query &= getattr(cls, name) == value
    return query


def candidates(cls: Any, keys: Keys) -> Query:
    """Every visible object of the class with these keys whose validity covers the instant, usable or not."""
    query = of_keys(cls, keys)
    if not cls.of_exposure:
        query &= (cls.timestamp_start <= keys.instant) & (cls.timestamp_end > keys.instant)
    return query


def only_usable(cls: Any, query: Query, demands: Demands = Demands()) -> Query:
    """Those among them that may be chosen: made, and not judged bad."""
    query &= (cls.is_valid > 0) & cls.process_status.has_bits(MADE)
    return query & (cls.quality_flags == 0) if demands.only_good else query


def usable(candidate: Any) -> bool:
    """Whether it may be seen, and neither a person nor the system has found fault with it."""
    if isinstance(candidate, Restricted):
        return False
    return bool(candidate.is_valid > 0 and candidate.quality_flags == 0)


class Rank:
    """How candidates compare for the caller: the largest wins, as `datamodel.compile.best` orders them."""

    def __init__(self) -> None:
        session = current()
        self._nearest = session.caller.policy == NEAREST_SCOPE
        with session.connection() as connection:
            self.favourites = favourites(connection, session.caller)

    def __call__(self, candidate: Any) -> tuple[Any, ...]:
        """Something that can be compared."""
        scope = -candidate._privileges if self._nearest else 0
        pinned = candidate.object_id in self.favourites
        return (pinned, scope, candidate.creation_date, candidate.object_id)


def choose(cls: Any, keys: Keys, demands: Demands = Demands()) -> Choice | None:
    """The best object for these keys and how it was chosen, or None; looks, never makes."""
    query = only_usable(cls, candidates(cls, keys), demands)
    found, count = current().ranked(cls, query.condition, 1 if demands.allow_forever else None)
    if not demands.allow_forever:
        found = [(each, pinned) for each, pinned in found if not rests_on_forever(each)]
        count = len(found)
    return Choice(found[0][0], grade(*found[0], count), count - 1) if found else None


def best_id(cls: Any, keys: Keys) -> str | None:
    """The identifier of the best object for these keys, or None; quicker than the object."""
    query = only_usable(cls, candidates(cls, keys))
    return current().best_id(cls, query.condition)


def best_id_like(product: Any) -> str | None:
    """The identifier of the best object for the keys of one."""
    cls: Any = type(product)
    if not cls.of_exposure:
        return best_id(cls, product.own_keys().for_class(cls))
    session = current()
    session.prepare(cls)
    statement, raw = _best_of_exposure(cls, session.caller), product.raw
    with session.connection() as connection:
        found: str | None = connection.scalar(statement, {"value": None if raw is None else raw.object_id})
    return found


@lru_cache(maxsize=256)
def _best_of_exposure(cls: Any, caller: Caller) -> Any:
    """The statement that gives the best of an exposure, which needs no other key."""
    usable_ones = only_usable(cls, cls.select_all()).condition
    return statement_of_best(cls, usable_ones, caller, by=cls.__attributes__["raw"])


def grade(winner: Any, pinned: bool, count: int) -> str:
    """How one was chosen among so many."""
    if is_forever(winner):
        return FALLBACK
    return FAVOURITE if pinned else ECLIPSING if count > 1 else EXACT


def select(cls: Any, keys: Keys, demands: Demands = Demands()) -> Any | None:
    """The best object for these keys, or None; looks, never makes."""
    choice = choose(cls, keys, demands)
    return None if choice is None else choice.winner


def raw_frames(cls: Any, keys: Keys, start: Any, end: Any) -> list[Any]:
    """The valid raw frames with these keys that were exposed in ``[start, end)``, in order of time."""
    query = _valid_frames(cls, keys) & (cls.compatibility == keys.compatibility)
    query &= (start <= cls.DATE_OBS) & (end > cls.DATE_OBS)
    if keys.filter is not None:
        query &= cls.filter == keys.filter
    return list(query.order_by("DATE_OBS", "object_id"))


def with_compatibility(cls: Any, keys: Keys) -> Keys:
    """The keys of a calibration that a person asked for, with what its raw frames have in common.

    Where nobody said, it is that of the raw frame nearest to the instant, among the valid ones of the kinds that
    the class is made from, directly or not.
    """
    if keys.raw is not None or keys.compatibility:
        return keys
    near = [raw for kind in raw_classes(cls) for raw in _neighbours(kind, keys)]
    nearest = min(near, key=lambda r: (abs(r.DATE_OBS - keys.instant), r.object_id), default=None)
    return keys if nearest is None else replace(keys, compatibility=nearest.compatibility or "")


def raw_classes(cls: Any) -> set[Any]:
    """The kinds of raw frames that a class is made from, directly or through its roles."""
    if issubclass(cls, RawFrame):
        return {cls}
    return {raw for r in roles(cls).values() for raw in raw_classes(r.attribute.target_class())}


def _neighbours(cls: Any, keys: Keys) -> Iterator[Any]:
    """The last frame before the instant, and the first after."""
    frames = _valid_frames(cls, keys)
    yield from (frames & (keys.instant >= cls.DATE_OBS)).order_by("-DATE_OBS", "object_id").limit(1)
    yield from (frames & (keys.instant < cls.DATE_OBS)).order_by("DATE_OBS", "object_id").limit(1)


def _valid_frames(cls: Any, keys: Keys) -> Query:
    """The frames of the chip that nobody judged bad."""
    query: Query = (cls.instrument == keys.instrument) & (cls.chip == keys.chip) & (cls.is_valid > 0)
    return query
