"""What does a query mean: which SELECT statement, with which described columns?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from typing import ClassVar

from datamodel import sql
from datamodel.columns import Column
from datamodel.context import Caller
from datamodel.speech import Speech
from datamodel.sql import Sql
from vo_server.tap.adql import bounds, tree
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.errors import AdqlError, Position
from vo_server.tap.adql.naming import named_columns
from vo_server.tap.adql.relations import Relations
from vo_server.tap.adql.resolver import Resolver
from vo_server.tap.adql.scope import Relation, Scope, Source
from vo_server.tap.adql.set_operations import united, with_multiplicity
from vo_server.tap.adql.udf import Udfs
from vo_server.tap.adql.values import MAX_WEIGHT_OF_COLUMNS, Value

MAX_COLUMNS = 1600
"""Most columns of a query, and terms of its order and grouping; PostgreSQL has room for 1664 all together."""

_DEEP = 2
"""Queries around one that is moved to WITH, so that the parser of SQLite can read what is left."""


@dataclass(frozen=True)
class Answer:
    """A query with its meaning.

    Attributes
    ----------
    text
        A SELECT whose columns are called ``c1``, ``c2``, ...
    columns
        Described; names are unique.
    top
        Rows at the most, where the query says so.
    plain
        Whether it is a SELECT without order, TOP or OFFSET, which can stand beside UNION as it is.
    correlated
        Whether it needs columns of a query around it.
    weights
        The `Value.weight` of each column.
    constants
        Places of the columns that are the same in all rows, from 0.
    """

    text: str
    columns: tuple[Column, ...]
    weights: tuple[int, ...]
    top: int | None = None
    plain: bool = False
    correlated: bool = False
    constants: frozenset[int] = frozenset()

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What the columns are called in `text`."""
        return tuple(f"c{i}" for i in range(1, len(self.columns) + 1))

    @property
    def sample(self) -> Value:
        """The first column, to compare types with."""
        return self.value(Position(1, 1), 0)

    def source(self, name: str, alias: str) -> Source:
        """The same as a table of a FROM clause."""
        return Source((name,), self.columns, self.labels, alias, weights=self.weights)

    def value(self, at: Position, index: int) -> Value:
        """A column, as far as types go."""
        return Value(at, Sql(self.labels[index]), self.columns[index], ("c", index))


