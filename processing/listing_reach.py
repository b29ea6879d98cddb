"""Of which exposures may something else be listed after what happened, and through whose eyes is each of them listed?

An exposure that the world sees is listed as the world sees it; one that few see is, as each of these sees it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from datamodel.among import among
from datamodel.attributes import all_classes
from datamodel.compile import Joins
from datamodel.context import ANONYMOUS, WORLD, may_see
from datamodel.frames import RawFrame, RawScienceFrame
from datamodel.history import event
from datamodel.objects import DBObject
from datamodel.observations import observation
from datamodel.observatory import Instrument
from datamodel.schema import table_of
from datamodel.session import Session
from processing.site import instruments_of
from processing.standing_entries import chunks
from processing.standing_happened import reach_of
from processing.standing_hidden import Group, group_of
from processing.standing_views import eyes_of

LISTED = ("ReducedScienceFrame", "SourceList")
"""The products that are listed beside each exposure."""

PUBLIC: Group = (WORLD, "", "")
"""Stands for what the world sees, at whatever level."""

FEW: Group = (0, "", "")
"""Stands for whoever sees more than the world: of what was deleted it is not known who saw it."""

_EVER = datetime(1000, 1, 1), datetime(9000, 1, 1)
_GROUP = ("privileges", "project", "creator")


@dataclass(frozen=True)
class Span:
    """Where and when something happened that may matter for exposures, and who can see it.

    Attributes
    ----------
    instrument, chip
        Identifiers; no instrument where it is not known how far that matters.
    of
        Who sees it; None where that has changed.
    is_made
        Whether it only came, and is no raw frame: what has everything gains nothing from it.
    """

    instrument: str | None
    chip: str
    of: Group | None
    is_made: bool

    def matters(self, group: Group) -> bool:
        """Whether who sees the exposures of a group may see it."""
        if self.of is None or self.of in (PUBLIC, group):
            return True
        if self.of == FEW or group == PUBLIC:
            return group != PUBLIC
        privileges, project, creator = self.of
        return may_see(eyes_of(group), creator=creator, project=project, privileges=privileges)


def affected(session: Session, last: int, newest: int) -> dict[Group, list[str]]:
    """The exposures whose plans may use what came, was judged anew, was deleted or became valid at other times.

    Parameters
    ----------
    session
        Whoever's: this looks at everything.
    last, newest
        What happened are the events after the one, up to the other.

    Returns
    -------
    exposures
        Identifiers, by who sees them.
    """
    with session.connection() as connection:
        happened = _happened(connection, last, newest)
        frames: dict[Any, dict[str, Any]] = defaultdict(dict)
        for each in happened:
            if each.cls is not None:
                frames[each.cls][each.object_id] = None
        found: set[str] = set()
        for cls, ids in frames.items():
            if cls is RawScienceFrame:
                found |= set(ids)
            elif getattr(cls, "of_exposure", False):
                found |= {row.raw for row in _rows(connection, cls, list(ids), ("raw",)) if row.raw}
            else:
                names = ("instrument", "chip", *_times(cls))
                ids |= {row.object_id: row for row in _rows(connection, cls, list(ids), names)}
        found |= _listed(connection, [each.object_id for each in happened if each.cls is None])
        groups = _groups(connection, found)
        for span, instants in _spans(happened, frames).items():
            groups |= _near(session, connection, span, instants)
    by_group: dict[Group, list[str]] = defaultdict(list)
    for oid, group in groups.items():
        by_group[group].append(oid)
    return dict(by_group)


@dataclass(frozen=True)
class _Event:
    object_id: str
    cls: Any
    kind: str
    attribute: str | None
    old: str | None
    new: str | None
    of: Group


def _happened(connection: sa.Connection, last: int, newest: int) -> list[_Event]:
    """The events of raw frames and of what is made from them; what was deleted has no class."""
    root = table_of(DBObject)
    known = {c.__name__: c for c in all_classes() if issubclass(c, RawFrame) or hasattr(c, "of_exposure")}
    told = (event.c[name] for name in ("object_id", "kind", "attribute", "old", "new"))
    joined = event.outerjoin(root, root.c.object_id == event.c.object_id)
    seen = sa.select(*told, root.c.class_name, *(root.c[name] for name in _GROUP)).select_from(joined)
    found = []
    for row in connection.execute(seen.where(event.c.id > last, event.c.id <= newest)):
        oid, kind, attribute, old, new, name, *whose = row
        if name in known:
            found.append(_Event(oid, known[name], kind, attribute, old, new, _group(*whose)))
        elif kind == "deleted":
            found.append(_Event(oid, None, kind, attribute, old, new, FEW))
    return found


def _group(privileges: int, project: str, creator: str) -> Group:
    return PUBLIC if privileges >= WORLD else group_of(privileges, project, creator)


def _times(cls: Any) -> tuple[str, ...]:
    return ("DATE_OBS",) if issubclass(cls, RawFrame) else ("timestamp_start", "timestamp_end")


def _rows(connection: sa.Connection, cls: Any, ids: list[str], names: Collection[str]) -> Iterator[Any]:
    """Some attributes of objects of exactly one class, whoever may see them; links are identifiers."""
    joins = Joins(cls, ANONYMOUS)
    columns = [joins.column((cls.__attributes__[name],)).label(name) for name in names]
    for chunk in chunks(ids):
        here = among(connection, joins.base.c.object_id, chunk)
        statement = sa.select(joins.base.c.object_id, *columns).select_from(joins.clause)
        yield from connection.execute(statement.where(here))


def _listed(connection: sa.Connection, products: list[str]) -> set[str]:
    """The exposures for which some products are listed."""
    found: set[str] = set()
    for chunk in chunks(products):
        here = among(connection, observation.c.product_id, chunk)
        found |= set(connection.scalars(sa.select(observation.c.raw_id).where(here)))
    return found


def _groups(connection: sa.Connection, exposures: Collection[str]) -> dict[str, Group]:
    """Who sees some exposures."""
    root = table_of(DBObject)
    found: dict[str, Group] = {}
    for chunk in chunks(sorted(exposures)):
        here = among(connection, root.c.object_id, chunk)
        rows = connection.execute(sa.select(root.c.object_id, *(root.c[n] for n in _GROUP)).where(here))
        found |= {oid: _group(*whose) for oid, *whose in rows}
    return found


def _spans(happened: list[_Event], frames: dict[Any, dict[str, Any]]) -> dict[Span, list[datetime]]:
    """Instants when something was or became valid, by where and who sees it."""
    found: dict[Span, list[datetime]] = defaultdict(list)
    for each in happened:
        if each.cls is None and each.new is not None:
            found[Span(None, each.new, FEW, is_made=False)] += _EVER
        row = frames[each.cls].get(each.object_id) if each.cls is not None else None
        if row is None or not row.instrument or not row.chip:
            continue
        is_made = each.kind == "made" and not issubclass(each.cls, RawFrame)
        span = Span(row.instrument, row.chip, None if each.attribute == "_privileges" else each.of, is_made)
        instants = [getattr(row, name) for name in _times(each.cls)]
        if each.attribute in ("timestamp_start", "timestamp_end") and each.old is not None:
            instants.append(datetime.fromisoformat(each.old))
        found[span] += [t for t in instants if t is not None]
    return {span: instants for span, instants in found.items() if instants}


def _near(
    session: Session, connection: sa.Connection, span: Span, instants: list[datetime]
) -> dict[str, Group]:
    """The exposures of the same chip whose plans may look as far as that, and who sees them."""
    reach = timedelta() if span.instrument is None else _reach(session, connection, span.instrument)
    start, end = max(min(instants), _EVER[0]) - reach, min(max(instants), _EVER[1]) + reach
    attributes = RawScienceFrame.__attributes__
    joins = Joins(RawScienceFrame, ANONYMOUS, needs_all=True)
    chip, taken = (joins.column((attributes[name],)) for name in ("chip", "DATE_OBS"))
    columns = (joins.base.c.object_id, *(joins.base.c[name] for name in _GROUP))
    statement = sa.select(*columns).select_from(joins.clause)
    statement = statement.where(chip == span.chip, taken.between(start, end))
    rows = ((oid, _group(*whose)) for oid, *whose in connection.execute(statement).all())
    found = {oid: group for oid, group in rows if span.matters(group)}
    if span.is_made:
        whole = _whole(connection, list(found))
        found = {oid: group for oid, group in found.items() if oid not in whole}
    return found


def _whole(connection: sa.Connection, exposures: list[str]) -> set[str]:
    """Those for which everything is listed: they cannot gain from what is made."""
    whole: set[str] = set()
    for chunk in chunks(exposures):
        here = among(connection, observation.c.raw_id, chunk)
        grouped = sa.select(observation.c.raw_id).where(here).group_by(observation.c.raw_id)
        whole.update(connection.scalars(grouped.having(sa.func.count() > len(LISTED))))
    return whole


def _reach(session: Session, connection: sa.Connection, instrument: str) -> timedelta:
    """How far in time a raw frame can matter for an exposure."""
    name = next(iter(_rows(connection, Instrument, [instrument], ("name",)))).name
    return reach_of([instruments_of(session.archive).named(name)])
