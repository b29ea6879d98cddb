"""What does a query mean: which SELECT statement, with which described columns?"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy import func

from datamodel import sql_functions
from datamodel.columns import Column
from datamodel.context import Caller
from vo_server.tap.adql import tree
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.naming import named_columns
from vo_server.tap.adql.relations import Relations
from vo_server.tap.adql.resolver import Resolver
from vo_server.tap.adql.scope import Relation, Scope
from vo_server.tap.adql.types import common_type
from vo_server.tap.adql.values import Value

Statement = sa.Select[Any] | sa.CompoundSelect[Any]


@dataclass(frozen=True)
class Answer:
    """A query with its meaning.

    Attributes
    ----------
    select
        Its columns are called ``c1``, ``c2``, ...
    columns
        Described; names are unique.
    top
        Rows at the most, where the query says so.
    plain
        Whether it is a SELECT without order, TOP or OFFSET, which can stand beside UNION as it is.
    correlated
        Whether it needs columns of a query around it.
    """

    select: Statement
    columns: tuple[Column, ...]
    top: int | None = None
    plain: bool = False
    correlated: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """What the columns are called in `select`."""
        return tuple(f"c{i}" for i in range(1, len(self.columns) + 1))

    @property
    def sample(self) -> Value:
        """The first column, to compare types with."""
        return self.value(Position(1, 1), 0)

    def value(self, at: Position, index: int) -> Value:
        """A column, as far as types go."""
        return Value(at, sa.column(self.labels[index]), self.columns[index], ("c", index))


class Statements:
    """Gives meaning to the queries of one text.

    Parameters
    ----------
    catalogue
        The tables there are.
    caller
        Whose rows they show.
    """

    def __init__(self, catalogue: Catalogue, caller: Caller) -> None:
        self.named: list[tuple[tree.Name, Answer, sa.CTE]] = []
        self.relations = Relations(catalogue, caller, self.named, count(1), self.answer)

    def top(self, query: tree.Query) -> Answer:
        """The meaning of a whole text.

        Raises
        ------
        AdqlError
            At the part that has no meaning.
        """
        for written in query.named:
            if any(written.name.matches(name.text) for name, _, _ in self.named):
                raise AdqlError(written.at, f"two queries of WITH are called '{written.name.text}'")
            answer = _renamed(written, self.answer(written.query, None))
            cte = answer.select.cte(f"w{len(self.named) + 1}")
            self.named.append((written.name, answer, cte))
        return self.answer(query, None)

    def answer(self, query: tree.Query, parent: Scope | None) -> Answer:
        """The meaning of a query inside a scope."""
        if isinstance(query.body, tree.Select):
            return self._select(query.body, query, parent)
        inner = self._body(query.body, parent)
        if not query.order and query.offset is None:
            return inner
        return _wrapped(inner, query)

    def _body(self, body: tree.Node, parent: Scope | None) -> Answer:
        return self._BODIES[type(body)](self, body, parent)

    def _plain_select(self, select: tree.Select, parent: Scope | None) -> Answer:
        return self._select(select, tree.Query(select.at, select), parent)

    def _select(self, select: tree.Select, query: tree.Query, parent: Scope | None) -> Answer:
        scope = Scope(self.relations.relation(select.source, parent), parent)
        where = self._where(select, scope)
        group = self._grouped(select, scope)
        resolver = Resolver(scope, self.answer)
        items = _items(select, scope, resolver)
        having = resolver.value(select.having) if select.having else None
        columns = named_columns(items)
        terms = () if select.distinct else query.order
        order = [_order_value(o, items, columns, resolver) for o in terms]
        _check_groups(select, [*(v for v, _ in items), having, *order], bool(group))
        statement = _assembled(scope, items, where, group, having)
        if select.distinct:
            statement = statement.distinct()
        if select.distinct and query.order:
            answer = Answer(statement, columns, correlated=scope.reaches_out)
            return _wrapped(answer, query, select.top)
        if order:
            statement = statement.order_by(
                *(_ordered(v, o.descending) for v, o in zip(order, terms, strict=True))
            )
        plain = not order and select.top is None and query.offset is None
        bounded = _limited(statement, query.offset, select.top)
        return Answer(bounded, columns, select.top, plain, scope.reaches_out)

    def _where(self, select: tree.Select, scope: Scope) -> Value | None:
        return Resolver(scope, self.answer, "WHERE").value(select.where) if select.where else None

    def _grouped(self, select: tree.Select, scope: Scope) -> list[Value]:
        resolver = Resolver(scope, self.answer, "GROUP BY")
        group = [resolver.value(g) for g in select.group]
        for value in group:
            if value.constant:
                raise AdqlError(value.at, "GROUP BY takes columns or expressions of them, found a constant")
        scope.grouped = {g.key for g in group}
        return group

    def _operation(self, operation: tree.SetOperation, parent: Scope | None) -> Answer:
        answers = [self._body(o, parent) for o in operation.operands]
        first = answers[0]
        for other, node in zip(answers[1:], operation.operands[1:], strict=True):
            if len(other.columns) != len(first.columns):
                widths = f"{len(first.columns)} and {len(other.columns)}"
                raise AdqlError(
                    node.at, f"{operation.operator} joins queries of as many columns, found {widths}"
                )
        columns = tuple(_united(operation, answers, i) for i in range(len(first.columns)))
        operands = [_operand(n.at, a, columns) for a, n in zip(answers, operation.operands, strict=True)]
        if operation.all and operation.operator != "UNION":
            for answer, node in zip(answers, operation.operands, strict=True):
                _check_alone(node.at, answer)
            return Answer(_with_multiplicity(operation, operands, first.labels), columns)
        joined = _SET_OPERATIONS[operation.operator, operation.all](*operands)
        return Answer(joined, columns, correlated=any(a.correlated for a in answers))

    _BODIES: ClassVar[dict[type[tree.Node], Callable[..., Answer]]] = {
        tree.Select: _plain_select,
        tree.SetOperation: _operation,
        tree.Query: answer,
    }


_SET_OPERATIONS: dict[tuple[str, bool], Callable[..., sa.CompoundSelect[Any]]] = {
    ("UNION", False): sa.union,
    ("UNION", True): sa.union_all,
    ("EXCEPT", False): sa.except_,
    ("INTERSECT", False): sa.intersect,
}


def _assembled(
    scope: Scope,
    items: list[tuple[Value, str | None]],
    where: Value | None,
    group: list[Value],
    having: Value | None,
) -> sa.Select[Any]:
    """SELECT, FROM, WHERE, GROUP BY and HAVING; tables not in FROM are those of a query around it."""
    statement = sa.select(*(v.sql.label(f"c{i}") for i, (v, _) in enumerate(items, 1)))
    statement = statement.select_from(scope.relation.clause)
    statement = statement.correlate_except(*(s.clause for s in scope.relation.sources))
    if where is not None:
        statement = statement.where(where.sql)
    if group:
        statement = statement.group_by(*(g.sql for g in group))
    return statement if having is None else statement.having(having.sql)


def _items(select: tree.Select, scope: Scope, resolver: Resolver) -> list[tuple[Value, str | None]]:
    """The values of the SELECT list, each with the name that AS gives it."""
    items: list[tuple[Value, str | None]] = []
    for node in select.items:
        if isinstance(node, tree.Star):
            starred = [replace(v, at=node.at) for v in scope.star(node)]
            items += [(replace(v, loose=frozenset()) if v.key in scope.grouped else v, None) for v in starred]
        elif isinstance(node, tree.Item):
            items.append((resolver.value(node.value), node.alias.text if node.alias else None))
    return items


def _order_value(
    order: tree.Order,
    items: list[tuple[Value, str | None]],
    columns: tuple[Column, ...],
    resolver: Resolver,
) -> Value:
    """What ORDER BY names: a position, a result column, or an expression of the tables' columns."""
    index = _result_index(order.value, columns, {i for i, (_, alias) in enumerate(items) if alias})
    return items[index][0] if index is not None else resolver.value(order.value)


