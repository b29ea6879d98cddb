"""How is an expression written as SQL text that every database here reads, quickly and with few parentheses?

Building a statement of SQLAlchemy for a query that is used once costs many times what its text does, so the hot
path, from ADQL to rows, is written with these. Values are literals in the text: numbers and texts that a parser
has understood, written back by `number` and `text`, never a part of what a user typed. What databases
write differently is in `datamodel.speech`.
"""

from collections.abc import Iterable, Iterator, Sequence

OR, AND, NOT, COMPARISON, CONCATENATION, SUM, PRODUCT, SIGN, ATOM = range(1, 10)
"""How strongly the outermost operator of an expression holds its operands together."""

_BESIDE = 32
_LOWEST = -(2**63)


class Sql:
    """An expression.

    Attributes
    ----------
    text
        The SQL.
    binding
        One of `OR` ... `ATOM`: where it stands beside an operator that binds more strongly, it needs parentheses.
    """

    __slots__ = ("binding", "text")

    def __init__(self, text: str, binding: int = ATOM) -> None:
        self.text = text
        self.binding = binding

    def __repr__(self) -> str:
        return f"Sql({self.text!r})"

    def __add__(self, other: "Term") -> "Sql":
        return binary(self, "+", other, SUM)

    def __sub__(self, other: "Term") -> "Sql":
        return binary(self, "-", other, SUM)

    def __mul__(self, other: "Term") -> "Sql":
        return binary(self, "*", other, PRODUCT)

    def __truediv__(self, other: "Term") -> "Sql":
        return binary(self, "/", other, PRODUCT)

    def __mod__(self, other: "Term") -> "Sql":
        return binary(self, "%", other, PRODUCT)

    def __radd__(self, other: "Term") -> "Sql":
        return binary(sql_of(other), "+", self, SUM)

    def __rsub__(self, other: "Term") -> "Sql":
        return binary(sql_of(other), "-", self, SUM)

    def __rmul__(self, other: "Term") -> "Sql":
        return binary(sql_of(other), "*", self, PRODUCT)

    def __neg__(self) -> "Sql":
        return Sql("-" + at_least(self, ATOM), SIGN)

    def __lt__(self, other: "Term") -> "Sql":
        return compare(self, "<", other)

    def __le__(self, other: "Term") -> "Sql":
        return compare(self, "<=", other)

    def __gt__(self, other: "Term") -> "Sql":
        return compare(self, ">", other)

    def __ge__(self, other: "Term") -> "Sql":
        return compare(self, ">=", other)

    def equals(self, other: "Term") -> "Sql":
        """``self = other``."""
        return compare(self, "=", other)

    def differs(self, other: "Term") -> "Sql":
        """``self <> other``."""
        return compare(self, "<>", other)

    def between(self, low: "Term", high: "Term") -> "Sql":
        """``self BETWEEN low AND high``, both ends inclusive."""
        value, a, b = (at_least(sql_of(x), CONCATENATION) for x in (self, low, high))
        return Sql(f"{value} BETWEEN {a} AND {b}", COMPARISON)

    def is_null(self) -> "Sql":
        """``self IS NULL``."""
        return Sql(at_least(self, CONCATENATION) + " IS NULL", COMPARISON)

    def is_not_null(self) -> "Sql":
        """``self IS NOT NULL``."""
        return Sql(at_least(self, CONCATENATION) + " IS NOT NULL", COMPARISON)


Term = Sql | float | int

NULL = Sql("NULL")
TRUE, FALSE = Sql("(1 = 1)"), Sql("(1 = 0)")


def sql_of(value: Term) -> Sql:
    """An expression as it is, a number as `number` writes it."""
    return value if isinstance(value, Sql) else number(value)


def number(value: float | int) -> Sql:
    """A number; a float must be finite, an int within 64 bits."""
    if value == _LOWEST and isinstance(value, int):
        return Sql(f"({_LOWEST + 1} - 1)")  # the digits alone, without their sign, are too large
    digits = repr(float(value) if isinstance(value, float) else int(value))
    return Sql(digits, SIGN if digits[0] == "-" else ATOM)


def real(value: float) -> Sql:
    """A number that is a double whatever stands beside it."""
    return Sql(f"CAST({value!r} AS DOUBLE PRECISION)")


