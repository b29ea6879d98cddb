"""What the index of standings must know of products, looked up for many at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from datamodel.among import among
from datamodel.attributes import all_classes
from datamodel.compile import Joins
from datamodel.context import Caller, visible
from datamodel.frames import RawFrame
from datamodel.objects import DBObject
from datamodel.schema import list_table, owner, table_of
from processing.declarations import parameters, roles
from processing.process_status import MADE
from processing.reasons import Facts, hidden_facts
from processing.timeline import Segment, segments

CHUNK = 2000


@dataclass(slots=True)
class Entry:
    """One product with its keys, as identifiers; `used` by role."""

    object_id: str
    cls: Any
    instrument: str | None
    chip: str | None
    filter: str | None
    compatibility: str
    instant: datetime
    raw: str | None
    values: dict[str, Any] = field(default_factory=dict)
    used: dict[str, str | None] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A usable calibration, as a timeline wants it."""

    object_id: str
    timestamp_start: datetime
    timestamp_end: datetime
    creation_date: datetime


def targets() -> tuple[Any, ...]:
    """All classes of products, those first that others are made from."""
    return _in_order(tuple(c for c in all_classes() if hasattr(c, "of_exposure")))


def from_class(name: str) -> list[Any]:
    """The classes of `targets` from the one of a name on; all where there is none of that name."""
    ordered = list(targets())
    places = [place for place, cls in enumerate(ordered) if cls.__name__ == name]
    return ordered[places[0] :] if places else ordered


@cache
def _in_order(found: tuple[Any, ...]) -> tuple[Any, ...]:
    ordered: list[Any] = []

    def add(cls: Any) -> None:
        for target in role_targets(cls).values():
            if target in found and target not in ordered and target is not cls:
                add(target)
        if cls not in ordered:
            ordered.append(cls)

    for cls in found:
        add(cls)
    return tuple(ordered)


@cache
def role_targets(cls: Any) -> dict[str, Any]:
    """By name, the classes of the roles that are filled by products."""
    named = ((name, each.attribute.target_class()) for name, each in roles(cls).items())
    return {name: target for name, target in named if not issubclass(target, RawFrame)}


@cache
def list_roles(cls: Any) -> dict[str, Any]:
    """By name, the classes of raw frames in the roles that are lists of them."""
    many = ((name, each.attribute) for name, each in roles(cls).items() if each.attribute.many)
    return {name: a.target_class() for name, a in many if issubclass(a.target_class(), RawFrame)}


@cache
def made_from(cls: Any) -> frozenset[Any]:
    """The class, and all classes that its products are made from, raw frames too, at any depth."""
    found = {cls}
    for declared in roles(cls).values():
        target = declared.attribute.target_class()
        found |= {target} if issubclass(target, RawFrame) else made_from(target)
    return frozenset(found)


def users_of(cls: Any) -> Iterator[tuple[Any, str]]:
    """The classes, and roles of them, that objects of a class can fill."""
    for user in targets():
        for name, target in role_targets(user).items():
            if issubclass(cls, target):
                yield user, name


def next_ids(connection: sa.Connection, cls: Any, after: str, most: int) -> list[str]:
    """The identifiers of the objects of exactly one class that follow one, in their order."""
    root, own = table_of(DBObject), table_of(cls)
    joined = own.join(root, root.c.object_id == own.c.object_id)
    here = (root.c.class_name == cls.__name__, own.c.object_id > after)
    statement = sa.select(own.c.object_id).select_from(joined).where(*here)
    return list(connection.scalars(statement.order_by(own.c.object_id).limit(most)))


_SYSTEM = ("object_id", "is_valid", "quality_flags", "content_digest", "creation_date")


def entries(connection: sa.Connection, seer: Caller, cls: Any, ids: list[str]) -> Iterator[Entry]:
    """The products of exactly one class with some identifiers, as far as somebody sees them."""
    for chunk in chunks(ids):
        yield from _entries(connection, seer, cls, chunk)


def _entries(connection: sa.Connection, seer: Caller, cls: Any, ids: list[str]) -> Iterator[Entry]:
    attributes = cls.__attributes__
    names = [*_SYSTEM, "filename", "recipe_digest", "parameters_given", *parameters(cls)]
    singles = list(role_targets(cls))
    joins = Joins(cls, seer, needs_all=True)
    columns = [joins.column((attributes[n],)).label(n) for n in names if n in attributes]
    columns += [joins.column((attributes[n],)).label(f"role {n}") for n in singles]
    links = ("instrument", "chip", "filter")
    keys: dict[str, tuple[str, ...]] = {name: (name,) for name in links}
    if cls.of_exposure:
        keys = {name: ("raw", name) for name in links}
        keys |= {"raw": ("raw",), "instant": ("raw", "DATE_OBS"), "compatibility": ("raw", "compatibility")}
    else:
        keys |= {"instant": ("date_obs",), "compatibility": ("compatibility",)}
    for name, path in keys.items():
        columns.append(joins.column(_path(cls, path)).label(f"key {name}"))
    where = [visible(joins.base, seer), joins.base.c.class_name == cls.__name__]
    where.append(among(connection, joins.base.c.object_id, ids))
    statement = sa.select(*columns).select_from(joins.clause).where(*where)
    places = {column.name: place for place, column in enumerate(columns)}
    of_values = [(n, places[n]) for n in names if n in places]
    of_roles = [(n, places[f"role {n}"]) for n in singles]
    of_keys = [(n, places[f"key {n}"]) for n in keys]
    found = []
    for row in connection.execute(statement):
        values = {n: row[place] for n, place in of_values}
        key = {n: row[place] for n, place in of_keys}
        if None in (key["instrument"], key["chip"], key["instant"]):
            continue  # what it belongs to is hidden, or was never said: there is no plan
        found.append(
            Entry(
                values["object_id"],
                cls,
                key["instrument"],
                key["chip"],
                key["filter"] if cls.needs_filter or cls.of_exposure else None,
                key["compatibility"] or "",
                key["instant"],
                key.get("raw"),
                values,
                {n: row[place] for n, place in of_roles},
            )
        )
    yield from _with_members(connection, cls, found, ids)


