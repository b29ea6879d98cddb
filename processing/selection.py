"""Which stored object is the best for given keys at a given instant."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from datamodel.frames import RawFrame
from datamodel.query import Query
from datamodel.state import Restricted
from processing.declarations import roles
from processing.keys import Keys


def candidates(cls: Any, keys: Keys) -> Query:
    """Every visible object of the class with these keys whose validity covers the instant, usable or not."""
    if cls.of_exposure:
        of_raw: Query = cls.raw == keys.raw
        return of_raw
    query: Query = (cls.instrument == keys.instrument) & (cls.chip == keys.chip)
    if cls.needs_filter:
        query &= cls.filter == keys.filter
    query &= cls.compatibility == keys.compatibility
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
    """The valid raw frames with these keys that were exposed in ``[start, end)``, in order of time."""
    query = _valid_frames(cls, keys) & (cls.compatibility == keys.compatibility)
    query &= (start <= cls.DATE_OBS) & (end > cls.DATE_OBS)
    if keys.filter is not None:
        query &= cls.filter == keys.filter
    return list(query.order_by("DATE_OBS", "object_id"))


def with_compatibility(cls: Any, keys: Keys) -> Keys:
    """The keys of a calibration that a person asked for, with what its raw frames have in common.

    Nobody writes that by hand: it is that of the raw frame nearest to the instant, among the valid ones
    of the kinds that the class is made from, directly or not.
    """
    if keys.raw is not None:
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