class Statements:
    """Gives meaning to the queries of one text.

    Parameters
    ----------
    catalogue
        The tables there are.
    caller
        Whose rows they show.
    speech
        How the database writes what SQL leaves open.
    udfs
        The functions that are no part of ADQL.
    """

    def __init__(self, catalogue: Catalogue, caller: Caller, speech: Speech, udfs: Udfs) -> None:
        self.speech = speech
        self.udfs = udfs
        self.named: list[tuple[tree.Name, Answer, str]] = []
        self._kept: list[str] = []
        self._level, self._deep = 0, False
        self.relations = Relations(catalogue, caller, speech, udfs, self.named, count(1), self.answer)

    def top(self, query: tree.Query, most: int | None = None) -> Answer:
        """The meaning of a whole text, whose SQL gives no more than `most` rows.

        Raises
        ------
        AdqlError
            At the part that has no meaning.
        """
        self._deep = query.depth > bounds.SHALLOW
        for written in query.named:
            if any(written.name.matches(name.text) for name, _, _ in self.named):
                raise AdqlError(written.at, f"two queries of WITH are called '{written.name.text}'")
            answer = _renamed(written, self.answer(written.query, None))
            self.named.append((written.name, answer, self._keep(answer.text)))
        answer = self._bounded(query, most)
        if not self._kept:
            return answer
        return replace(answer, text=f"WITH {', '.join(self._kept)} {answer.text}")

    def _keep(self, text: str) -> str:
        """Put a query into WITH; the name it has there."""
        name = f"w{len(self._kept) + 1}"
        self._kept.append(f"{name} AS ({text})")
        return name

    def _bounded(self, query: tree.Query, most: int | None) -> Answer:
        if most is None:
            return self.answer(query, None)
        if isinstance(query.body, tree.Select):
            own = query.body.top
            body = replace(query.body, top=most if own is None else min(own, most))
            return replace(self._select(body, query, None), top=own)
        inner = self._body(query.body, None)
        if not query.order and query.offset is None:
            return replace(inner, text=inner.text + self._limits(None, most))
        return replace(self._wrapped(inner, query, most), top=None)

    def answer(self, query: tree.Query, parent: Scope | None) -> Answer:
        """The meaning of a query inside a scope; far inside others it is moved to WITH, if it can stand alone."""
        self._level += 1
        found = self._finished(query, parent)
        self._level -= 1
        if not self._deep or self._level < _DEEP or found.correlated:
            return found
        text = f"SELECT {', '.join(found.labels)} FROM {self._keep(found.text)}"  # noqa: S608
        return replace(found, text=text)

    def _finished(self, query: tree.Query, parent: Scope | None) -> Answer:
        if isinstance(query.body, tree.Select):
            return self._select(query.body, query, parent)
        inner = self._body(query.body, parent)
        if not query.order and query.offset is None:
            return inner
        return self._wrapped(inner, query)

    def _body(self, body: tree.Node, parent: Scope | None) -> Answer:
        return self._BODIES[type(body)](self, body, parent)

    def _plain_select(self, select: tree.Select, parent: Scope | None) -> Answer:
        return self._select(select, tree.Query(select.at, select), parent)

    def _select(self, select: tree.Select, query: tree.Query, parent: Scope | None) -> Answer:
        _check_count(query.at, query.order, "terms in one ORDER BY")
        relation = self.relations.relation(select.source, parent)
        scope = Scope(relation, parent, reaches_out=relation.reaches_out)
        where = self._where(select, scope)
        group = self._grouped(select, scope)
        resolver = Resolver(scope, self.answer, self.speech, self.udfs)
        items = _items(select, scope, resolver)
        having = resolver.value(select.having) if select.having else None
        columns = named_columns(items)
        one_row = select.having is not None and not select.group
        terms = () if select.distinct or one_row else query.order
        order = [_order_value(o, items, columns, resolver) for o in terms]
        _check_groups(select, [*(v for v, _ in items), having, *order], bool(group))
        each = "DISTINCT " if select.distinct else ""
        text = _assembled(each, scope, items, where, group, having)
        weights = _weights(query.at, items)
        constants = frozenset(i for i, (value, _) in enumerate(items) if value.constant)
        if select.distinct and query.order:
            inner = Answer(text, columns, weights, correlated=scope.reaches_out, constants=constants)
            return self._wrapped(inner, query, select.top)
        if order:
            text += self._ordered([(v, o.descending) for v, o in zip(order, terms, strict=True)])
        plain = not order and select.top is None and query.offset is None
        text += self._limits(query.offset, select.top)
        return Answer(text, columns, weights, select.top, plain, scope.reaches_out, constants)

    def _ordered(self, terms: list[tuple[Value, bool]]) -> str:
        """ORDER BY; a constant would be taken for the place of a column, and orders nothing."""
        listed = [
            self.speech.ordered(
                self.speech.by_code_point(v.sql) if v.kind == "text" else v.sql, descending=down
            )
            for v, down in terms
            if not v.constant
        ]
        return f" ORDER BY {', '.join(listed)}" if listed else ""

    def _limits(self, offset: int | None, top: int | None) -> str:
        """OFFSET applies before TOP (ADQL 2.1 section 4.10)."""
        if top is None and offset is None:
            return ""
        limit = f" LIMIT {self.speech.every_row if top is None else top}"
        return limit if offset is None else f"{limit} OFFSET {offset}"

    def _where(self, select: tree.Select, scope: Scope) -> Value | None:
        return (
            Resolver(scope, self.answer, self.speech, self.udfs, "WHERE").value(select.where)
            if select.where
            else None
        )

    def _grouped(self, select: tree.Select, scope: Scope) -> list[Value]:
        _check_count(select.at, select.group, "terms in one GROUP BY")
        resolver = Resolver(scope, self.answer, self.speech, self.udfs, "GROUP BY")
        group = [resolver.value(g) for g in select.group]
        for value in group:
            if value.constant:
                raise AdqlError(value.at, "GROUP BY takes columns or expressions of them, found a constant")
        scope.grouped = {g.key for g in group}
        return group

    def _operation(self, operation: tree.SetOperation, parent: Scope | None) -> Answer:
        answers = [self._body(o, parent) for o in operation.operands]
        first = answers[0]
        columns = united(operation, answers)
        weights = tuple(map(sum, zip(*(a.weights for a in answers), strict=True)))
        operands = [self._operand(n.at, a, columns) for a, n in zip(answers, operation.operands, strict=True)]
        if operation.all and operation.operator != "UNION":
            for answer, node in zip(answers, operation.operands, strict=True):
                _check_alone(node.at, answer)
            text = with_multiplicity(operation, operands, first.labels)
        else:
            text = f" {operation.operator}{' ALL' if operation.all else ''} ".join(operands)
        correlated = any(a.correlated for a in answers)
        constants = frozenset.intersection(*[a.constants for a in answers])
        return Answer(text, columns, weights, correlated=correlated, constants=constants)

    def _operand(self, at: Position, answer: Answer, columns: tuple[Column, ...]) -> str:
        """An operand as a SELECT without order, limit or parentheses, which SQLite does not take there."""
        if answer.plain and [c.type for c in answer.columns] == [c.type for c in columns]:
            return answer.text
        _check_alone(at, answer)
        items = [self._as_type(Sql(a), c).text for a, c in zip(answer.labels, columns, strict=True)]
        listed = ", ".join(f"{item} AS {a}" for item, a in zip(items, answer.labels, strict=True))
        return f"SELECT {listed} FROM ({answer.text}) AS operand"  # noqa: S608

    def _as_type(self, value: Sql, column: Column) -> Sql:
        return self.speech.cast(value, column.type) if column.datatype.kind == "number" else value

    def _wrapped(self, inner: Answer, query: tree.Query, top: int | None = None) -> Answer:
        """The rows of a query, ordered by its result columns and cut."""
        _check_alone(query.at, inner)
        alias = f"t{next(self.relations.numbers)}"
        values = [
            Value(query.at, sql.column(alias, label), column, ("result", label))
            for label, column in zip(inner.labels, inner.columns, strict=True)
        ]
        items: list[tuple[Value, str | None]] = [(value, value.column.name) for value in values]
        scope = Scope(Relation("", [], values))
        resolver = Resolver(scope, _no_query, self.speech, self.udfs, "ORDER BY of a result")
        terms = []
        for order in query.order:
            index = _result_index(order.value, items, inner.columns)
            value = values[index] if index is not None else resolver.value(order.value)
            terms.append((value, order.descending))
        listed = ", ".join(inner.labels)
        text = f"SELECT {listed} FROM ({inner.text}) AS {alias}{self._ordered(terms)}"  # noqa: S608
        text += self._limits(query.offset, top)
        return Answer(text, inner.columns, inner.weights, top, constants=inner.constants)

    _BODIES: ClassVar[dict[type[tree.Node], Callable[..., Answer]]] = {
        tree.Select: _plain_select,
        tree.SetOperation: _operation,
        tree.Query: _finished,
    }