def _path(cls: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    path = []
    for name in names:
        path.append(cls.__attributes__[name])
        cls = path[-1].target_class() if path[-1].is_link else cls
    return tuple(path)


def _with_members(connection: sa.Connection, cls: Any, found: list[Entry], ids: list[str]) -> Iterator[Entry]:
    by_id = {entry.object_id: entry for entry in found}
    for name in list_roles(cls):
        table = list_table(owner(cls, name), name)
        for entry in found:
            entry.members[name] = []
        statement = sa.select(table.c.object_id, table.c.value).order_by(table.c.object_id, table.c.pos)
        for object_id, value in connection.execute(
            statement.where(among(connection, table.c.object_id, ids))
        ):
            if object_id in by_id:
                by_id[object_id].members[name].append(value)
    yield from found


def facts(connection: sa.Connection, seer: Caller, ids: Iterable[str]) -> dict[str, Facts]:
    """Of every object; one that somebody does not see is like no other, and cannot be used."""
    root = table_of(DBObject)
    found: dict[str, Facts] = {}
    for chunk in chunks(list(dict.fromkeys(ids))):
        statement = sa.select(
            root.c.object_id,
            root.c.content_digest,
            root.c.is_valid,
            root.c.quality_flags,
            visible(root, seer),
        )
        for oid, digest, is_valid, flagged, is_seen in connection.execute(
            statement.where(among(connection, root.c.object_id, chunk))
        ):
            seen = Facts(str(digest), is_valid > 0 and flagged == 0)
            found[oid] = seen if is_seen else hidden_facts(oid)
    return found


class Winners:
    """The best product for any keys that somebody sees: timelines and newest ones, each looked up once."""

    def __init__(self, connection: sa.Connection, seer: Caller) -> None:
        self._connection = connection
        self._seer = seer
        self._lines: dict[tuple[Any, ...], list[Segment]] = {}
        self._newest: dict[tuple[Any, str], str | None] = {}

    def prepare(self, cls: Any, raws: Iterable[str]) -> None:
        """Look up the newest products of some exposures together."""
        wanted = [raw for raw in dict.fromkeys(raws) if (cls, raw) not in self._newest]
        attributes = cls.__attributes__
        for chunk in chunks(wanted):
            joins = Joins(cls, self._seer)
            raw = joins.column((attributes["raw"],))
            where = [
                visible(joins.base, self._seer),
                among(self._connection, raw, chunk),
                *_usable(joins, attributes),
            ]
            statement = sa.select(raw, joins.base.c.object_id).select_from(joins.clause).where(*where)
            self._newest |= {(cls, each): None for each in chunk}
            for of, oid in self._connection.execute(
                statement.order_by(joins.base.c.creation_date, joins.base.c.object_id)
            ):
                self._newest[cls, of] = oid

    def newest(self, cls: Any, raw: str) -> str | None:
        """The newest usable product of an exposure."""
        if (cls, raw) not in self._newest:
            self.prepare(cls, [raw])
        return self._newest[cls, raw]

    def valid(self, cls: Any, entry: Any, shared: tuple[tuple[str, Any], ...]) -> str | None:
        """The calibration that is used at the instant of an entry or of a row of `standing`."""
        filter = entry.filter if cls.needs_filter else None
        group = (cls, entry.instrument, entry.chip, filter, entry.compatibility, shared)
        if group not in self._lines:
            self._lines[group] = self._line(*group)
        line = self._lines[group]
        low, high = 0, len(line)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if line[middle].start <= entry.instant else (low, middle)
        if low and entry.instant < line[low - 1].end:
            return str(line[low - 1].winner.object_id)
        return None

    def _line(
        self, cls: Any, instrument: Any, chip: Any, filter: Any, compatibility: str, shared: Any
    ) -> list[Segment]:
        attributes = cls.__attributes__
        joins = Joins(cls, self._seer, needs_all=True)
        same = {"instrument": instrument, "chip": chip, "compatibility": compatibility}
        same |= {"filter": filter} if cls.needs_filter else {}
        same |= {name: value for name, value in shared if name in parameters(cls)}
        where = [joins.column((attributes[name],)) == value for name, value in same.items()]
        names = ("object_id", "timestamp_start", "timestamp_end", "creation_date")
        columns = [joins.column((attributes[name],)) for name in names]
        where += [visible(joins.base, self._seer), *_usable(joins, attributes)]
        rows = self._connection.execute(sa.select(*columns).select_from(joins.clause).where(*where))
        return segments((Candidate(*row) for row in rows), lambda c: (c.creation_date, c.object_id))


def _usable(joins: Joins, attributes: dict[str, Any]) -> list[Any]:
    names = ("is_valid", "quality_flags", "process_status")
    valid, flagged, done = (joins.column((attributes[name],)) for name in names)
    return [valid > 0, flagged == 0, done.bitwise_and(MADE) == MADE]


def chunks(ids: list[str]) -> Iterator[list[str]]:
    """Some identifiers at a time."""
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