def _result_index(node: tree.Node, columns: tuple[Column, ...], renamed: set[int]) -> int | None:
    if isinstance(node, tree.Literal):
        if not isinstance(node.value, int) or not 1 <= node.value <= len(columns):
            expected = f"a result column from 1 to {len(columns)}"
            raise AdqlError(node.at, f"ORDER BY takes {expected} or an expression, found {node.value!r}")
        return node.value - 1
    if isinstance(node, tree.ColumnName) and len(node.parts) == 1:
        return next((i for i in sorted(renamed) if node.parts[0].matches(columns[i].name)), None)
    return None


def _ordered(value: Value, descending: bool) -> sa.ColumnElement[Any]:
    sql = sql_functions.ByCodePoint(value.sql) if value.kind == "text" else value.sql
    return (sql.desc() if descending else sql.asc()).nulls_last()


def _check_groups(select: tree.Select, values: list[Value | None], grouped: bool) -> None:
    """Every column stands in GROUP BY or inside an aggregate, once there is either."""
    known = [v for v in values if v is not None]
    if not grouped and select.having is None and not any(v.aggregated for v in known):
        return
    for value in known:
        if value.loose:
            names = ", ".join(sorted(value.loose))
            raise AdqlError(value.at, f"'{names}' must be in GROUP BY or inside an aggregate")


