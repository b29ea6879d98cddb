"""How is a value or a condition written? (ADQL 2.1 sections 2.2.3, 2.2.4 and 4).

One grammar for both, by binding strength, so that an open parenthesis never has to be read twice.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

from datamodel.errors import nearest
from vo_server.tap.adql import arities
from vo_server.tap.adql.cursor import MAX_DEPTH, Cursor
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.lexer import Token
from vo_server.tap.adql.tree import (
    Aggregate,
    Among,
    Arithmetic,
    Between,
    Call,
    CastTo,
    ColumnName,
    Comparison,
    Condition,
    Every,
    Exists,
    IsNull,
    Like,
    Literal,
    Negative,
    Node,
    Not,
    Query,
    Some,
    Subquery,
)
from vo_server.tap.adql.words import AGGREGATES

COMPARISONS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
GEOMETRIES = ("POINT", "CIRCLE", "POLYGON")
SET_OPERATORS = ("UNION", "EXCEPT", "INTERSECT")
CAST_TYPES = ("SMALLINT", "INTEGER", "BIGINT", "REAL", "CHAR", "VARCHAR", "TIMESTAMP", *GEOMETRIES)

_DIGITS = 19
"""Longest whole number that may be a BIGINT; whether it is one may depend on its sign."""

_OR, _AND, _NOT, _COMPARE, _ADD, _MULTIPLY, _SIGN = 1, 2, 3, 4, 5, 6, 7
_STRENGTH = {
    "OR": _OR,
    "AND": _AND,
    **dict.fromkeys([*COMPARISONS, "NOT", "BETWEEN", "IN", "LIKE", "ILIKE", "IS"], _COMPARE),
    **dict.fromkeys(["+", "-", "||"], _ADD),
    **dict.fromkeys(["*", "/"], _MULTIPLY),
}


class Expressions(Cursor):
    """Reads values and conditions; the queries inside them are read by `Parser`.

    Parameters
    ----------
    tokens
        As from `lexer.tokens`.
    functions
        Fewest and most arguments of each function, by upper case name.
    """

    def __init__(self, tokens: list[Token], functions: Mapping[str, tuple[int, int]]) -> None:
        super().__init__(tokens)
        self.functions = functions

    def query(self) -> Query:
        """Read a query, up to what cannot belong to it."""
        raise NotImplementedError

    def continued(self, first: Query) -> Query:
        """Read the rest of a query whose first operand was in parentheses."""
        raise NotImplementedError

    def value(self) -> Node:
        """Read something that has a value."""
        return _as_value(self._expression(_OR))

    def condition(self) -> Node:
        """Read something that is true or false."""
        return _as_condition(self._expression(_OR))

    def _expression(self, strength: int) -> Node:
        self.enter()
        left = self._prefix()
        links = 0
        while _STRENGTH.get(self.token.word, 0) >= strength:
            operator = self.take()
            links += operator.word not in ("AND", "OR")
            if links > MAX_DEPTH:
                raise AdqlError(operator.at, f"more than {MAX_DEPTH} operators in a row")
            left = self._infix(left, operator)
        self.leave()
        return left

    def _infix(self, left: Node, operator: Token) -> Node:
        word = operator.word
        if word in ("AND", "OR"):
            return self._chain(left, operator)
        if word in COMPARISONS:
            if isinstance(left, Condition):
                raise AdqlError(operator.at, f"expected AND or OR after a condition, found '{word}'")
            right = _as_value(self._expression(_ADD))
            return Comparison(operator.at, COMPARISONS[word], left, right)
        if _STRENGTH[word] == _COMPARE:
            return self._predicate(_as_value(left), operator)
        right = _as_value(self._expression(_STRENGTH[word] + 1))
        return Arithmetic(operator.at, word, _as_value(left), right)

    def _chain(self, left: Node, operator: Token) -> Node:
        conditions = [_as_condition(left)]
        strength = _STRENGTH[operator.word] + 1
        conditions.append(_as_condition(self._expression(strength)))
        while self.accept(operator.word):
            conditions.append(_as_condition(self._expression(strength)))
        return (Every if operator.word == "AND" else Some)(left.at, tuple(conditions))

    def _predicate(self, value: Node, operator: Token) -> Node:
        negated = operator.word == "NOT"
        if negated:
            operator = self.accept("BETWEEN", "IN", "LIKE", "ILIKE") or self._no_predicate()
        return self._PREDICATES[operator.word](self, value, negated, operator)

    def _no_predicate(self) -> Token:
        raise self.error("BETWEEN, IN, LIKE or ILIKE after NOT")

    def _between(self, value: Node, negated: bool, operator: Token) -> Node:
        low = _as_value(self._expression(_ADD))
        self.expect("AND", "between the ends of BETWEEN")
        return Between(operator.at, value, low, _as_value(self._expression(_ADD)), negated)

    def _among(self, value: Node, negated: bool, operator: Token) -> Node:
        self.expect("(", "after IN")
        if self.token.word == "SELECT":
            choices: tuple[Node, ...] | Query = self.query()
        else:
            choices = self.listed(self.value)
            first = choices[0]
            if len(choices) == 1 and isinstance(first, Subquery):
                choices = self.continued(first.query)
        self.expect(")", "after the choices of IN")
        return Among(operator.at, value, choices, negated)

    def _like(self, value: Node, negated: bool, operator: Token) -> Node:
        pattern = _as_value(self._expression(_ADD))
        return Like(operator.at, value, pattern, negated, operator.word == "ILIKE")

    def _is_null(self, value: Node, negated: bool, operator: Token) -> Node:
        negated = self.accept("NOT") is not None
        self.expect("NULL", "after IS")
        return IsNull(operator.at, value, negated)

    _PREDICATES: ClassVar[dict[str, Callable[["Expressions", Node, bool, Token], Node]]] = {
        "BETWEEN": _between,
        "IN": _among,
        "LIKE": _like,
        "ILIKE": _like,
        "IS": _is_null,
    }

    def _prefix(self) -> Node:
        token = self.token
        if token.kind in ("integer", "number", "string"):
            return self._literal()
        if self.at_name():
            return self._name_or_call()
        reader = self._PREFIXES.get(token.word)
        if reader is not None:
            return reader(self, self.take())
        if token.word in AGGREGATES and self.ahead().word == "(":
            return self._aggregate(self.take())
        if token.word in self.functions:
            return self._call(self.take())
        raise self.error("a value or column name")

    def _literal(self) -> Node:
        token = self.take()
        if token.kind == "string":
            text = [token.text]
            while self.token.kind == "string":
                text.append(self.take().text)
            return Literal(token.at, "".join(text))
        if token.kind == "integer" and len(digits := token.text.lstrip("0")) <= _DIGITS:
            return Literal(token.at, int(digits or "0"))
        number = float(token.text)
        if number == float("inf"):
            raise AdqlError(token.at, f"expected a number up to 1.8e308, found '{token.text[:60]}'")
        return Literal(token.at, number)

    def _name_or_call(self) -> Node:
        token = self.token
        if token.kind == "name" and self.ahead().word == "(":
            return self._call(self.take())
        parts = self.names("a column name")
        if len(parts) > 4:
            raise AdqlError(token.at, "expected at most schema.table.column")
        return ColumnName(token.at, parts)

    def _call(self, token: Token) -> Node:
        if token.word not in self.functions:
            message = f"unknown function '{token.text}'{nearest(token.text, self.functions)}"
            raise AdqlError(token.at, message)
        self.expect("(", f"after {token.word}")
        arguments = () if self.token.word == ")" else self.listed(self.value)
        self.expect(")", f"after the arguments of {token.word}")
        call = Call(token.at, token.word, arguments)
        arities.check(call, self.functions)
        return call

    def _aggregate(self, token: Token) -> Node:
        self.expect("(", f"after {token.word}")
        distinct = self.accept("DISTINCT", "ALL")
        rows = token.word == "COUNT" and distinct is None and self.accept("*")
        argument = None if rows else self.value()
        self.expect(")", f"after the argument of {token.word}")
        return Aggregate(token.at, token.word, argument, distinct is not None and distinct.word == "DISTINCT")

    def _parenthesis(self, token: Token) -> Node:
        if self.token.word == "SELECT":
            inner: Node = Subquery(token.at, self.query())
        else:
            inner = self._expression(_OR)
            if isinstance(inner, Subquery) and self.token.word in SET_OPERATORS:
                inner = Subquery(token.at, self.continued(inner.query))
        self.expect(")", "to close the parenthesis")
        return inner

    def _not(self, token: Token) -> Node:
        return Not(token.at, _as_condition(self._expression(_NOT)))

    def _negative(self, token: Token) -> Node:
        value = _as_value(self._expression(_SIGN))
        if isinstance(value, Literal) and isinstance(value.value, int | float):
            return Literal(token.at, -value.value)
        return Negative(token.at, value)

    def _positive(self, token: Token) -> Node:
        return _as_value(self._expression(_SIGN))

    def _exists(self, token: Token) -> Node:
        self.expect("(", "after EXISTS")
        query = self.query()
        self.expect(")", "after the query of EXISTS")
        return Exists(token.at, query)

    def _null(self, token: Token) -> Node:
        return Literal(token.at, None)

    def _cast(self, token: Token) -> Node:
        self.expect("(", "after CAST")
        value = self.value()
        self.expect("AS", "in CAST")
        if self.accept("DOUBLE"):
            self.expect("PRECISION", "after DOUBLE")
            kind, length = "DOUBLE", None
        else:
            kind, length = self._cast_type()
        self.expect(")", "after the type of CAST")
        return CastTo(token.at, value, kind, length)

    def _cast_type(self) -> tuple[str, int | None]:
        named = self.accept(*CAST_TYPES)
        if named is None:
            raise self.error(f"one of the types {', '.join(CAST_TYPES)}, DOUBLE PRECISION")
        length = None
        if named.word in ("CHAR", "VARCHAR") and self.accept("("):
            length = self.count("a length")
            self.expect(")", "after the length")
        return named.word, length

    _PREFIXES: ClassVar[dict[str, Callable[["Expressions", Token], Node]]] = {
        "(": _parenthesis,
        "NOT": _not,
        "-": _negative,
        "+": _positive,
        "EXISTS": _exists,
        "NULL": _null,
        "CAST": _cast,
    }


def _as_value(node: Node) -> Node:
    if isinstance(node, Condition):
        raise AdqlError(node.at, "expected a value, found a condition")
    return node


def _as_condition(node: Node) -> Node:
    if not isinstance(node, Condition):
        raise AdqlError(node.at, "expected a condition such as value = 1, found a value without a comparison")
    return node
