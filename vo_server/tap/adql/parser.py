"""How is a query written? (ADQL 2.1 sections 2.2, 4.5, 4.6 and 4.10)."""

from collections.abc import Callable, Mapping

from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.expressions import SET_OPERATORS, Expressions
from vo_server.tap.adql.lexer import MAX_LENGTH, tokens
from vo_server.tap.adql.tree import (
    Item,
    Join,
    Name,
    Node,
    Order,
    Query,
    Select,
    SetOperation,
    Star,
    Subquery,
    TableName,
    With,
)
from vo_server.tap.adql.udf_catalogue import OFFERED
from vo_server.tap.adql.words import FOREIGN_CLAUSES

_MOST_TABLES = 50
_MOST_OPERANDS = 200
_JOIN_WORDS = ("NATURAL", "INNER", "LEFT", "RIGHT", "FULL", "JOIN")


def parse(
    text: str,
    max_length: int = MAX_LENGTH,
    functions: Mapping[str, tuple[int, int]] = OFFERED.arities,
) -> Query:
    """Read one query.

    Parameters
    ----------
    text
        ADQL 2.1; one semicolon at the very end is forgiven.
    max_length
        Most characters.
    functions
        Fewest and most arguments of each function there is, by upper case name.

    Raises
    ------
    AdqlError
        At the first token that the grammar does not allow, saying what it would have allowed.
    """
    parser = Parser(tokens(text, max_length), functions)
    query = parser.top()
    if parser.token.word == ";" and parser.ahead().kind == "end":
        parser.take()
    if parser.token.kind != "end":
        raise parser.error("the end of the query")
    return query


