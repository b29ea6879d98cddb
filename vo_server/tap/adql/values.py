"""What is the value of an expression: its SQL, its type, unit and UCD, and what it depends on?"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from datamodel.columns import Column
from vo_server.tap.adql.errors import AdqlError, Position

if TYPE_CHECKING:
    from vo_server.tap.adql.scope import Source
    from vo_server.tap.adql.shapes import Point, Shape

MAX_WEIGHT = 20_000
"""Most terms of one expression once it is SQL; guards against wrong domains repeat their argument."""


@dataclass(frozen=True)
class Value:
    """An expression in a query.

    Attributes
    ----------
    at
        Its place in the text.
    sql
        The expression as SQLAlchemy Core; of a geometry, its DALI text.
    column
        Type, unit and UCD; the name is what a result column would be called, or empty.
    key
        Equal for equal expressions.
    constant
        ``(value,)`` if it does not depend on any row, else empty.
    loose
        Columns of the query's own tables that are neither grouped by nor inside an aggregate, as written.
    aggregated
        Whether an aggregate is in it.
    weight
        About how many terms the SQL has.
    origin
        The table and its column, if the expression is just that.
    shape
        If it is a geometry.
    truth
        If it is CONTAINS or INTERSECTS: the condition for being 1.
    ends
        If it is DISTANCE: the two points.
    """

    at: Position
    sql: sa.ColumnElement[Any]
    column: Column
    key: Hashable
    constant: tuple[Any, ...] = ()
    loose: frozenset[str] = frozenset()
    aggregated: bool = False
    weight: int = 1
    origin: "tuple[Source, str] | None" = None
    shape: "Shape | None" = field(default=None, compare=False)
    truth: sa.ColumnElement[bool] | None = field(default=None, compare=False)
    ends: "tuple[Point, Point] | None" = field(default=None, compare=False)

    @property
    def kind(self) -> str:
        """``number``, ``text``, ``boolean``, ``timestamp``, ``geometry``, or ``null`` for a bare NULL."""
        return "null" if self.constant == (None,) else self.column.datatype.kind

    @property
    def number(self) -> float | None:
        """The number, if the expression is a constant one."""
        value = self.constant[0] if self.constant else None
        return float(value) if isinstance(value, int | float) else None


def derived(
    at: Position,
    sql: sa.ColumnElement[Any],
    column: Column,
    what: str,
    parts: Iterable[Value],
    copies: int = 1,
) -> Value:
    """The value of an expression made of others.

    Parameters
    ----------
    what
        Names the operation, so that equal ones have equal keys.
    parts
        What the expression is made of.
    copies
        How many times the SQL repeats each part.

    Raises
    ------
    AdqlError
        The SQL would grow too long.
    """
    values = tuple(parts)
    weight = 1 + copies * sum(v.weight for v in values)
    if weight > MAX_WEIGHT:
        shorter = "fewer functions inside functions, or many alternatives as IN (...)"
        raise AdqlError(at, f"the expression is too large; write it with {shorter}")
    return Value(
        at,
        sql,
        column,
        (what, *(v.key for v in values)),
        loose=frozenset().union(*(v.loose for v in values)),
        aggregated=any(v.aggregated for v in values),
        weight=weight,
    )