def _limited(statement: Any, offset: int | None, top: int | None) -> Any:
    """OFFSET applies before TOP (ADQL 2.1 section 4.10)."""
    if top is not None:
        statement = statement.limit(top)
    return statement if offset is None else statement.offset(offset)


def _wrapped(inner: Answer, query: tree.Query, top: int | None = None) -> Answer:
    """The rows of a query, ordered by its result columns and cut."""
    _check_alone(query.at, inner)
    rows = inner.select.subquery()
    scope = Scope(Relation(rows, [], []))
    names = set(range(len(inner.columns)))
    values = [
        Value(query.at, rows.c[label], column.named(column.name), ("result", label))
        for label, column in zip(inner.labels, inner.columns, strict=True)
    ]
    scope.relation.visible = values
    resolver = Resolver(scope, _no_query, "ORDER BY of a result")
    terms = []
    for order in query.order:
        index = _result_index(order.value, inner.columns, names)
        value = values[index] if index is not None else resolver.value(order.value)
        terms.append(_ordered(value, order.descending))
    statement = sa.select(*(rows.c[label].label(label) for label in inner.labels)).order_by(*terms)
    return Answer(_limited(statement, query.offset, top), inner.columns, top)


def _check_alone(at: Position, answer: Answer) -> None:
    """Refuse what would need a lateral join."""
    if answer.correlated:
        raise AdqlError(
            at, "a query with DISTINCT and ORDER BY, or in UNION and the like with TOP, stands alone"
        )


def _no_query(query: tree.Query, scope: Scope) -> Answer:
    raise AdqlError(query.at, "the ORDER BY of DISTINCT or of UNION and the like has no query inside")


def _renamed(written: tree.With, answer: Answer) -> Answer:
    if not written.columns:
        return answer
    if len(written.columns) != len(answer.columns):
        widths = f"{len(written.columns)} names for {len(answer.columns)} columns"
        raise AdqlError(written.at, f"'{written.name.text}' has {widths}")
    names = [n.text for n in written.columns]
    columns = tuple(c.named(n) for c, n in zip(answer.columns, names, strict=True))
    return replace(answer, columns=columns)


def _united(operation: tree.SetOperation, answers: list[Answer], index: int) -> Column:
    samples = [a.value(n.at, index) for a, n in zip(answers, operation.operands, strict=True)]
    column = replace(samples[0].column, type=common_type(samples, operation.operator))
    return column if len({s.column.unit for s in samples}) == 1 else replace(column, unit=None)


def _operand(at: Position, answer: Answer, columns: tuple[Column, ...]) -> Any:
    """An operand as a SELECT without order, limit or parentheses, which SQLite does not take there."""
    if answer.plain and [c.type for c in answer.columns] == [c.type for c in columns]:
        return answer.select
    _check_alone(at, answer)
    rows = answer.select.subquery()
    return sa.select(*(_as_type(rows.c[a], c).label(a) for a, c in zip(answer.labels, columns, strict=True)))


def _as_type(value: sa.ColumnElement[Any], column: Column) -> sa.ColumnElement[Any]:
    return sa.cast(value, column.datatype.sql()) if column.datatype.kind == "number" else value


def _with_multiplicity(
    operation: tree.SetOperation, operands: list[Any], labels: tuple[str, ...]
) -> sa.Select[Any]:
    """``EXCEPT ALL`` and ``INTERSECT ALL``: equal rows are told apart by a number, dropped afterwards."""
    numbered = []
    for operand in operands:
        rows = operand.subquery()
        number = func.row_number().over(partition_by=[rows.c[label] for label in labels])
        numbered.append(sa.select(*(rows.c[label] for label in labels), number.label("copy")))
    joined = _SET_OPERATIONS[operation.operator, False](*numbered).subquery()
    return sa.select(*(joined.c[label].label(label) for label in labels))