def _assembled(
    each: str,
    scope: Scope,
    items: list[tuple[Value, str | None]],
    where: Value | None,
    group: list[Value],
    having: Value | None,
) -> str:
    """SELECT, FROM, WHERE, GROUP BY and HAVING."""
    listed = ", ".join([f"{v.sql.text} AS c{i}" for i, (v, _) in enumerate(items, 1)])
    source = f"{scope.relation.text} WHERE {where.sql.text}" if where is not None else scope.relation.text
    if having is not None and not group:
        return _whole(items, listed, source, having)
    text = f"SELECT {each}{listed} FROM {source}"  # noqa: S608  made of what the parser understood
    if group:
        text += f" GROUP BY {', '.join([g.sql.text for g in group])}"
    return text if having is None else f"{text} HAVING {having.sql.text}"


def _whole(items: list[tuple[Value, str | None]], listed: str, source: str, having: Value) -> str:
    """HAVING without GROUP BY, which SQLite takes only beside an aggregate: all rows together are one group."""
    labels = ", ".join(f"c{i}" for i in range(1, len(items) + 1))
    inner = f"SELECT {listed}, count(*) AS rows_there, {having.sql.text} AS holds FROM {source}"  # noqa: S608
    return f"SELECT {labels} FROM ({inner}) AS all_rows WHERE holds"  # noqa: S608


