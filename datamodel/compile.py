"""A query on persistent attributes becomes one SQL statement.

Each distinct prefix of a path becomes one alias, shared by all conditions; links are outer joins, so
that a condition on a null or hidden link is neither true nor false. The visibility of the caller is
part of every join.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import sqlalchemy as sa

from datamodel import sky
from datamodel.attributes import Attribute
from datamodel.context import EVERY_PROJECT, NEAREST_SCOPE, Caller, visible
from datamodel.expressions import (
    Both,
    Compare,
    Condition,
    Either,
    InCircle,
    ListMember,
    Not,
    Owned,
    Steps,
)
from datamodel.favourites import is_favourite
from datamodel.history import as_it_was
from datamodel.schema import lineage, list_table, owner, table_of


@cache
def _alias(table: sa.Table, _prefix: tuple[str, ...]) -> sa.FromClause:
    """An alias that is used again in every outermost statement: making one anew costs more than the query."""
    return table.alias()


def _new_alias(table: sa.Table, _prefix: tuple[str, ...]) -> sa.FromClause:
    return table.alias()


class Joins:
    """The FROM clause of one query, grown as paths are walked.

    Parameters
    ----------
    root
        The class that is asked for.
    caller
        Who asks.
    needs_all
        Join the tables of all ancestors, for whole rows.
    outermost
        True where the statement stands for itself: its aliases can then be shared with other statements.
    """

    def __init__(self, root: Any, caller: Caller, needs_all: bool = False, outermost: bool = False) -> None:
        self.root = root
        self.caller = caller
        self._new = _alias if outermost else _new_alias
        self._aliases: dict[tuple[tuple[str, ...], Any], sa.FromClause] = {}
        self.base = self._new(table_of(lineage(root)[0]), ())
        self.clause: sa.FromClause = self.base
        self._aliases[((), lineage(root)[0])] = self.base
        for cls in lineage(root)[1:]:
            if needs_all or cls is root:
                self._join((), cls, self.base.c.object_id, outer=False)

    def _join(self, prefix: tuple[str, ...], cls: Any, key: Any, outer: bool) -> sa.FromClause:
        alias = self._new(table_of(cls), prefix)
        on: sa.ColumnElement[bool] = alias.c.object_id == key
        self.clause = self.clause.join(alias, on, isouter=outer)
        self._aliases[(prefix, cls)] = alias
        return alias

    def table(self, prefix: tuple[Attribute, ...], cls: Any, name: str) -> sa.FromClause:
        """The alias that holds attribute `name` of the object at the end of `prefix`."""
        names = tuple(a.name for a in prefix)
        holder, base = owner(cls, name), self.object(prefix)
        if (names, holder) not in self._aliases:
            self._join(names, holder, base.c.object_id, outer=bool(prefix))
        return self._aliases[(names, holder)]

    def object(self, prefix: tuple[Attribute, ...]) -> sa.FromClause:
        """The alias of `dbobject` for the object at the end of `prefix`, visible rows only."""
        names = tuple(a.name for a in prefix)
        cls = prefix[-1].target_class() if prefix else self.root
        root = lineage(cls)[0]
        if (names, root) not in self._aliases:
            link = self.column(prefix)
            alias = self._new(table_of(root), names)
            on = sa.and_(alias.c.object_id == link, visible(alias, self.caller))
            self.clause = self.clause.join(alias, on, isouter=True)
            self._aliases[(names, root)] = alias
        return self._aliases[(names, root)]

    def column(self, path: tuple[Attribute, ...]) -> sa.ColumnElement[Any]:
        """The SQL column at the end of a path."""
        *prefix, last = path
        cls = prefix[-1].target_class() if prefix else self.root
        if last.name == "object_id":
            return self.object(tuple(prefix)).c.object_id
        table = self.table(tuple(prefix), cls, last.name)
        column = table.c[last.column_name]
        if last.mutable and self.caller.as_of is not None:
            return as_it_was(column, table.c.object_id, last.name, self.caller.as_of)
        return column


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda column, value: column.is_(None) if value is None else column == value,
    "!=": lambda column, value: column.isnot(None) if value is None else column != value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
    "like": lambda column, value: column.like(value, escape="\\"),
    "in": lambda column, value: _one_of(column, value),
    "between": lambda column, value: column.between(*value),
    "bits": lambda column, value: column.bitwise_and(value) == value,
}


def _one_of(column: Any, values: list[Any]) -> Any:
    known = column.in_([v for v in values if v is not None])
    return sa.or_(known, column.is_(None)) if None in values else known


def predicate(condition: Condition, joins: Joins) -> sa.ColumnElement[bool]:
    """The SQL of a condition, joining what it needs."""
    match condition:
        case Both(left, right):
            return sa.and_(predicate(left, joins), predicate(right, joins))
        case Either(left, right):
            return sa.or_(predicate(left, joins), predicate(right, joins))
        case Not(inner):
            return sa.not_(predicate(inner, joins))
        case Compare(path, operator, value):
            result: sa.ColumnElement[bool] = _COMPARISONS[operator](joins.column(path.attributes), value)
            return result
        case ListMember():
            return _member(condition, joins)
        case InCircle(root, ra, dec, radius):
            names = {a: root.__attributes__[a] for a in ("ra", "dec", "hpx29")}
            columns = [joins.column((names[a],)) for a in ("ra", "dec", "hpx29")]
            result = sky.inside(sky.Circle(ra, dec, radius), *columns)
            return result
        case Owned(by, value):
            result = joins.base.c[by] == value
            return result


def _member(condition: ListMember, joins: Joins) -> sa.ColumnElement[bool]:
    *prefix, last = condition.path.attributes
    cls = prefix[-1].target_class() if prefix else joins.root
    table = list_table(owner(cls, last.name), last.name).alias()
    holder = joins.object(tuple(prefix)).c.object_id
    if condition.members is None:
        holds = table.c.value == condition.value
    else:
        holds = table.c.value.in_(ids(condition.members, condition.condition, joins.caller))
    found = sa.exists().where(table.c.object_id == holder, holds)
    return sa.case((holder.isnot(None), found)) if prefix else found


def ids(cls: Any, condition: Condition | None, caller: Caller) -> sa.Select[Any]:
    """A statement that gives the object_ids for which a condition holds."""
    joins = Joins(cls, caller)
    where = [visible(joins.base, caller)]
    if condition is not None:
        where.append(predicate(condition, joins))
    return sa.select(joins.base.c.object_id).select_from(joins.clause).where(*where)


def rows(
    cls: Any, condition: Condition | None, caller: Caller, order: tuple[tuple[Steps, bool], ...] = ()
) -> sa.Select[Any]:
    """A statement that gives whole rows of `cls`, one column per attribute that is not a list.

    Parameters
    ----------
    cls
        The class; its subclasses' objects are found too, with the columns of `cls`.
    condition
        What must hold; None for all.
    caller
        Who asks; only the rows visible to it are found.
    order
        Paths and whether descending; then creation_date and object_id.
    """
    joins = Joins(cls, caller, needs_all=True, outermost=True)
    columns = [joins.base.c.class_name.label("class_name")]
    columns += [joins.column((a,)).label(a.name) for a in cls.__attributes__.values() if not a.many]
    return _sorted(columns, joins, condition, order)


def ordered_ids(
    cls: Any, condition: Condition | None, caller: Caller, order: tuple[tuple[Steps, bool], ...] = ()
) -> sa.Select[Any]:
    """A statement that gives the object_ids for which a condition holds, in the order of `rows`."""
    joins = Joins(cls, caller, outermost=True)
    return _sorted([joins.base.c.object_id], joins, condition, order)


def _sorted(
    columns: list[Any], joins: Joins, condition: Condition | None, order: tuple[tuple[Steps, bool], ...]
) -> sa.Select[Any]:
    where = [visible(joins.base, joins.caller)]
    if condition is not None:
        where.append(predicate(condition, joins))
    sorting = []
    for path, descending in order:
        column = joins.column(path.attributes)
        sorting += [column.is_(None), column.desc() if descending else column.asc()]
    last_resort = (joins.base.c.creation_date, joins.base.c.object_id)
    return sa.select(*columns).select_from(joins.clause).where(*where).order_by(*sorting, *last_resort)


def best(cls: Any, condition: Condition | None, caller: Caller) -> sa.Select[Any]:
    """A statement that gives whole rows of `cls`, the best first by the policy of the caller.

    Favourites of the caller's project come first, then the newest; with a policy of the nearest scope, those
    that fewer see come before the newer. Beside its attributes, each row has ``favourite``, and in ``candidates``
    how many rows there are.
    """
    joins = Joins(cls, caller, needs_all=True, outermost=True)
    columns = [joins.base.c.class_name.label("class_name")]
    columns += [joins.column((a,)).label(a.name) for a in cls.__attributes__.values() if not a.many]
    where = [visible(joins.base, caller)]
    if condition is not None:
        where.append(predicate(condition, joins))
    pinned = is_favourite(joins.base.c.object_id, caller)
    columns += [sa.case((pinned, 1), else_=0).label("favourite"), sa.func.count().over().label("candidates")]
    order = _ranking(cls, joins, pinned, caller)
    return sa.select(*columns).select_from(joins.clause).where(*where).order_by(*order)


def best_id(
    cls: Any, condition: Condition | None, caller: Caller, by: Attribute | None = None
) -> sa.Select[Any]:
    """A statement that gives the identifier of the first row of `best`.

    Where `by` is given, it has as its value what the statement is given as ``value``: then one statement serves many.
    """
    joins = Joins(cls, caller, outermost=True)
    where = [visible(joins.base, caller)]
    if by is not None:
        where.append(joins.column((by,)) == sa.bindparam("value", type_=sa.String))
    if condition is not None:
        where.append(predicate(condition, joins))
    order = _ranking(cls, joins, is_favourite(joins.base.c.object_id, caller), caller)
    return sa.select(joins.base.c.object_id).select_from(joins.clause).where(*where).order_by(*order).limit(1)


def _ranking(cls: Any, joins: Joins, pinned: Any, caller: Caller) -> list[Any]:
    """The best first."""
    order: list[Any] = [] if caller.project == EVERY_PROJECT else [sa.case((pinned, 0), else_=1)]
    if caller.policy == NEAREST_SCOPE:
        order.append(joins.column((cls.__attributes__["_privileges"],)))
    return [*order, joins.base.c.creation_date.desc(), joins.base.c.object_id.desc()]


def by_ids(cls: Any, object_ids: list[str], caller: Caller, names: list[str]) -> sa.Select[Any]:
    """A statement that gives some attributes of the objects with the given identifiers."""
    joins = Joins(cls, caller, outermost=True)
    columns = [joins.base.c.class_name.label("class_name")]
    columns += [joins.column((cls.__attributes__[name],)).label(name) for name in names]
    where = (joins.base.c.object_id.in_(object_ids), visible(joins.base, caller))
    return sa.select(*columns).select_from(joins.clause).where(*where)
