"""What does an expression mean where it stands: which columns, of which type, as which SQL?"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from datamodel import sql
from datamodel.columns import Column
from datamodel.speech import Speech
from datamodel.sql import Sql, call
from vo_server.tap.adql import casts, functions, geometry, tree
from vo_server.tap.adql.comparisons import compared, condition, pair
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.metadata import computed, unchanged
from vo_server.tap.adql.scope import Scope
from vo_server.tap.adql.types import (
    arithmetic_type,
    described,
    double,
    is_bare,
    is_integer,
    literal,
    operand,
    power_unit,
    product_unit,
    sum_unit,
    unsigned,
    with_statistic,
)
from vo_server.tap.adql.udf import Udfs
from vo_server.tap.adql.values import ANY_TABLE, TEXT, Value, derived

if TYPE_CHECKING:
    from vo_server.tap.adql.statements import Answer

_COUNT = Column("", "BIGINT", ucd="meta.number")
_STATISTICS = {"MIN": "stat.min", "MAX": "stat.max", "AVG": "stat.mean"}


class Resolver:
    """Gives meaning to the expressions at one place of a query.

    Parameters
    ----------
    scope
        The names that are known there.
    answer
        Gives meaning to a query inside an expression.
    speech
        How the database writes what SQL leaves open.
    udfs
        The functions that are no part of ADQL.
    place
        What the expression is part of, where aggregates have no meaning: ``WHERE``, ``ON``, ``GROUP BY``; or empty.
    """

    def __init__(
        self,
        scope: Scope,
        answer: "Callable[[tree.Query, Scope], Answer]",
        speech: Speech,
        udfs: Udfs,
        place: str = "",
    ) -> None:
        self.scope = scope
        self.answer = answer
        self.speech = speech
        self.udfs = udfs
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
            found = found.but(loose=frozenset())
        return found

    def _literal(self, node: tree.Literal) -> Value:
        return literal(node.at, node.value)

    def _column(self, node: tree.ColumnName) -> Value:
        return self.scope.column(node)

    def _negative(self, node: tree.Negative) -> Value:
        value = self.value(node.value)
        functions.require("number", "-", [value])
        number = value.constant[0] if value.constant else None
        if value.constant:
            return literal(node.at, None if number is None else -number)
        made, kind = unsigned(value, self.speech)
        return derived(node.at, -made, computed(kind, value.column.unit), "-", [value])

    def _arithmetic(self, node: tree.Arithmetic) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if node.operator == "||":
            functions.require("text", "||", [left, right])
            return derived(node.at, sql.joined_texts([left.sql, right.sql]), TEXT, "||", [left, right])
        functions.require("number", node.operator, [left, right])
        kind = arithmetic_type(left, right)
        known = _folded(node.operator, left, right)
        if known is not None:
            return literal(node.at, known)
        unit = sum_unit(left, right) if node.operator in "+-" else _product(node.operator, left, right)
        made = self._computed(node.operator, left, right, kind)
        checked = self.speech.checked(made, kind)
        found = derived(node.at, checked, computed(kind, unit), node.operator, [left, right])
        found.unchecked = made
        return found

    def _computed(self, operator: str, left: Value, right: Value, kind: str) -> Sql:
        """Arithmetic in the type of the result; dividing by zero gives NULL, whole numbers divide to whole ones."""
        if operator != "/":
            return self.speech.computed(
                operator, operand(left, kind, self.speech), operand(right, kind, self.speech)
            )
        a, b = (self.speech.cast(v.sql, kind) for v in (left, right))
        return self.speech.computed(operator, a, b if right.number else call("nullif", b, sql.number(0)))

    def _call(self, node: tree.Call) -> Value:
        arguments = [self.value(a) for a in node.arguments]
        if node.name in geometry.NAMES:
            return geometry.called(node, arguments, self.speech)
        if node.name in self.udfs.forms:
            return self.udfs.called(node, arguments, self.speech, self.place)
        return functions.called(node, arguments, self.speech)

    def _cast(self, node: tree.CastTo) -> Value:
        return casts.cast(node, self.value(node.value), self.speech)

    def _aggregate(self, node: tree.Aggregate) -> Value:
        if self.place:
            raise AdqlError(node.at, f"{node.name} has no meaning in {self.place}")
        if node.argument is None:
            return derived(node.at, Sql("count(*)"), _COUNT, "COUNT(*)", []).but(aggregated=True)
        value = self.value(node.argument)
        if value.aggregated:
            raise AdqlError(value.at, f"an aggregate inside {node.name} has no meaning")
        made, column = self._aggregated(node, value)
        found = derived(node.at, made, column, f"{node.name} {node.distinct}", [value])
        return found.but(aggregated=True, loose=frozenset())

    def _aggregated(self, node: tree.Aggregate, value: Value) -> tuple[Sql, Column]:
        each = "DISTINCT " if node.distinct else ""
        if node.name == "COUNT":
            return Sql(f"count({each}{value.sql.text})"), _COUNT
        if node.name in ("SUM", "AVG"):
            functions.require("number", node.name, [value])
        if value.kind not in ("number", "text", "timestamp"):
            raise AdqlError(value.at, f"{node.name} takes numbers, texts or times, found {described(value)}")
        kind = _aggregate_type(node.name, value)
        argument = double(value) if kind == "DOUBLE" else value.sql
        if value.kind == "text":
            argument = self.speech.by_code_point(argument)
        if node.name in ("SUM", "AVG"):
            sums = kind if kind == "BIGINT" else node.name
            found = self.speech.summed(sums, argument, distinct=node.distinct)
        else:
            found = Sql(f"{node.name.lower()}({each}{argument.text})")
        return found, _of_group(node.name, value.column, kind)

    def _comparison(self, node: tree.Comparison) -> Value:
        return compared(node, self.value(node.left), self.value(node.right), self.speech)

    def _between(self, node: tree.Between) -> Value:
        value, low, high = (self.value(n) for n in (node.value, node.low, node.high))
        left, low = pair(low.at, value, low, self.speech, ordered=True)
        _, high = pair(high.at, value, high, self.speech, ordered=True)
        found = left.sql.between(low.sql, high.sql)
        return condition(node.at, found, "BETWEEN", [left, low, high], negated=node.negated)

    def _among(self, node: tree.Among) -> Value:
        value = self.value(node.value)
        if isinstance(node.choices, tree.Query):
            answer = self._one_column(node.choices, "IN")
            pair(node.at, value, answer.sample, self.speech)
            found = sql.among_rows(value.sql, answer.text)
            return condition(node.at, found, "IN", [value], node.negated).but(key=object())
        pairs = [pair(c.at, value, c, self.speech) for c in map(self.value, node.choices)]
        choices = [choice for _, choice in pairs]
        as_double = next((left for left, _ in pairs if left.sql is not value.sql), None)
        if as_double is not None:
            value, choices = as_double, [pair(c.at, as_double, c, self.speech)[1] for c in choices]
        found = sql.among(value.sql, [c.sql for c in choices])
        if all(c.constant for c in choices):
            constants = tuple(c.constant[0] for c in choices)
            return condition(node.at, found, "IN", [value], node.negated, extra=constants)
        return condition(node.at, found, "IN", [value, *choices], node.negated)

    def _like(self, node: tree.Like) -> Value:
        value, pattern = self.value(node.value), self.value(node.pattern)
        name = "ILIKE" if node.any_case else "LIKE"
        functions.require("text", name, [value, pattern])
        found = self.speech.matches(value.sql, pattern.sql, any_case=node.any_case)
        return condition(node.at, found, name, [value, pattern], node.negated)

    def _is_null(self, node: tree.IsNull) -> Value:
        value = self.value(node.value)
        return condition(node.at, value.sql.is_null(), "IS NULL", [value], node.negated)

    def _exists(self, node: tree.Exists) -> Value:
        answer = self.answer(node.query, self.scope)
        return condition(node.at, sql.exists(answer.text), "EXISTS", []).but(key=object())

    def _not(self, node: tree.Not) -> Value:
        inner = self.value(node.condition)
        return condition(node.at, inner.plain or inner.sql, "NOT", [inner], True)

    def _every(self, node: tree.Every) -> Value:
        return _joined(node, sql.all_of, "AND", [self.value(c) for c in node.conditions])

    def _some(self, node: tree.Some) -> Value:
        return _joined(node, sql.any_of, "OR", [self.value(c) for c in node.conditions])

    def _subquery(self, node: tree.Subquery) -> Value:
        answer = self._one_column(node.query, "a value")
        column = replace(answer.columns[0], principal=False, indexed=False, std=False)
        weight = 1 + sum(answer.weights)
        return Value(node.at, sql.subquery(answer.text), column, object(), aliases=ANY_TABLE, weight=weight)

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


def _joined(node: tree.Every | tree.Some, join: Callable[..., Sql], what: str, parts: list[Value]) -> Value:
    made = condition(node.at, join(*[p.sql for p in parts]), what, parts)
    if any(p.plain for p in parts):
        made.plain = join(*[p.plain or p.sql for p in parts])
    return made


def _product(operator: str, left: Value, right: Value) -> str | None:
    """The unit of a product or quotient; a factor that is no more than a number leaves it as it is."""
    if is_bare(right):
        return left.column.unit
    if is_bare(left):
        return right.column.unit if operator == "*" else power_unit(right.column.unit, -1.0)
    return product_unit(left.column.unit, right.column.unit, operator)


def _of_group(name: str, column: Column, kind: str) -> Column:
    """What an aggregate is; the least and the greatest value are values of the column."""
    made = unchanged(column, kind) if name in ("MIN", "MAX") else computed(kind, column.unit)
    statistic = _STATISTICS.get(name)
    return made if statistic is None else replace(made, ucd=with_statistic(column.ucd, statistic), utype=None)


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


def _aggregate_type(name: str, value: Value) -> str:
    if name == "SUM":
        return "BIGINT" if is_integer(value) else "DOUBLE"
    return "DOUBLE" if name == "AVG" else value.column.type
