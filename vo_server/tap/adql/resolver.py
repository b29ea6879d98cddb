"""What does an expression mean where it stands: which columns, of which type, as which SQL?"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy import func

from datamodel import sql_functions
from datamodel.columns import Column
from datamodel.datatypes import DATATYPES
from vo_server.tap.adql import casts, functions, geometry, healpix, tree
from vo_server.tap.adql.comparisons import compared, condition, joined, pair
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.scope import Scope
from vo_server.tap.adql.types import (
    arithmetic_type,
    described,
    double,
    is_integer,
    literal,
    product_unit,
    sum_unit,
    with_statistic,
)
from vo_server.tap.adql.values import Value, derived

if TYPE_CHECKING:
    from vo_server.tap.adql.statements import Answer

_STATISTICS = {"MIN": "stat.min", "MAX": "stat.max", "AVG": "stat.mean"}


class Resolver:
    """Gives meaning to the expressions at one place of a query.

    Parameters
    ----------
    scope
        The names that are known there.
    answer
        Gives meaning to a query inside an expression.
    place
        What the expression is part of, where aggregates have no meaning: ``WHERE``, ``ON``, ``GROUP BY``; or empty.
    """

    def __init__(
        self, scope: Scope, answer: "Callable[[tree.Query, Scope], Answer]", place: str = ""
    ) -> None:
        self.scope = scope
        self.answer = answer
        self.place = place

    def value(self, node: tree.Node) -> Value:
        """The meaning of a value or condition.

        Raises
        ------
        AdqlError
            At the part that has no meaning.
        """
        found = self._METHODS[type(node)](self, node)
        if self.scope.grouped and found.key in self.scope.grouped:
            found = replace(found, loose=frozenset())
        return found

    def _literal(self, node: tree.Literal) -> Value:
        return literal(node.at, node.value)

    def _column(self, node: tree.ColumnName) -> Value:
        return self.scope.column(node)

    def _negative(self, node: tree.Negative) -> Value:
        value = self.value(node.value)
        functions.require("number", "-", [value])
        number = value.constant[0] if value.constant else None
        if number is not None:
            return literal(node.at, -number)
        sql = sa.type_coerce(-value.sql, value.column.datatype.sql())
        return derived(node.at, sql, replace(value.column, name=""), "-", [value])

    def _arithmetic(self, node: tree.Arithmetic) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if node.operator == "||":
            functions.require("text", "||", [left, right])
            joined = left.sql.op("||", return_type=sa.Text())(right.sql)
            return derived(node.at, joined, Column("", "VARCHAR"), "||", [left, right])
        functions.require("number", node.operator, [left, right])
        kind = arithmetic_type(left, right)
        known = _folded(node.operator, left, right)
        if known is not None:
            return literal(node.at, known)
        unit = sum_unit(left, right) if node.operator in "+-" else _product(node.operator, left, right)
        ucd = left.column.ucd if node.operator in "+-" and left.column.ucd == right.column.ucd else None
        sql = _computed(node.operator, left, right, kind)
        return derived(node.at, sql, Column("", kind, unit=unit, ucd=ucd), node.operator, [left, right])

    def _call(self, node: tree.Call) -> Value:
        arguments = [self.value(a) for a in node.arguments]
        if node.name in geometry.NAMES:
            return geometry.called(node, arguments)
        if node.name == healpix.NAME:
            return healpix.called(node, arguments)
        return functions.called(node, arguments)

    def _cast(self, node: tree.CastTo) -> Value:
        return casts.cast(node, self.value(node.value))

    def _aggregate(self, node: tree.Aggregate) -> Value:
        if self.place:
            raise AdqlError(node.at, f"{node.name} has no meaning in {self.place}")
        if node.argument is None:
            column = Column("", "BIGINT", ucd="meta.number")
            return replace(derived(node.at, func.count(), column, "COUNT(*)", []), aggregated=True)
        value = self.value(node.argument)
        if value.aggregated:
            raise AdqlError(value.at, f"an aggregate inside {node.name} has no meaning")
        sql, column = _aggregated(node, value)
        what = f"{node.name} {node.distinct}"
        return replace(derived(node.at, sql, column, what, [value]), aggregated=True, loose=frozenset())

    def _comparison(self, node: tree.Comparison) -> Value:
        return compared(node, self.value(node.left), self.value(node.right))

    def _between(self, node: tree.Between) -> Value:
        value, low, high = (self.value(n) for n in (node.value, node.low, node.high))
        left, low = pair(low.at, value, low, ordered=True)
        left, high = pair(high.at, left, high, ordered=True)
        sql = sa.and_(left.sql >= low.sql, left.sql <= high.sql)
        return condition(node.at, sql, "BETWEEN", [left, low, high], negated=node.negated)

    def _among(self, node: tree.Among) -> Value:
        value = self.value(node.value)
        if isinstance(node.choices, tree.Query):
            answer = self._one_column(node.choices, "IN")
            pair(node.at, value, answer.sample)
            sql: sa.ColumnElement[bool] = value.sql.in_(answer.select)
            return replace(condition(node.at, sql, "IN", [value], node.negated), key=object())
        choices = [pair(c.at, value, c)[1] for c in map(self.value, node.choices)]
        if all(c.constant for c in choices):
            constants = [c.constant[0] for c in choices]
            sql_type = literal(node.at, constants[0]).column.datatype.sql()
            found: sa.ColumnElement[bool] = value.sql.in_(
                sa.bindparam(None, constants, sql_type, expanding=True)
            )
            key_parts = [value, *choices]
            return condition(node.at, found, "IN", key_parts[:1], node.negated, extra=tuple(constants))
        return condition(
            node.at, value.sql.in_([c.sql for c in choices]), "IN", [value, *choices], node.negated
        )

    def _like(self, node: tree.Like) -> Value:
        value, pattern = self.value(node.value), self.value(node.pattern)
        name = "ILIKE" if node.any_case else "LIKE"
        functions.require("text", name, [value, pattern])
        like = sql_functions.LikeAnyCase if node.any_case else sql_functions.Like
        return condition(node.at, like(value.sql, pattern.sql), name, [value, pattern], node.negated)

    def _is_null(self, node: tree.IsNull) -> Value:
        value = self.value(node.value)
        return condition(node.at, value.sql.is_(None), "IS NULL", [value], node.negated)

    def _exists(self, node: tree.Exists) -> Value:
        answer = self.answer(node.query, self.scope)
        return replace(condition(node.at, answer.select.exists(), "EXISTS", []), key=object())

    def _not(self, node: tree.Not) -> Value:
        inner = self.value(node.condition)
        return condition(node.at, inner.sql, "NOT", [inner], True)

    def _every(self, node: tree.Every) -> Value:
        parts = [self.value(c) for c in node.conditions]
        return condition(node.at, joined(sa.and_, [p.sql for p in parts]), "AND", parts)

    def _some(self, node: tree.Some) -> Value:
        parts = [self.value(c) for c in node.conditions]
        return condition(node.at, joined(sa.or_, [p.sql for p in parts]), "OR", parts)

    def _subquery(self, node: tree.Subquery) -> Value:
        answer = self._one_column(node.query, "a value")
        column = replace(answer.columns[0], principal=False, indexed=False, std=False)
        return Value(node.at, answer.select.scalar_subquery(), column, object())

    def _one_column(self, query: tree.Query, what: str) -> "Answer":
        answer = self.answer(query, self.scope)
        if len(answer.columns) != 1:
            raise AdqlError(query.at, f"a query for {what} has one column, found {len(answer.columns)}")
        return answer

    _METHODS: ClassVar[dict[type[tree.Node], Callable[..., Value]]] = {
        tree.Literal: _literal,
        tree.ColumnName: _column,
        tree.Negative: _negative,
        tree.Arithmetic: _arithmetic,
        tree.Call: _call,
        tree.CastTo: _cast,
        tree.Aggregate: _aggregate,
        tree.Comparison: _comparison,
        tree.Between: _between,
        tree.Among: _among,
        tree.Like: _like,
        tree.IsNull: _is_null,
        tree.Exists: _exists,
        tree.Not: _not,
        tree.Every: _every,
        tree.Some: _some,
        tree.Subquery: _subquery,
    }


def _product(operator: str, left: Value, right: Value) -> str | None:
    return product_unit(left.column.unit, right.column.unit, operator)


def _computed(operator: str, left: Value, right: Value, kind: str) -> sa.ColumnElement[Any]:
    """Arithmetic in the type of the result; dividing by zero gives NULL, whole numbers divide to whole ones."""
    sql_type = DATATYPES[kind].sql()
    a = left.sql if left.column.type == kind and operator != "/" else sa.cast(left.sql, sql_type)
    b = right.sql if right.column.type == kind else sa.cast(right.sql, sql_type)
    if operator == "/" and not right.number:
        b = func.nullif(b, 0)
    return a.op(operator, precedence=7 if operator in "+-" else 8, return_type=sql_type)(b)


def _folded(operator: str, left: Value, right: Value) -> float | int | None:
    """The result for two constants, where it is surely what a database would give."""
    if left.number is None or right.number is None:
        return None
    a: int | float = left.constant[0]
    b: int | float = right.constant[0]
    if operator == "/":
        if b == 0:
            return None
        if is_integer(left) and is_integer(right):
            return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        result: int | float = a / b
    else:
        result = {"+": a + b, "-": a - b, "*": a * b}[operator]
    fits = abs(result) < 2**63 if isinstance(result, int) else abs(result) < float("inf")
    return result if fits else None


def _aggregated(node: tree.Aggregate, value: Value) -> tuple[sa.ColumnElement[Any], Column]:
    if node.name == "COUNT":
        argument = sa.distinct(value.sql) if node.distinct else value.sql
        return func.count(argument), Column("", "BIGINT", ucd="meta.number")
    if node.name in ("SUM", "AVG"):
        functions.require("number", node.name, [value])
    if value.kind not in ("number", "text", "timestamp"):
        raise AdqlError(value.at, f"{node.name} takes numbers, texts or times, found {described(value)}")
    kind = _aggregate_type(node.name, value)
    argument = double(value) if kind == "DOUBLE" else value.sql
    if value.kind == "text":
        argument = sql_functions.ByCodePoint(argument)
    argument = sa.distinct(argument) if node.distinct else argument
    sql_type = DATATYPES[kind].sql()
    found = getattr(func, node.name.lower())(argument)
    whole_sum = node.name == "SUM" and kind == "BIGINT"
    sql: sa.ColumnElement[Any] = sa.cast(found, sql_type) if whole_sum else sa.type_coerce(found, sql_type)
    statistic = _STATISTICS.get(node.name)
    ucd = with_statistic(value.column.ucd, statistic) if statistic else value.column.ucd
    return sql, Column("", kind, unit=value.column.unit, ucd=ucd, arraysize=value.column.arraysize)


def _aggregate_type(name: str, value: Value) -> str:
    if name == "SUM":
        return "BIGINT" if is_integer(value) else "DOUBLE"
    return "DOUBLE" if name == "AVG" else value.column.type
