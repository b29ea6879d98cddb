"""What is a query made of, as written, and where does each part stand?"""

from dataclasses import dataclass

from vo_server.tap.adql.errors import Position


@dataclass(frozen=True)
class Node:
    """Anything with a place in the text."""

    at: Position


class Condition(Node):
    """What is true, false or unknown; everything else is a value."""


@dataclass(frozen=True)
class Name(Node):
    """One identifier; `exact` if it was between double quotes."""

    text: str
    exact: bool = False

    def matches(self, known: str) -> bool:
        """Whether this names `known`: case counts only between double quotes."""
        return self.text == known if self.exact else self.text.lower() == known.lower()


@dataclass(frozen=True)
class Literal(Node):
    """A number, a string, or None for NULL."""

    value: int | float | str | None


@dataclass(frozen=True)
class ColumnName(Node):
    """A column, perhaps with its table and schema: ``schema.table.column``."""

    parts: tuple[Name, ...]

    @property
    def shown(self) -> str:
        """As in the text, without quotes."""
        return ".".join(p.text for p in self.parts)


@dataclass(frozen=True)
class Star(Node):
    """``*``, or ``table.*`` with the parts of the table's name."""

    parts: tuple[Name, ...] = ()


@dataclass(frozen=True)
class Negative(Node):
    """A value with its sign changed."""

    value: Node


@dataclass(frozen=True)
class Arithmetic(Node):
    """Two values and one of ``+ - * / ||``."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Call(Node):
    """A function and its arguments; `name` in upper case."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Aggregate(Node):
    """``COUNT(*)`` has the argument None."""

    name: str
    argument: Node | None
    distinct: bool


@dataclass(frozen=True)
class CastTo(Node):
    """``CAST(value AS type)``; `length` in characters for text."""

    value: Node
    type: str
    length: int | None


@dataclass(frozen=True)
class Comparison(Condition):
    """Two values and one of ``= <> < <= > >=``."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Between(Condition):
    """Both ends belong to the range."""

    value: Node
    low: Node
    high: Node
    negated: bool


@dataclass(frozen=True)
class Among(Condition):
    """``IN`` a list of values or the one column of a query."""

    value: Node
    choices: "tuple[Node, ...] | Query"
    negated: bool


@dataclass(frozen=True)
class Like(Condition):
    """``LIKE``, or ``ILIKE`` if the case does not count."""

    value: Node
    pattern: Node
    negated: bool
    any_case: bool


@dataclass(frozen=True)
class IsNull(Condition):
    """``IS [NOT] NULL``."""

    value: Node
    negated: bool


@dataclass(frozen=True)
class Exists(Condition):
    """Whether a query has rows."""

    query: "Query"


@dataclass(frozen=True)
class Not(Condition):
    """The opposite of a condition."""

    condition: Node


@dataclass(frozen=True)
class Every(Condition):
    """Conditions joined by ``AND``."""

    conditions: tuple[Node, ...]


@dataclass(frozen=True)
class Some(Condition):
    """Conditions joined by ``OR``."""

    conditions: tuple[Node, ...]


@dataclass(frozen=True)
class Subquery(Node):
    """A query in parentheses, as a value or as a table."""

    query: "Query"
    alias: Name | None = None


@dataclass(frozen=True)
class TableName(Node):
    """A table of the catalogue or of WITH, perhaps under another name."""

    parts: tuple[Name, ...]
    alias: Name | None = None

    @property
    def shown(self) -> str:
        """As in the text, without quotes."""
        return ".".join(p.text for p in self.parts)


@dataclass(frozen=True)
class Join(Node):
    """Two sources; `kind` is ``INNER``, ``LEFT``, ``RIGHT``, ``FULL`` or ``CROSS`` (a comma)."""

    kind: str
    left: Node
    right: Node
    on: Node | None = None
    using: tuple[Name, ...] = ()
    natural: bool = False


@dataclass(frozen=True)
class Item(Node):
    """One item of a SELECT list."""

    value: Node
    alias: Name | None


@dataclass(frozen=True)
class Select(Node):
    """From SELECT to HAVING."""

    items: tuple[Node, ...]
    source: Node
    distinct: bool
    top: int | None
    where: Node | None
    group: tuple[Node, ...]
    having: Node | None


@dataclass(frozen=True)
class SetOperation(Node):
    """Queries joined, left to right, by ``UNION``, ``EXCEPT`` or ``INTERSECT``."""

    operator: str
    all: bool
    operands: "tuple[Select | SetOperation | Query, ...]"


@dataclass(frozen=True)
class Order(Node):
    """One term of ORDER BY."""

    value: Node
    descending: bool


@dataclass(frozen=True)
class With(Node):
    """A named query before the main one."""

    name: Name
    columns: tuple[Name, ...]
    query: "Query"


@dataclass(frozen=True)
class Query(Node):
    """A query with its order; `named` and the deepest nesting only at the top."""

    body: "Select | SetOperation | Query"
    order: tuple[Order, ...] = ()
    offset: int | None = None
    named: tuple[With, ...] = ()
    depth: int = 0
