"""When may two values be compared, and how?"""

import operator
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import Grouping

from datamodel import sql_functions
from datamodel.columns import Column
from vo_server.tap.adql import casts, shapes
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.tree import Comparison
from vo_server.tap.adql.types import described, literal
from vo_server.tap.adql.values import Value, derived

Sql = sa.ColumnElement[bool]

_BESIDE = 32

_OPERATORS = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MIRRORED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def condition(
    at: Position,
    sql: sa.ColumnElement[bool],
    what: str,
    parts: Iterable[Value],
    negated: bool = False,
    extra: Hashable = None,
) -> Value:
    """A condition as a value of type BOOLEAN, turned round if `negated`."""
    truth = sa.not_(sql) if negated else sql
    return derived(at, truth, Column("", "BOOLEAN"), f"{what} {negated} {extra!r}", parts)


class _Together(Grouping[bool]):
    """Parentheses that are written even where they change nothing."""

    operator = None  # with that of what is inside, SQLAlchemy would take the parentheses away
    inherit_cache = True


def joined(join: Callable[..., Sql], parts: Sequence[Sql]) -> Sql:
    """Many conditions under one AND or OR, in parentheses of `_BESIDE` each; databases bound the depth of a chain."""
    while len(parts) > _BESIDE:
        groups = (parts[i : i + _BESIDE] for i in range(0, len(parts), _BESIDE))
        parts = [_Together(join(*group)) for group in groups]
    return join(*parts)


def pair(at: Position, left: Value, right: Value, *, ordered: bool = False) -> tuple[Value, Value]:
    """Two values made comparable: a string beside a time becomes a time, 0 and 1 beside a boolean become that.

    Parameters
    ----------
    ordered
        Texts are going to be compared by size, so by code point.

    Raises
    ------
    AdqlError
        The types cannot be compared.
    """
    right = _adapted(right, left)
    left = _adapted(left, right)
    if "geometry" in (left.kind, right.kind):
        raise AdqlError(at, "geometries are compared by CONTAINS, INTERSECTS or DISTANCE")
    if left.kind != right.kind and "null" not in (left.kind, right.kind):
        raise AdqlError(at, f"cannot compare {described(left)} with {described(right)}")
    if ordered and left.kind == "text":
        left = replace(left, sql=sql_functions.ByCodePoint(left.sql))
    return left, right


def _adapted(value: Value, other: Value) -> Value:
    if not value.constant:
        return value
    constant = value.constant[0]
    if other.kind == "timestamp" and isinstance(constant, str):
        return casts.timestamp(value.at, constant)
    if other.kind == "boolean" and constant in (0, 1) and not isinstance(constant, str):
        return literal(value.at, bool(constant))
    return value


def compared(node: Comparison, left: Value, right: Value) -> Value:
    """The meaning of a comparison.

    Raises
    ------
    AdqlError
        The types cannot be compared.
    """
    geometric = _geometric(node.operator, left, right) or _geometric(_MIRRORED[node.operator], right, left)
    if geometric is not None:
        return condition(node.at, geometric[0], node.operator, [left, right], geometric[1])
    left, right = pair(node.at, left, right, ordered=node.operator not in ("=", "<>"))
    sql: Any = _OPERATORS[node.operator](left.sql, right.sql)
    if right.kind == "null" or left.kind == "null":
        sql = sa.cast(sa.null(), sa.Boolean)
    return condition(node.at, sql, node.operator, [left, right])


def _geometric(sign: str, left: Value, right: Value) -> tuple[sa.ColumnElement[bool], bool] | None:
    """``CONTAINS(...) = 1`` and ``DISTANCE(...) < r``, which an index may answer; and whether to negate."""
    if left.truth is not None and sign in ("=", "<>") and right.number in (0.0, 1.0):
        return left.truth, (right.number == 1.0) != (sign == "=")
    if left.ends is not None and sign in ("<", "<=") and right.kind == "number" and _is_radius(right):
        return shapes.nearer(left.at, *left.ends, right, strictly=sign == "<"), False
    return None


def _is_radius(value: Value) -> bool:
    return value.number is not None and 0.0 <= value.number <= 180.0