class Parser(Expressions):
    """Reads queries by recursive descent."""

    def top(self) -> Query:
        """Read WITH, if there is one, and the query."""
        start = self.token
        named = self.listed(self._with) if self.accept("WITH") else ()
        query = self.query()
        return Query(start.at, query.body, query.order, query.offset, named, self.deepest)

    def _with(self) -> With:
        name = self.name("a name after WITH")
        columns: tuple[Name, ...] = ()
        if self.accept("("):
            columns = self.listed(lambda: self.name("a column name"))
            self.expect(")", "after the column names")
        self.expect("AS", "after the name in WITH")
        self.expect("(", "after AS")
        query = self.query()
        self.expect(")", f"after the query of {name.text}")
        return With(name.at, name, columns, query)

    def query(self) -> Query:
        """Read a query, up to what cannot belong to it."""
        with self.deeper():
            return self._finished(self._operands(self._intersection(self._operand())))

    def continued(self, first: Query) -> Query:
        """Read the rest of a query whose first operand was in parentheses."""
        with self.deeper():
            return self._finished(self._operands(self._intersection(first)))

    def _finished(self, body: Select | SetOperation | Query) -> Query:
        order: tuple[Order, ...] = ()
        if self.accept("ORDER"):
            self.expect("BY", "after ORDER")
            order = self.listed(self._order)
        offset = self.count("a whole number after OFFSET") if self.accept("OFFSET") else None
        return Query(body.at, body, order, offset)

    def _order(self) -> Order:
        value = self.value()
        direction = self.accept("ASC", "DESC")
        return Order(value.at, value, direction is not None and direction.word == "DESC")

    def _operands(self, body: Select | SetOperation | Query) -> Select | SetOperation | Query:
        while self.token.word in ("UNION", "EXCEPT"):
            body = self._operation(body, self._intersections)
        return body

    def _intersections(self) -> Select | SetOperation | Query:
        return self._intersection(self._operand())

    def _intersection(self, body: Select | SetOperation | Query) -> Select | SetOperation | Query:
        while self.token.word == "INTERSECT":
            body = self._operation(body, self._operand)
        return body

    def _operation(
        self, body: Select | SetOperation | Query, operand: Callable[[], Select | SetOperation | Query]
    ) -> SetOperation:
        operator = self.take()
        every = self.accept("ALL") is not None
        operands = [body]
        operands.append(operand())
        while self.token.word == operator.word and (self.ahead().word == "ALL") == every:
            self.take()
            self.accept("ALL")
            operands.append(operand())
            if len(operands) > _MOST_OPERANDS:
                raise AdqlError(operator.at, f"more than {_MOST_OPERANDS} queries joined by {operator.word}")
        return SetOperation(operator.at, operator.word, every, tuple(operands))

    def _operand(self) -> Select | Query:
        opening = self.accept("(")
        if opening is None:
            return self._select()
        query = self.query()
        self.expect(")", "after the query")
        return query

    def _select(self) -> Select:
        if self.token.word == "WITH":
            raise AdqlError(self.token.at, "WITH stands only at the very beginning of a query")
        start = self.expect("SELECT", "at the beginning of a query")
        quantity = self.accept("DISTINCT", "ALL")
        top = self.count("a whole number after TOP") if self.accept("TOP") else None
        items = self.listed(self._item)
        self.expect("FROM", "after the SELECT list")
        source = self._sources()
        where = self.condition() if self.accept("WHERE") else None
        group: tuple[Node, ...] = ()
        if self.accept("GROUP"):
            self.expect("BY", "after GROUP")
            group = self.listed(self.value)
        having = self.condition() if self.accept("HAVING") else None
        distinct = quantity is not None and quantity.word == "DISTINCT"
        return Select(start.at, items, source, distinct, top, where, group, having)

    def _item(self) -> Node:
        start = self.token
        if self.accept("*"):
            return Star(start.at)
        if star := self._qualified_star():
            return star
        value = self.value()
        return Item(start.at, value, self._alias())

    def _qualified_star(self) -> Star | None:
        count = 0
        while self.ahead(count).kind in ("name", "delimited") and self.ahead(count + 1).word == ".":
            count += 2
        if not count or self.ahead(count).word != "*":
            return None
        parts = self.names("a table name")
        self.take(), self.take()
        return Star(parts[0].at, parts)

    def _alias(self) -> Name | None:
        if self.accept("AS"):
            return self.name("a name after AS")
        if self.token.word in FOREIGN_CLAUSES and self.ahead().kind == "integer":
            raise self.error("another clause")
        return self.name("a name") if self.at_name() else None

    def _sources(self) -> Node:
        source = self._joined()
        for _ in range(_MOST_TABLES):
            comma = self.accept(",")
            if comma is None:
                return source
            source = Join(comma.at, "CROSS", source, self._joined())
        raise AdqlError(self.token.at, f"more than {_MOST_TABLES} tables in one FROM")

    def _joined(self) -> Node:
        with self.deeper():
            source = self._source()
            for _ in range(_MOST_TABLES):
                if self.token.word not in _JOIN_WORDS:
                    return source
                source = self._join(source)
            raise AdqlError(self.token.at, f"more than {_MOST_TABLES} tables in one FROM")

    def _join(self, left: Node) -> Join:
        start = self.token
        natural = self.accept("NATURAL") is not None
        kind = self.accept("INNER", "LEFT", "RIGHT", "FULL")
        if kind is not None and kind.word != "INNER":
            self.accept("OUTER")
        self.expect("JOIN", f"after {kind.word if kind else 'NATURAL'}")
        right = self._source()
        on, using = (None, ()) if natural else self._join_condition()
        return Join(start.at, kind.word if kind else "INNER", left, right, on, using, natural)

    def _join_condition(self) -> tuple[Node | None, tuple[Name, ...]]:
        if self.accept("ON"):
            return self.condition(), ()
        if self.accept("USING"):
            self.expect("(", "after USING")
            names = self.listed(lambda: self.name("a column name"))
            self.expect(")", "after the columns of USING")
            return None, names
        raise self.error("ON or USING after the joined table")

    def _source(self) -> Node:
        start = self.token
        if self.token.word == "(":
            source = self._parenthesised()
            if isinstance(source, Query):
                return Subquery(start.at, source, self._required_alias())
            return source
        parts = self.names("a table name")
        if len(parts) > 3:
            raise AdqlError(start.at, "expected at most catalog.schema.table")
        return TableName(start.at, parts, self._alias())

    def _required_alias(self) -> Name:
        self.accept("AS")
        return self.name("a name for the query in parentheses")

    def _parenthesised(self) -> Node:
        """A query or a join between parentheses; which, is known once its first word is read."""
        with self.deeper():
            start = self.expect("(", "before a joined table")
            if self.token.word == "SELECT":
                inner: Node = self.query()
            elif self.token.word == "(":
                inner = self._parenthesised()
                inner = self._after_parenthesis(start, inner)
            elif self.token.word == "WITH":
                raise AdqlError(self.token.at, "WITH stands only at the very beginning of a query")
            else:
                inner = self._joined()
            self.expect(")", "to close the parenthesis")
            return inner

    def _after_parenthesis(self, start: object, inner: Node) -> Node:
        if isinstance(inner, Query):
            if self.token.word in (*SET_OPERATORS, "ORDER", "OFFSET", ")"):
                return self.continued(inner)
            inner = Subquery(inner.at, inner, self._required_alias())
        while self.token.word in _JOIN_WORDS:
            inner = self._join(inner)
        return inner