def _items(select: tree.Select, scope: Scope, resolver: Resolver) -> list[tuple[Value, str | None]]:
    """The values of the SELECT list, each with the name that AS gives it."""
    items: list[tuple[Value, str | None]] = []
    for node in select.items:
        if isinstance(node, tree.Star):
            starred = [v.moved(node.at) for v in scope.star(node)]
            items += [(v.but(loose=frozenset()) if v.key in scope.grouped else v, None) for v in starred]
        elif isinstance(node, tree.Item):
            items.append((resolver.value(node.value), node.alias.text if node.alias else None))
        _check_count(node.at, items, "columns in one SELECT")
    return items


def _weights(at: Position, items: list[tuple[Value, str | None]]) -> tuple[int, ...]:
    """How much there is in each column of a SELECT; refuses too much in all."""
    weights = tuple(value.weight for value, _ in items)
    if sum(weights) > MAX_WEIGHT_OF_COLUMNS:
        raise AdqlError(
            at, "the columns of the query are too large together; write it with fewer or shorter ones"
        )
    return weights


def _check_count(at: Position, terms: Sequence[object], what: str) -> None:
    if len(terms) > MAX_COLUMNS:
        raise AdqlError(at, f"more than {MAX_COLUMNS} {what}")


def _order_value(
    order: tree.Order,
    items: list[tuple[Value, str | None]],
    columns: tuple[Column, ...],
    resolver: Resolver,
) -> Value:
    """What ORDER BY names: a position, a result column, or an expression of the tables' columns."""
    index = _result_index(order.value, items, columns)
    return items[index][0] if index is not None else resolver.value(order.value)


def _result_index(
    node: tree.Node, items: list[tuple[Value, str | None]], columns: tuple[Column, ...]
) -> int | None:
    if isinstance(node, tree.Literal):
        if not isinstance(node.value, int) or not 1 <= node.value <= len(columns):
            expected = f"a result column from 1 to {len(columns)}"
            raise AdqlError(node.at, f"ORDER BY takes {expected} or an expression, found {node.value!r}")
        return node.value - 1
    if isinstance(node, tree.ColumnName) and len(node.parts) == 1:
        called = [i for i, column in enumerate(columns) if node.parts[0].matches(column.name)]
        renamed = [i for i in called if items[i][1]]
        if renamed:
            return renamed[0]
        same = [value for value, alias in items if not alias and node.parts[0].matches(value.column.name)]
        return called[0] if called and len(same) <= 1 else None
    return None


def _check_groups(select: tree.Select, values: list[Value | None], grouped: bool) -> None:
    """Every column stands in GROUP BY or inside an aggregate, once there is either."""
    known = [v for v in values if v is not None]
    if not grouped and select.having is None and not any(v.aggregated for v in known):
        return
    for value in known:
        if value.loose:
            names = ", ".join(sorted(value.loose))
            raise AdqlError(value.at, f"'{names}' must be in GROUP BY or inside an aggregate")


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
