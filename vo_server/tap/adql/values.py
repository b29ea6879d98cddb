"""What is known of an expression in a query?"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from datamodel.columns import Column
from datamodel.sql import Sql
from vo_server.tap.adql.errors import AdqlError, Position

if TYPE_CHECKING:
    from vo_server.tap.adql.scope import Source
    from vo_server.tap.adql.shapes import Point, Shape

MAX_WEIGHT = 20_000
"""Most terms of one expression once it is SQL; guards against wrong domains repeat their argument."""

MAX_WEIGHT_OF_COLUMNS = 200_000
"""The same of all columns of a query together."""

BOOLEAN = Column("", "BOOLEAN")
INTEGER = Column("", "INTEGER")
DOUBLE = Column("", "DOUBLE")
TEXT = Column("", "VARCHAR")

ANY_TABLE = frozenset(["*"])
_NOTHING: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class Value:
    """An expression in a query; never changed once it is made (frozen, it would take three times as long).

    Attributes
    ----------
    at
        Its place in the text.
    written
        The expression, or what makes it when it is asked for: that of a geometry is its DALI text, which few need.
    column
        Type, unit and UCD; the name is what a result column would be called, or empty.
    key
        Equal for equal expressions.
    constant
        ``(value,)`` if it does not depend on any row, else empty.
    loose
        Columns of the query's own tables that are neither grouped by nor inside an aggregate, as written.
    aliases
        Of the tables whose columns it is made of; `ANY_TABLE` among them where that is not known.
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
    plain
        If it is a condition that an index helps with: the same without that help, which is no help where the
        condition is negated, and may turn unknown into false. Of CONTAINS and INTERSECTS, `truth` in that way.
    unchecked
        If it is arithmetic: the same, without NULL for what has left the range of its type; as an operand of more.
    ends
        If it is DISTANCE: the two points.
    cells
        If it is the number of the HEALPix cell of an indexed position: the index, of order 29, and the order.
    """

    at: Position
    written: Sql | Callable[[], Sql]
    column: Column
    key: Hashable
    constant: tuple[Any, ...] = ()
    loose: frozenset[str] = _NOTHING
    aliases: frozenset[str] = _NOTHING
    aggregated: bool = False
    weight: int = 1
    origin: "tuple[Source, str] | None" = None
    shape: "Shape | None" = field(default=None)
    truth: Sql | None = field(default=None)
    plain: Sql | None = field(default=None)
    unchecked: Sql | None = field(default=None)
    ends: "tuple[Point, Point] | None" = field(default=None)
    cells: tuple[Sql, int] | None = field(default=None)

    @property
    def sql(self) -> Sql:
        """The expression."""
        if not isinstance(self.written, Sql):
            self.written = self.written()
        return self.written

    @property
    def kind(self) -> str:
        """Of its datatype (`datamodel.datatypes.Datatype.kind`), or ``null`` for a bare NULL."""
        return "null" if self.constant == (None,) else self.column.datatype.kind

    @property
    def number(self) -> float | None:
        """The number, if the expression is a constant one."""
        value = self.constant[0] if self.constant else None
        return float(value) if isinstance(value, int | float) else None

    def moved(self, at: Position) -> "Value":
        """The same at another place, made faster than by `but`."""
        return Value(
            at,
            self.written,
            self.column,
            self.key,
            self.constant,
            self.loose,
            self.aliases,
            self.aggregated,
            self.weight,
            self.origin,
            self.shape,
            self.truth,
            self.plain,
            self.unchecked,
            self.ends,
            self.cells,
        )

    def but(self, **changes: Any) -> "Value":
        """The same with some attributes changed."""
        made = object.__new__(Value)
        for name in Value.__slots__:
            setattr(made, name, changes[name] if name in changes else getattr(self, name))
        return made


def derived(
    at: Position,
    sql: Sql | Callable[[], Sql],
    column: Column,
    what: Hashable,
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
    weight, loose, aliases, aggregated = 1, _NOTHING, _NOTHING, False
    for value in values:
        weight += copies * value.weight
        loose = loose | value.loose if value.loose else loose
        aliases = aliases | value.aliases if value.aliases else aliases
        aggregated = aggregated or value.aggregated
    if weight > MAX_WEIGHT:
        shorter = "fewer functions inside functions, or many alternatives as IN (...)"
        raise AdqlError(at, f"the expression is too large; write it with {shorter}")
    key = (what, *[v.key for v in values])
    return Value(at, sql, column, key, (), loose, aliases, aggregated, weight)
