"""How is a query gone about, step by step and in its own names? For people who wait for it."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import chain
from typing import Any

from vo_server.tap.adql.tree import (
    Aggregate,
    Call,
    ColumnName,
    Join,
    Name,
    Node,
    Query,
    Select,
    SetOperation,
    Subquery,
    TableName,
)

MOST_STEPS = 60
MOST_CHARACTERS = 500
"""Of a step."""

INDENT = "  "

_PLACES = frozenset(("CONTAINS", "INTERSECTS", "DISTANCE"))


def plan(query: Query, maxrec: int) -> str:
    """The steps of a query, one a line; steps of a query inside another are indented.

    Parameters
    ----------
    query
        As it was parsed.
    maxrec
        Rows that the answer may have.
    """
    lines = [_cut(line) for line in (*_query(query), f"give {maxrec} rows at the most")]
    rest = [f"... and {len(lines) - MOST_STEPS} further steps"] if len(lines) > MOST_STEPS else []
    return "\n".join(lines[:MOST_STEPS] + rest)


def _cut(line: str) -> str:
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]} ..."


def _query(query: Query) -> Iterator[str]:
    for named in query.named:
        yield f"find {_word(named.name)}:"
        yield from _inside(_query(named.query))
    yield from _BODIES[type(query.body)](query.body)
    if query.order:
        directions = (f"{_about(term.value)}{', descending' * term.descending}" for term in query.order)
        yield f"sort by {'; '.join(directions)}"
    if query.offset:
        yield f"pass over {query.offset} rows"
    yield from _stop(query.body)


def _select(select: Select) -> Iterator[str]:
    yield from _source(select.source)
    if select.where is not None:
        yield f"keep rows by {_condition(select.where)}"
    yield from _subqueries(select.where)
    if select.group:
        yield f"group by {'; '.join(map(_about, select.group))}"
    elif any(True for _ in _found(select.items, Aggregate)):
        yield "summarize all rows into one"
    if select.having is not None:
        yield f"keep groups by {_condition(select.having)}"
    if select.distinct:
        yield "drop rows that are there already"


def _operation(operation: SetOperation) -> Iterator[str]:
    every = " ALL" * operation.all
    for number, operand in enumerate(operation.operands):
        yield f"{operation.operator}{every} with:" if number else "take:"
        yield from _inside(chain(_BODIES[type(operand)](operand), _stop(operand)))


def _stop(body: Node) -> Iterator[str]:
    if isinstance(body, Select) and body.top is not None:
        yield f"stop after {body.top} rows"


_BODIES: dict[type[Node], Callable[[Any], Iterator[str]]] = {
    Query: _query,
    Select: _select,
    SetOperation: _operation,
}


def _source(source: Node, how: str = "read") -> Iterator[str]:
    if isinstance(source, Join):
        yield from _source(source.left, how)
        kind = source.kind.lower()
        yield from _source(source.right, "combine with" if kind == "cross" else f"{kind} join with")
        if source.on is not None:
            yield f"{INDENT}by {_condition(source.on)}"
        if source.using:
            yield f"{INDENT}by {', '.join(map(_word, source.using))}"
    elif isinstance(source, TableName):
        yield f"{how} {source.shown}" + (f" as {_word(source.alias)}" if source.alias else "")
    elif isinstance(source, Subquery):
        yield f"{how} the rows of" + (f" {_word(source.alias)}:" if source.alias else ":")
        yield from _inside(_query(source.query))


def _subqueries(condition: Node | None) -> Iterator[str]:
    for query in _found(condition, Query, through=False):
        yield f"{INDENT}compared with:"
        yield from _inside(_inside(_query(query)))


def _condition(condition: Node) -> str:
    place = any(call.name in _PLACES for call in _found(condition, Call))
    return f"{'position, ' * place}{_about(condition)}"


def _about(value: Node) -> str:
    """The columns that a value or condition is made of; what it is made of else is said by no name."""
    names = dict.fromkeys(
        ".".join(map(_word, column.parts)) for column in _found(value, ColumnName, through=False)
    )
    return ", ".join(names) or "a value"


def _word(name: Name) -> str:
    return name.text


def _inside(lines: Iterator[str]) -> Iterator[str]:
    return (f"{INDENT}{line}" for line in lines)


def _found(node: Any, kind: type[Any], through: bool = True) -> Iterator[Any]:
    """The nodes of a kind at or below a node, outside in; not those inside queries, unless these are wanted.

    Parameters
    ----------
    node
        A node, a tuple of nodes, or something else.
    kind
        Of node.
    through
        Whether to look into what was found.
    """
    waiting = [node]  # the next at its end, for a query may have a hundred thousand nodes
    while waiting:
        here = waiting.pop()
        if isinstance(here, tuple):
            waiting.extend(reversed(here))
            continue
        found = isinstance(here, kind)
        if found:
            yield here
        if isinstance(here, Node) and not isinstance(here, Query) and (through or not found):
            waiting.extend(
                getattr(here, field.name) for field in reversed(fields(here)) if field.name != "at"
            )
