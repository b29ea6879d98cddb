"""What values have the objects of a query? Rows of plain values in one statement, and no objects."""

from typing import Any

import sqlalchemy as sa

from datamodel.compile import Joins, predicate
from datamodel.context import visible
from datamodel.query import Query
from datamodel.session import current


def series(query: Query, *names: str) -> list[tuple[Any, ...]]:
    """The values of some attributes of all objects of a query, by the first of them.

    Parameters
    ----------
    query
        Whose objects the caller may see; its order and limit are not looked at.
    *names
        Of attributes, dotted ones follow links: ``raw.DATE_OBS``.

    Raises
    ------
    UsageError
        There is no such attribute, or it is a list.
    """
    statement, columns, base = _selected(query, names)
    return _rows(statement.order_by(columns[0], base.c.object_id))


def distinct(query: Query, *names: str) -> list[tuple[Any, ...]]:
    """The different values of some attributes that the objects of a query have together, in their order.

    Parameters and errors are those of `series`; NULL comes where the database puts it.
    """
    statement, columns, _ = _selected(query, names)
    return _rows(statement.distinct().order_by(*columns))


def _selected(query: Query, names: tuple[str, ...]) -> tuple[Any, list[Any], Any]:
    session = current()
    session.prepare(query.root)
    joins = Joins(query.root, session.caller, outermost=True)
    paths = [query.steps(name) for name in names]
    columns = [joins.column(path.attributes).label(f"c{i}") for i, path in enumerate(paths)]
    where = [visible(joins.base, session.caller)]
    if query.condition is not None:
        where.append(predicate(query.condition, joins))
    return sa.select(*columns).select_from(joins.clause).where(*where), columns, joins.base


def _rows(statement: Any) -> list[tuple[Any, ...]]:
    with current().connection() as connection:
        return [tuple(row) for row in connection.execute(statement)]