def text(value: str) -> Sql:
    """A text without the character NUL, which no database takes."""
    return Sql("'" + value.replace("'", "''") + "'")


def name(value: str) -> str:
    """An identifier in double quotes."""
    return '"' + value.replace('"', '""') + '"'


def column(table: str, column: str) -> Sql:
    """A column of the table that goes under an alias, which is a regular identifier."""
    return Sql(f"{table}.{name(column)}")


def at_least(value: Sql, binding: int) -> str:
    """The text of an expression, in parentheses if it binds less."""
    return value.text if value.binding >= binding else f"({value.text})"


def binary(left: Sql, operator: str, right: Term, binding: int) -> Sql:
    """Two operands beside an operator that holds them as `binding`; operators group from the left."""
    after = sql_of(right)
    return Sql(f"{at_least(left, binding)} {operator} {at_least(after, binding + 1)}", binding)


def compare(left: Sql, operator: str, right: Term) -> Sql:
    """A comparison."""
    a, b = at_least(left, CONCATENATION), at_least(sql_of(right), CONCATENATION)
    return Sql(f"{a} {operator} {b}", COMPARISON)


def joined_texts(parts: Sequence[Sql]) -> Sql:
    """Texts one after the other; its place among operators differs, so operands stand in parentheses."""
    return Sql(" || ".join(at_least(p, ATOM) for p in parts), CONCATENATION)


def all_of(*parts: Sql) -> Sql:
    """All conditions hold; without any, true."""
    return _chain(parts, " AND ", AND) if parts else TRUE


def any_of(*parts: Sql) -> Sql:
    """At least one condition holds; without any, false."""
    return _chain(parts, " OR ", OR) if parts else FALSE


def _chain(parts: Sequence[Sql], operator: str, binding: int) -> Sql:
    """Many conditions in groups, for databases bound the depth of a chain."""
    while len(parts) > _BESIDE:
        groups = (parts[i : i + _BESIDE] for i in range(0, len(parts), _BESIDE))
        parts = [Sql("(" + operator.join(at_least(p, binding) for p in g) + ")") for g in groups]
    if len(parts) == 1:
        return parts[0]
    return Sql(operator.join(at_least(p, binding + 1) for p in parts), binding)


def not_(condition: Sql) -> Sql:
    """The condition turned round."""
    return Sql("NOT " + at_least(condition, ATOM), NOT)


def call(function: str, *arguments: Term) -> Sql:
    """A function; its name comes from us."""
    return Sql(f"{function}({', '.join([sql_of(a).text for a in arguments])})")


def cast(value: Sql, type_name: str) -> Sql:
    """``CAST(value AS type_name)``."""
    return Sql(f"CAST({value.text} AS {type_name})")


def case(*whens: tuple[Sql, Sql], otherwise: Sql | None = None) -> Sql:
    """The value beside the first condition that holds, else `otherwise` or NULL."""
    listed = " ".join([f"WHEN {condition.text} THEN {value.text}" for condition, value in whens])
    return Sql(f"CASE {listed}{f' ELSE {otherwise.text}' if otherwise else ''} END")


def among(value: Sql, choices: Iterable[Sql]) -> Sql:
    """``value IN (choices)``; there must be one."""
    return Sql(f"{at_least(value, CONCATENATION)} IN ({', '.join([c.text for c in choices])})", COMPARISON)


def among_rows(value: Sql, query: str) -> Sql:
    """``value IN (query)``."""
    return Sql(f"{at_least(value, CONCATENATION)} IN ({query})", COMPARISON)


def exists(query: str) -> Sql:
    """Whether a query has a row."""
    return Sql(f"EXISTS ({query})")


def subquery(query: str) -> Sql:
    """The one value of a query."""
    return Sql(f"({query})")


def in_ranges(value: Sql, ranges: Iterable[tuple[int, int]]) -> Sql:
    """Whether a whole number is in one of the ranges, both ends inclusive."""
    return any_of(*_ranges(value, ranges))


def _ranges(value: Sql, ranges: Iterable[tuple[int, int]]) -> Iterator[Sql]:
    for low, high in ranges:
        yield Sql(f"{value.text} BETWEEN {low} AND {high}", COMPARISON)
