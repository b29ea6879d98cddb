"""Could a product be had that there is none of? Whether there is what it would be made from, at any depth."""

from bisect import bisect_left
from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from datamodel.compile import Joins
from datamodel.context import Caller, visible
from datamodel.frames import RawFrame
from datamodel.objects import DBObject
from datamodel.schema import table_of
from processing.declarations import ALWAYS, roles
from processing.instrument import Instruments

Best = Callable[[Any, Any, Any], str | None]
"""The best product of a class at a place, with shared parameters."""


class Lacks:
    """Tells for a chip and a night what `processing.plan.Planner` would, without a plan.

    Parameters
    ----------
    connection
        To look through.
    seer
        Who sees what there is.
    instruments
        The instrument files.
    names
        Names of instruments by identifier.
    best
        Finds what there is.
    shared
        The parameters that an input must share with a product of a class made now, by class, role and place.
    """

    def __init__(
        self,
        connection: sa.Connection,
        seer: Caller,
        instruments: Instruments,
        names: dict[str, str],
        best: Best,
        shared: Callable[[Any, str, Any], Any],
    ) -> None:
        self._connection = connection
        self._seer = seer
        self._instruments = instruments
        self._names = names
        self._best = best
        self._shared = shared
        self._times: dict[tuple[Any, ...], list[datetime]] = {}
        self._valid: dict[str, bool] = {}
        self._known: dict[tuple[Any, ...], bool] = {}

    def can_be_made(self, cls: Any, place: Any) -> bool:
        """Whether a product of a class that there is none of could be made at a place."""
        file = self._instruments.named(self._names[place.instrument])
        night = file.night_of(place.instant)
        filter = place.filter if cls.needs_filter or cls.of_exposure else None
        identity = (cls, place.instrument, place.chip, filter, place.compatibility, place.raw or night)
        if identity not in self._known:
            there = place if cls.of_exposure else place.at(file.midnight(night), filter)
            self._known[identity] = self._can_be_made(cls, there, file, night)
        return self._known[identity]

    def _can_be_made(self, cls: Any, place: Any, file: Any, night: Any) -> bool:
        if not file.makes(cls.__name__):
            return False
        inputs: dict[str, Any] = {}
        for name, declared in roles(cls).items():
            target = declared.attribute.target_class()
            if issubclass(target, RawFrame):
                inputs[name] = (
                    self._are_enough(cls, target, place, file, night)
                    if declared.attribute.many
                    else self._is_valid(place.raw)
                )
            else:
                there = self._best(target, place, self._shared(cls, name, place)) is not None
                inputs[name] = there or self.can_be_made(target, place)
            if not inputs[name] and declared.planned == ALWAYS:
                return False
        return not cls.check_preconditions(inputs)

    def _is_valid(self, raw: str | None) -> bool:
        """Whether an exposure can be used."""
        if raw is None:
            return False
        if raw not in self._valid:
            root = table_of(DBObject)
            here = sa.select(root.c.is_valid).where(root.c.object_id == raw, visible(root, self._seer))
            self._valid[raw] = (self._connection.scalar(here) or 0) > 0
        return self._valid[raw]

    def _are_enough(self, cls: Any, kind: Any, place: Any, file: Any, night: Any) -> bool:
        start, end = file.window(cls.__name__, night)
        group = (kind, place.instrument, place.chip, place.filter, place.compatibility)
        if group not in self._times:
            self._times[group] = self._looked_up(*group)
        times = self._times[group]
        count = bisect_left(times, end) - bisect_left(times, start)
        return bool(count >= file.rule(cls.__name__).minimum_raws)

    def _looked_up(
        self, kind: Any, instrument: str, chip: str, filter: str | None, compatibility: str
    ) -> list[datetime]:
        joins = Joins(kind, self._seer)
        same = {"instrument": instrument, "chip": chip, "compatibility": compatibility}
        same |= {"filter": filter} if filter is not None else {}
        where = [joins.column((kind.__attributes__[name],)) == value for name, value in same.items()]
        where += [visible(joins.base, self._seer), joins.column((kind.__attributes__["is_valid"],)) > 0]
        time = joins.column((kind.__attributes__["DATE_OBS"],))
        return list(
            self._connection.scalars(sa.select(time).select_from(joins.clause).where(*where).order_by(time))
        )
