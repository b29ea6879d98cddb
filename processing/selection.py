"""Which stored object is the best for given keys at a given instant."""

from collections.abc import Iterable
from typing import Any

from datamodel.query import Query
from datamodel.state import Restricted
from processing.keys import Keys


def candidates(cls: Any, keys: Keys) -> Query:
    """Every visible object of the class with these keys whose validity covers the instant, usable or not."""
    if cls.of_exposure:
        of_raw: Query = cls.raw == keys.raw
        return of_raw
    query: Query = (cls.instrument == keys.instrument) & (cls.chip == keys.chip)
    if cls.needs_filter:
        query &= cls.filter == keys.filter
    query &= (cls.timestamp_start <= keys.instant) & (cls.timestamp_end > keys.instant)
    return query


def usable(candidate: Any) -> bool:
    """Whether it may be seen, and neither a person nor the system has found fault with it."""
    if isinstance(candidate, Restricted):
        return False
    return bool(candidate.is_valid > 0 and candidate.quality_flags == 0)


def rank(candidate: Any) -> tuple[Any, ...]:
    """The largest wins: the newest eclipses the older."""
    return (candidate.creation_date, candidate.object_id)


def best_of(found: Iterable[Any]) -> Any | None:
    """The winner among candidates, or None."""
    return max(filter(usable, found), key=rank, default=None)


def select(cls: Any, keys: Keys) -> Any | None:
    """The best object for these keys, or None; looks, never makes."""
    query = candidates(cls, keys) & (cls.is_valid > 0) & (cls.quality_flags == 0)
    return next(iter(query.order_by("-creation_date", "-object_id").limit(1)), None)


def raw_frames(cls: Any, keys: Keys, start: Any, end: Any) -> list[Any]:
    """The valid raw frames of one chip (and filter) that were exposed in ``[start, end)``, in order of time."""
    query = (cls.instrument == keys.instrument) & (cls.chip == keys.chip) & (cls.is_valid > 0)
    query &= (start <= cls.DATE_OBS) & (end > cls.DATE_OBS)
    if keys.filter is not None:
        query &= cls.filter == keys.filter
    return list(query.order_by("DATE_OBS", "object_id"))
